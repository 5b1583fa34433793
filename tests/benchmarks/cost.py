"""What fr costs, as ratios to what it cannot do without, all in one run.

    python -m tests.benchmarks.cost [--photos FOLDER] [--count N] [--rounds N] [--only enroll]

CPU is user + system time of the process with its children, the least of several runs. The
photos are the made-up people of openpeople, varied, unless a folder of photos is given.

An enrolment and its floor take turns. The floor is a pool that has loaded the models already and
decodes in the worker itself; of fr everything counts, from the start of Python to the index.
"""

from __future__ import annotations

import argparse
import io
import itertools
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import openpeople
from PIL import Image

from fr_cli.face import weights
from fr_cli.face.alignment import align
from fr_cli.face.detection import Detector
from fr_cli.face.embedding import Embedder
from fr_cli.site import default_home, model_folders

PEOPLE = Path(openpeople.__file__).parent / "data" / "curated"
FR = str(Path(sys.executable).with_name("fr"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, help="a folder of photos, instead of openpeople")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["enroll"])
    options = parser.parse_args()
    photos = list(itertools.islice(made_up_photos(options.photos), options.count))
    with tempfile.TemporaryDirectory() as folder:
        if not options.only:
            _start_up()
            _identify(Path(folder))
        _enrolment(Path(folder), photos, options.rounds)


def _start_up() -> None:
    floor = _cpu([sys.executable, "-c", "import typer, rich"])
    ours = _cpu([FR, "--help"])
    print(f"fr --help: {ours:.3f} CPU s, {ours / floor:.2f} x importing typer and rich")


def _identify(folder: Path) -> None:
    home = folder / "home"
    subprocess.run([FR, "demo", "--keep", home], check=True, capture_output=True)
    selfie = PEOPLE / "P001" / "assets" / "amateur_selfie.jpg"
    small = folder / "selfie.jpg"
    with Image.open(selfie) as photo:
        photo.resize((1072, 1600)).save(small, quality=90)
    for name, probe in (("2,528 px", selfie), ("1,600 px", small)):
        ours = _cpu([FR, "--home", home, "identify", probe, "--case", "B", "--reason", "test"])
        print(f"fr identify, demo gallery, photo of {name}: {ours:.2f} CPU s, whole process")


def _enrolment(folder: Path, photos: list[bytes], rounds: int) -> None:
    feed = folder / "feed"
    for number, photo in enumerate(photos):
        path = feed / f"S{number:05d}" / "photo.jpg"
        path.parent.mkdir(parents=True)
        path.write_bytes(photo)
    cores = len(os.sched_getaffinity(0))
    context = multiprocessing.get_context("spawn")
    turns = []
    with context.Pool(cores, _load_bare) as pool:
        pool.map(_bare, photos[: 4 * cores])  # loading is not throughput
        for turn in range(rounds):
            began = time.perf_counter()
            cpu = sum(pool.map(_bare, photos, chunksize=8))
            bare = time.perf_counter() - began, cpu
            turns.append((bare, _enrolled(feed, folder / f"home-{turn}")))
    count = len(photos)
    print(
        f"fr enroll, whole command, {count} photos, {cores} cores, {rounds} turns with its floor:"
    )
    for at, what in enumerate(("clock", "CPU")):
        floor, ours = (
            statistics.median(side[at] for side in sides) for sides in zip(*turns, strict=True)
        )
        ratios = sorted(bare[at] / whole[at] for bare, whole in turns)
        print(
            f"  by the {what}: {statistics.median(ratios):.2f} x the floor ({ratios[0]:.2f} to "
            f"{ratios[-1]:.2f}); {1000 * ours / count:.1f} ms a photo, floor "
            f"{1000 * floor / count:.1f}"
        )


def _enrolled(feed: Path, home: Path) -> tuple[float, float]:
    """Seconds by the clock and of CPU of an enrolment into a new home."""
    subprocess.run([FR, "--home", home, "init"], check=True, capture_output=True)
    began = time.perf_counter()
    cpu = _once([FR, "--home", home, "enroll", feed])
    return time.perf_counter() - began, cpu


def made_up_photos(folder: Path | None) -> Iterator[bytes]:
    if folder is not None:
        for path in sorted(folder.rglob("*.jpg")):
            yield path.read_bytes()
        return
    portraits = [Image.open(p).convert("RGB") for p in sorted(PEOPLE.glob("*/assets/studio_por*"))]
    for number in itertools.count():
        portrait = portraits[number % len(portraits)]
        variation = number // len(portraits)
        margin, quality = 8 * (variation % 40), 60 + variation // 40
        out = io.BytesIO()
        shown = portrait.crop((margin, 0, portrait.width, portrait.height)).resize((600, 800))
        shown.save(out, "JPEG", quality=quality)
        yield out.getvalue()


_detector: Detector
_embedder: Embedder


def _load_bare() -> None:
    global _detector, _embedder
    folders = model_folders(default_home())
    models = weights.catalogue()
    _detector = Detector(weights.load(models["YuNet"], folders))
    _embedder = Embedder(models["SFace"], weights.load(models["SFace"], folders))


def _bare(photo: bytes) -> float:
    """Decode, detect, align, embed, and nothing else; the CPU seconds that took."""
    import cv2
    import numpy as np

    began = time.process_time()
    pixels = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    faces = _detector.detect(np.asarray(pixels, np.uint8))
    _embedder.embed(align(np.asarray(pixels, np.uint8), faces[0].landmarks))
    return time.process_time() - began


def _cpu(command: list[str | Path], runs: int = 5) -> float:
    return min(_once(command) for _ in range(runs))


def _once(command: list[str | Path]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
