"""One cold `fr identify` beside what it cannot do without, and beside DeepFace; one run.

    python -m tests.benchmarks.cold [--size 10000] [--rounds 5] [--deepface PYTHON]

A gallery of synthetic templates and one made-up person, whose selfie is the probe. Each line is a
process of its own, from start to end; the lines take turns, so that a busy machine slows all of
them. CPU is user + system time with all children, the median of the rounds; peak is the most
memory that one process held.

- floor: `floor.py`, 25 lines: typer, DeepFace's SFace and YuNet clients, one photo, no more.
- represent: DeepFace's own `represent` (SFace, YuNet) and a comparison with the same templates,
  on its default engine and on onnxruntime. The default engine needs tf-keras, which fr does not:
  --deepface names the interpreter of an environment that has both.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from fr_cli.face.pipeline import FacePipeline
from fr_cli.site import user_home
from tests.benchmarks.cost import PEOPLE
from tests.benchmarks.laid import FR, lay, synthetic

PROBE = PEOPLE / "P001" / "assets" / "amateur_selfie.jpg"
REPRESENT = """
import sys, numpy as np
from deepface import DeepFace
found = DeepFace.represent(sys.argv[1], model_name="SFace", detector_backend="yunet")
vector = np.asarray(max(found, key=lambda one: one["facial_area"]["w"])["embedding"], np.float32)
print(int(np.argmax(np.load(sys.argv[2]) @ (vector / np.linalg.norm(vector)))))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--deepface", default=sys.executable, metavar="PYTHON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        templates = synthetic(options.size, 128)
        with FacePipeline.load() as pipeline:
            portrait = next((PEOPLE / "P001" / "assets").glob("studio_portrait*"))
            templates[0] = pipeline.template(portrait.read_bytes()).vector
        np.save(folder / "gallery.npy", templates)
        lay(folder / "home", templates)
        weights = folder / "deepface" / ".deepface" / "weights"
        weights.mkdir(parents=True)
        for file in (user_home() / "models").glob("*.onnx"):
            (weights / file.name).symlink_to(file)
        _table(_commands(folder, options.deepface), options.rounds)


def _commands(folder: Path, deepface: str) -> dict[str, tuple[list[str], dict[str, str]]]:
    common = os.environ | {"DEEPFACE_HOME": str(folder / "deepface"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    common["FR_HOME"] = str(folder / "home")
    common.pop("DEEPFACE_BACKEND_ENGINE", None)  # what fr has set, loading the pipeline above
    common.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled once
    asked = [str(PROBE), str(folder / "gallery.npy")]
    represent = [deepface, "-c", REPRESENT, *asked]
    return {
        "floor": ([sys.executable, str(Path(__file__).with_name("floor.py")), *asked], common),
        "fr identify": ([FR, "identify", str(PROBE), "--case", "B", "--reason", "test"], common),
        "represent, default engine": (represent, common),
        "represent, onnx": (represent, common | {"DEEPFACE_BACKEND_ENGINE": "onnx"}),
    }


def _table(commands: dict[str, tuple[list[str], dict[str, str]]], rounds: int) -> None:
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, (command, environment) in commands.items():
            used = measured(command, environment)
            if turn:  # the first reads files from the disk
                runs[name].append(used)
    cpu = {name: statistics.median(one for one, _ in some) for name, some in runs.items()}
    print(f"{'':>26} {'CPU s':>7} {'fr / this':>10} {'peak MB':>8}")
    for name, some in runs.items():
        ratio = cpu["fr identify"] / cpu[name]
        print(f"{name:>26} {cpu[name]:>7.2f} {ratio:>10.2f} {max(p for _, p in some):>8.0f}")


def measured(
    command: list[str], environment: dict[str, str], fine: tuple[int, ...] = (0,)
) -> tuple[float, float]:
    """CPU seconds of a process with all its children, and the most MB that one of them held.

    Raises RuntimeError, with the end of what it said, for an exit code that is not fine.
    """
    code = (  # a small process in between: what this one holds would count as the command's
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(done.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    exit_code, cpu, peak = done.stdout.split()
    if int(exit_code) not in fine:
        raise RuntimeError(f"{command[:4]} ended with {exit_code}: {done.stderr[-1000:]}")
    return float(cpu), float(peak)


if __name__ == "__main__":
    main()
