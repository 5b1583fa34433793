"""A home with a gallery of synthetic templates, laid through the gallery's own door."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fr_cli.operations.bench import Bench
from fr_cli.operations.standing import changing
from fr_cli.records import Enrolment, Template

if TYPE_CHECKING:
    from fr_cli.records import Vector

FR = str(Path(sys.executable).with_name("fr"))
BATCH = 10_000


def synthetic(count: int, dimension: int, seed: int = 1) -> Vector:
    """Random unit vectors, shape (count, dimension), float32."""
    vectors = np.random.default_rng(seed).standard_normal((count, dimension), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def lay(home: Path, templates: Vector) -> None:
    """Make a home and enrol one subject a template; logged as an enrolment is."""
    subprocess.run([FR, "--home", home, "init"], check=True, capture_output=True)
    with (
        Bench(home) as bench,
        bench.act("enroll", "collection") as act,
        bench.gallery(act, create=True) as gallery,
    ):
        for first in range(0, len(templates), BATCH):
            some = [
                (Enrolment(f"s{n}", "r", ""), f"key {n}", Template(vector, bench.fingerprint))
                for n, vector in enumerate(templates[first : first + BATCH], start=first)
            ]
            with changing(gallery, act):
                gallery.enrol(some, act.id)
        with changing(gallery, act):
            gallery.rebuild()
