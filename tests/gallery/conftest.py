"""A gallery of random unit vectors: no photo and no model is needed here."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fr_cli.gallery import purging
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.generation import Packed
from fr_cli.gallery.purging import Purged
from fr_cli.gallery.selection import Selection, select
from fr_cli.keys import SigningKey, SiteKey
from fr_cli.records import Enrolment, Template
from fr_cli.site import Site

FINGERPRINT = "ab" * 32
Vector = NDArray[np.float32]


def unit(vector: NDArray[np.floating]) -> Vector:
    return np.asarray(vector / np.linalg.norm(vector, axis=-1, keepdims=True), np.float32)


def vectors(count: int, seed: int = 0, dimension: int = 32) -> Vector:
    """Random directions, shape (count, dimension)."""
    return unit(np.random.default_rng(seed).standard_normal((count, dimension)))


def near(vector: Vector, seed: int = 0, cosine: float = 0.9) -> Vector:
    """A direction of about this cosine to another."""
    noise = np.random.default_rng(seed).standard_normal(vector.shape)
    noise -= (noise @ vector) * vector
    noise /= np.linalg.norm(noise)
    return unit(cosine * vector + (1 - cosine**2) ** 0.5 * noise)


def clustered(people: int = 400, each: int = 3, dimension: int = 64) -> Packed:
    """People with a few photos each, as faces are."""
    centres = vectors(people, 1, dimension)
    random = np.random.default_rng(2)
    noise = random.standard_normal((people * each, dimension)) / dimension**0.5
    rows = unit(np.repeat(centres, each, axis=0) + 0.6 * noise)
    pks = np.arange(1, len(rows) + 1, dtype=np.int64)
    return Packed(pks, np.repeat(np.arange(people), each), rows)


class House:
    """A home's folders and keys, and galleries opened on them."""

    def __init__(self, home: Path, *, new: bool = True) -> None:
        self.site = Site(home, "fr.local/test", "SFace")
        if new:
            for name in ("keys", "gallery"):
                (home / name).mkdir(parents=True)
            SiteKey.create(self.site.keys)
            SigningKey.create(self.site.keys)

    def open(
        self, *, create: bool = False, fingerprint: str | None = FINGERPRINT, key: bytes = b""
    ) -> Gallery:
        site_key = SiteKey(key) if key else SiteKey.load(self.site.keys)
        return Gallery.open(self.site, site_key, fingerprint=fingerprint, create=create)

    def enrol(self, *people: tuple[str, str, Vector], watchlist: str = "") -> None:
        """Store (subject id, reference id, template) under the write lock."""
        with self.open(create=True) as gallery, gallery.writing():
            store(gallery, *people, watchlist=watchlist)

    def rebuild(self) -> None:
        with self.open() as gallery, gallery.writing():
            gallery.rebuild()

    def purge(self, subject: str) -> None:
        with self.open() as gallery, gallery.writing():
            assert purge(gallery, subject)

    def found(
        self, probe: Vector, count: int = 3, watchlist: str | None = None, engine: str = "auto"
    ) -> list[str]:
        with self.open() as gallery:
            hits, _ = gallery.search(
                probe,
                count=count,
                watchlists=() if watchlist is None else (watchlist,),
                engine=engine,
            )
        return [hit.subject_id for hit in hits]

    def files(self) -> dict[Path, bytes]:
        """Every file of the home."""
        return {path: path.read_bytes() for path in self.site.home.rglob("*") if path.is_file()}


def store(gallery: Gallery, *people: tuple[str, str, Vector], watchlist: str = "") -> None:
    gallery.enrol(
        [
            (
                Enrolment(subject, reference, "", watchlist=watchlist),
                gallery.image_key(vector.tobytes()),
                Template(vector, FINGERPRINT),
            )
            for subject, reference, vector in people
        ],
        "0" * 32,
    )


def purge(gallery: Gallery, *subjects: str) -> list[Purged]:
    """Delete subjects in one pass; who of them was there."""
    going = [
        going
        for subject in subjects
        for going in select(gallery.store, Selection("subject", subject), {}, date.today()).going
    ]
    purged = purging.planned(gallery, going)
    if going:
        purging.purge(gallery, going)
    return purged


def purge_selected(gallery: Gallery, selection: Selection) -> list[Purged]:
    """Delete what a selection takes."""
    going = select(gallery.store, selection, {}, date.today()).going
    purged = purging.planned(gallery, going)
    if going:
        purging.purge(gallery, going)
    return purged


def one_each(templates: Sequence[Vector] | Vector) -> list[tuple[str, str, Vector]]:
    """Subjects s0, s1 … with one reference each."""
    return [(f"s{index}", "r", vector) for index, vector in enumerate(templates)]


@contextlib.contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder, in memory where there is one: the tests of this room sync thousands of times."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def _damage_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers try again a moment after damage; a thousand flipped bytes would wait for minutes."""
    monkeypatch.setattr(time, "sleep", lambda _: None)


@pytest.fixture
def house() -> Iterator[House]:
    """A home without a gallery."""
    with quick_folder() as folder:
        yield House(folder / "home")


@pytest.fixture
def six(house: House) -> tuple[House, Vector]:
    """Six subjects: four in generation 1, two enrolled since."""
    templates = vectors(6)
    house.enrol(*one_each(templates)[:4])
    house.rebuild()
    house.enrol(*one_each(templates)[4:])
    return house, templates
