"""Kept photos: sealed as the templates are, bound to their reference, and gone when these are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fr_cli.errors import GalleryDamaged
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.inspection import inspect, measure
from fr_cli.gallery.photos import has_photo
from fr_cli.gallery.selection import Selection
from fr_cli.records import Enrolment, Silence, Template

from .conftest import FINGERPRINT, House, Vector, purge, purge_selected, vectors
from .test_crash import every_step, is_whole


def taken(number: int) -> bytes:
    """A photo of 30,000 bytes, which fill several pages of the database."""
    return np.random.default_rng(number).bytes(30_000)


def part(photo: bytes) -> bytes:
    return photo[12_000:12_024]


def in_files(data: bytes, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and data in path.read_bytes()]


def enrol(
    gallery: Gallery,
    *people: tuple[str, str, Vector, bytes],
    source: str = "",
    hold: str = "",
) -> None:
    gallery.enrol(
        [
            (
                Enrolment(subject, reference, "", source=source, hold=hold),
                gallery.image_key(photo),
                Template(vector, FINGERPRINT),
            )
            for subject, reference, vector, photo in people
        ],
        "0" * 32,
        {gallery.image_key(photo): photo for *_, photo in people},
    )


def photos_of(house: House, subject: str) -> list[bytes | None]:
    with house.open() as gallery:
        found = gallery.store.subject(subject)
        if found is None:
            return []
        return [gallery.photo_of(one) for one in gallery.store.references_of(found.pk)]


@pytest.fixture
def four(house: House) -> tuple[House, Vector]:
    """s0 to s2 with one photo each, s3 with two from two sources; s2's is not kept."""
    templates = vectors(5)
    with house.open(create=True) as gallery, gallery.writing():
        for number in range(2):
            enrol(gallery, (f"s{number}", "r", templates[number], taken(number)))
        gallery.enrol(
            [(Enrolment("s2", "r", ""), "key", Template(templates[2], FINGERPRINT))], "0" * 32
        )
        enrol(gallery, ("s3", "r", templates[3], taken(3)), source="custody")
        enrol(gallery, ("s3", "second", templates[4], taken(4)), source="visa")
        gallery.rebuild()
    return house, templates


def test_a_photo_is_kept_as_it_came_and_one_that_is_not_kept_is_none(
    four: tuple[House, Vector],
) -> None:
    house, _ = four
    assert photos_of(house, "s0") == [taken(0)]
    assert photos_of(house, "s2") == [None]
    assert photos_of(house, "s3") == [taken(3), taken(4)]
    with house.open() as gallery:
        stats = measure(gallery)
        assert stats.photos == 4
        assert 120_000 < stats.photo_bytes < 121_000
        assert inspect(gallery, Silence()) == []


def test_no_photo_lies_in_any_file_in_clear(four: tuple[House, Vector]) -> None:
    house, templates = four
    with house.open() as gallery, gallery.writing():
        enrol(gallery, ("s9", "r", templates[0], taken(9)))
        # While the write-ahead log holds it.
        assert photos_of(house, "s9") == [taken(9)]
        assert all(in_files(part(taken(n)), house.site.home) == [] for n in (0, 1, 3, 4, 9))


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE photos SET sealed = (SELECT sealed FROM photos WHERE ref = 2) WHERE ref = 1",
        "UPDATE photos SET ref = 3 WHERE ref = 1",
        "UPDATE photos SET sealed = (SELECT sealed FROM refs WHERE pk = 1) WHERE ref = 1",
        "UPDATE photos SET sealed = x'00' WHERE ref = 1",
    ],
)
def test_a_photo_put_at_another_reference_is_damage_and_no_picture(
    four: tuple[House, Vector], forgery: str
) -> None:
    house, _ = four
    with house.open() as gallery:
        gallery.store.db.execute(forgery)
        assert inspect(gallery, Silence())
    with pytest.raises(GalleryDamaged):
        photos_of(house, "s0"), photos_of(house, "s2")


def test_a_purge_takes_the_photo_and_leaves_no_sealed_byte_of_it(
    four: tuple[House, Vector],
) -> None:
    house, _ = four
    with house.open() as gallery, gallery.writing():
        sealed = {
            ref: bytes(data)
            for ref, data in gallery.store.db.execute("SELECT ref, sealed FROM photos")
        }
        (purged,) = purge(gallery, "s0")
        assert purged.photos == 1
        # Page by page: SQLite cuts a photo into pages of 4 KiB.
        for place in range(0, len(sealed[1]) - 24, 1000):
            assert in_files(sealed[1][place : place + 24], house.site.home) == []
        assert in_files(sealed[2][9000:9024], house.site.home) != []
    assert photos_of(house, "s1") == [taken(1)]


def test_what_stays_of_a_subject_keeps_its_photo_under_a_fresh_key(
    four: tuple[House, Vector],
) -> None:
    house, templates = four
    with house.open() as gallery, gallery.writing():
        before = gallery.store.subject("s3")
        (purged,) = purge_selected(gallery, Selection("source", "custody"))
        after = gallery.store.subject("s3")
        assert (purged.photos, purged.whole) == (1, False)
        assert before is not None
        assert after is not None
        assert before.slot != after.slot
        with pytest.raises(GalleryDamaged):
            gallery.subject_keys.read(before.slot)
        assert inspect(gallery, Silence()) == []
    assert photos_of(house, "s3") == [taken(4)]
    assert house.found(templates[4], 1) == ["s3"]


def test_a_replaced_reference_dies_by_its_key_and_what_stays_is_sealed_anew(
    four: tuple[House, Vector],
) -> None:
    house, templates = four
    fresh = vectors(6)[5]
    with house.open() as gallery, gallery.writing():
        before = gallery.store.subject("s3")
        enrol(gallery, ("s3", "r", fresh, taken(5)))
        assert before is not None
        with pytest.raises(GalleryDamaged):
            gallery.subject_keys.read(before.slot)
        gallery.settle()
        assert inspect(gallery, Silence()) == []
    assert photos_of(house, "s3") == [taken(4), taken(5)]
    assert house.found(fresh, 1) == ["s3"]
    assert house.found(templates[4], 1) == ["s3"]


def test_a_photo_of_a_reference_that_is_enrolled_already_is_kept_late(
    four: tuple[House, Vector],
) -> None:
    house, _ = four
    with house.open() as gallery, gallery.writing():
        assert not has_photo(gallery.store, 3)
        assert gallery.keep_photos({3: taken(2), 99: taken(7)}) == 1
        assert inspect(gallery, Silence()) == []
    assert photos_of(house, "s2") == [taken(2)]


# -- cut short at every step -----------------------------------------------------------------


def test_an_enrolment_with_photos_that_was_cut_short_keeps_both_or_neither(
    four: tuple[House, Vector],
) -> None:
    house, templates = four
    new = vectors(8)

    def change(gallery: Gallery) -> None:
        enrol(gallery, ("s5", "r", new[5], taken(5)), ("s3", "r", new[6], taken(6)))

    def check(after: House) -> None:
        enrolled = photos_of(after, "s5")
        assert enrolled in ([], [taken(5)])
        left = [taken(4), taken(6)] if enrolled else [taken(3), taken(4)]
        assert photos_of(after, "s3") == left
        with after.open() as gallery, gallery.writing():
            assert inspect(gallery, Silence()) == []
            assert gallery.store.db.execute("SELECT * FROM dead_slots").fetchall() == []
        is_whole(after, templates, {0, 1, 2})
        assert all(in_files(part(taken(n)), after.site.home) == [] for n in (3, 5, 6))

    assert every_step(house, change, check) > 8


def test_a_purge_with_photos_that_was_cut_short_is_finished_and_leaves_none(
    four: tuple[House, Vector],
) -> None:
    house, templates = four

    def change(gallery: Gallery) -> None:
        purge(gallery, "s0")
        purge_selected(gallery, Selection("source", "custody"))

    def check(after: House) -> None:
        with after.open() as gallery, gallery.writing() as finished:
            assert all(one.photos == 1 for one in finished)
            assert inspect(gallery, Silence()) == []
            gone = gallery.store.subject("s0") is None
            kept = gallery.store.db.execute("SELECT count(*) FROM photos").fetchone()[0]
            assert kept == measure(gallery).photos
            assert kept in ((2, 3) if gone else (4,))
        assert photos_of(after, "s0") == ([] if gone else [taken(0)])
        assert photos_of(after, "s3")[-1] == taken(4)
        is_whole(after, templates, {1, 2})

    assert every_step(house, change, check) > 40
