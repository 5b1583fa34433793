"""A home with a gallery of synthetic templates, laid through the gallery's own door."""

from __future__ import annotations

import csv
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
#: Cosines of strangers are nearly normal in the data that the shipped calibration was made of (mean
#: 0.086, deviation 0.088; 0.359 at an FMR of 1e-3, 0.414 at 1e-4, 0.509 at 1e-6), and so they are
#: here (0.362, 0.414, 0.493): a direction that all faces share, and 128 of unlike weight.
MEAN, DECAY = 0.086, 0.0115
#: Photos that the references are of, in turn, and the bytes of each: as many as there are people
#: would fill the disk, and cost the same hash.
PHOTOS, PHOTO_BYTES = 100, 150_000


def synthetic(count: int, dimension: int, seed: int = 1) -> Vector:
    """Unit vectors, shape (count, dimension), float32, as alike as templates of strangers are."""
    vectors = np.random.default_rng(seed).standard_normal((count, dimension), np.float32)
    vectors *= np.exp(-DECAY / 2 * np.arange(dimension, dtype=np.float32))
    vectors *= (1 - MEAN) ** 0.5 / np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors += (MEAN / dimension) ** 0.5
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
        keys = [gallery.image_key(_photo(number)) for number in range(PHOTOS)]
        for first in range(0, len(templates), BATCH):
            some = [
                (enrolment(n), keys[n % PHOTOS], Template(vector, bench.fingerprint))
                for n, vector in enumerate(templates[first : first + BATCH], start=first)
            ]
            with changing(gallery, act):
                gallery.enrol(some, act.id)
        with changing(gallery, act):
            gallery.rebuild()


def enrolment(number: int) -> Enrolment:
    """What the feed says of a subject."""
    return Enrolment(f"s{number}", "r", f"{number % PHOTOS}.jpg")


def feed(folder: Path, count: int) -> Path:
    """A manifest of the first so many subjects as they were laid, with the photos beside it."""
    folder.mkdir(exist_ok=True)
    for number in range(PHOTOS):
        (folder / f"{number}.jpg").write_bytes(_photo(number))
    path = folder / f"{count}.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("subject_id", "reference_id", "image"))
        for one in map(enrolment, range(count)):
            table.writerow((one.subject_id, one.reference_id, one.image))
    return path


def _photo(number: int) -> bytes:
    return np.random.default_rng(number).bytes(PHOTO_BYTES)
