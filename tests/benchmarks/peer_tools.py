"""How `peers` calls fr and the others, each as its users do; every command is a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fr_cli.site import user_home
from tests.benchmarks.laid import FR

#: What somebody writes who makes several searches with the library (docs/how-to/library.md).
SEVERAL = """
import sys
from pathlib import Path
from fr_cli.operations.bench import Bench
from fr_cli.operations.identify import Question, identify
with Bench(Path(sys.argv[1])) as bench:
    for name in sys.argv[2:]:
        identify(Question(Path(name).read_bytes(), case="B", reason="test"), bench)
"""
Names = list[str]


@dataclass(frozen=True)
class Photos:
    """Copies of the manifest's photos in a folder, and whose they are."""

    folder: Path
    references: Names
    reference_subjects: Names
    probes: Names
    probe_subjects: Names
    excluded: frozenset[frozenset[str]]


@dataclass(frozen=True)
class Tool:
    """How a tool is called; each command is a process.

    `enroll` is None where nothing is kept and every search begins with it. `several` searches for
    any number of photos in one process; `answers` writes to a file what `peer_deepface` says.
    """

    name: str
    environment: dict[str, str]
    enroll: Names | None
    search: Callable[[str], Names]
    several: Callable[[Names], Names] | None = None
    answers: Callable[[Path], Names] | None = None


def ours(folder: Path) -> Tool:
    home = str(folder / "home")
    subprocess.run([FR, "--home", home, "init"], check=True, capture_output=True)
    return Tool(
        "fr",
        _environment(),
        [FR, "--home", home, "enroll", str(folder / "feed.csv"), "--largest"],
        lambda photo: [FR, "--home", home, "identify", photo, "--case", "B", "--reason", "test"],
        lambda some: [sys.executable, "-c", SEVERAL, home, *some],
    )


def deepface(photos: Photos, python: str, facenet: bool) -> Iterator[Tool]:
    weights = photos.folder / "deepface" / ".deepface" / "weights"
    weights.mkdir(parents=True)
    for file in (user_home() / "models").iterdir():
        (weights / file.name).symlink_to(file)
    default = _environment() | {"DEEPFACE_HOME": str(photos.folder / "deepface")}
    onnx = default | {"DEEPFACE_BACKEND_ENGINE": "onnx"}
    sface: dict[str, Any] = {"model_name": "SFace", "detector_backend": "yunet"}
    better = {"return_type": "dict", "silent": True}
    settings: list[tuple[str, dict[str, str], str, dict[str, Any]]] = [
        ("find, as it comes", default, "find", {"model_name": "SFace"}),
        ("find, YuNet, onnx", onnx, "find", sface | better),
        ("register + search", onnx, "search", sface | {"return_type": "dict"}),
    ]
    if facenet:
        options = sface | better | {"model_name": "Facenet"}
        settings.append(("find, YuNet, Facenet", default, "find", options))
    for name, environment, way, options in settings:
        if not _has(python, "from deepface import DeepFace", environment, f"DeepFace {name}"):
            continue
        module = [python, "-m", "tests.benchmarks.peer_deepface"]
        module.append(json.dumps({"way": way, "options": options}))
        yield _module(f"DeepFace {name}", environment, module, photos, answers=way == "find")


def dlib(photos: Photos, python: str) -> Iterator[Tool]:
    environment = _environment()
    if not _has(python, "import face_recognition", environment, "face_recognition"):
        return
    command = [python, "-m", "face_recognition.face_recognition_cli"]
    known = str(photos.folder / "reference")
    yield Tool("face_recognition CLI", environment, None, lambda photo: [*command, known, photo])
    module = [python, "-m", "tests.benchmarks.peer_dlib"]
    yield _module("face_recognition library", environment, module, photos, answers=True)


def _module(
    name: str, environment: dict[str, str], module: Names, photos: Photos, *, answers: bool
) -> Tool:
    """A tool that is called by a module of ours, as `peer_deepface` is."""
    known, out = str(photos.folder / "reference"), str(photos.folder / "out.npz")
    return Tool(
        name,
        environment,
        [*module, "enroll", known, out, photos.probes[0]],
        lambda photo: [*module, "search", known, out, photo],
        lambda some: [*module, "search", known, out, *some],
        (lambda file: [*module, "answers", known, str(file), *photos.probes]) if answers else None,
    )


def _environment() -> dict[str, str]:
    common = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(Path.cwd())}
    common.pop("DEEPFACE_BACKEND_ENGINE", None)  # what fr has set, loading its pipeline
    common.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled once
    return common


def _has(python: str, statement: str, environment: dict[str, str], name: str) -> bool:
    done = subprocess.run([python, "-c", statement], env=environment, capture_output=True)
    if done.returncode:
        print(f"{name}: not installed in {python}")
    return not done.returncode
