"""A gallery is taken to another model as a whole, at one moment, and loses nobody on the way."""

from __future__ import annotations

import pytest

from fr_cli.errors import GalleryDamaged, NotAllowed, OtherModel, UsageProblem
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.inspection import inspect
from fr_cli.gallery.migration import Migration, abandon
from fr_cli.gallery.selection import Selection
from fr_cli.records import Enrolment, Silence, Template

from .conftest import FINGERPRINT, House, Vector, purge, purge_selected, vectors
from .test_crash import every_step
from .test_photos import enrol, in_files, part, taken

OTHER = "cd" * 32
BAD = ("QualityTooLow", "The face is below the quality floor.")


def other(number: int, dimension: int = 24) -> Vector:
    """What the other model makes of photo `number`: of another dimension, too."""
    made: Vector = vectors(number + 1, seed=7, dimension=dimension)[number]
    return made


def number_of(photo: object) -> int:
    (found,) = (number for number in range(9) if photo == taken(number))
    return found


def draft(gallery: Gallery, *, bad: tuple[int, ...] = ()) -> None:
    """Draft everything that waits, from its photo."""
    migration = Migration(gallery, OTHER)
    for pk, photo in migration.photos(migration.waiting()):
        if photo is None:
            migration.draft([(pk, ("NoPhoto", "none"))])
        elif (number := number_of(photo)) in bad:
            migration.draft([(pk, BAD)])
        else:
            migration.draft([(pk, Template(other(number), OTHER))])


def migrate(gallery: Gallery, *, drop: bool = False) -> None:
    migration = Migration(gallery, OTHER)
    if gallery.fingerprint == OTHER:
        return
    migration.begin()
    draft(gallery)
    migration.publish(migration.unusable() if drop else [])


def finds(house: House, probe: Vector, fingerprint: str) -> tuple[str, str]:
    with house.open(fingerprint=fingerprint) as gallery:
        hit = gallery.search(probe, count=1)[0][0]
        assert hit.cosine > 0.999
        return hit.subject_id, hit.reference_id


@pytest.fixture
def three(house: House) -> tuple[House, Vector]:
    """s0, s1 with a photo each, s2 with two; s1 is enrolled since the generation was built."""
    templates = vectors(5, dimension=16)
    with house.open(create=True) as gallery, gallery.writing():
        enrol(gallery, ("s0", "r", templates[0], taken(0)))
        enrol(gallery, ("s2", "r", templates[2], taken(2)), source="custody")
        enrol(gallery, ("s2", "second", templates[3], taken(3)))
        gallery.rebuild()
        enrol(gallery, ("s1", "r", templates[1], taken(1)))
    return house, templates


#: Photo, subject, reference.
EVERYBODY = ((0, "s0", "r"), (1, "s1", "r"), (2, "s2", "r"), (3, "s2", "second"))


def test_everybody_is_found_by_the_other_model_and_the_photos_stay(
    three: tuple[House, Vector],
) -> None:
    house, _ = three
    with house.open() as gallery, gallery.writing():
        migrate(gallery)
        assert inspect(gallery, Silence()) == []
    for number, subject, reference in EVERYBODY:
        assert finds(house, other(number), OTHER) == (subject, reference)
    with house.open(fingerprint=OTHER) as gallery:
        assert inspect(gallery, Silence()) == []
        assert gallery.photo_at(1) == (taken(0),)
        assert gallery.store.setting("migrating") is None
    with pytest.raises(OtherModel):
        house.open()


def test_until_it_is_published_the_gallery_is_searched_and_enrolled_into_as_before(
    three: tuple[House, Vector],
) -> None:
    house, templates = three
    with house.open() as gallery, gallery.writing():
        migration = Migration(gallery, OTHER)
        migration.begin()
        draft(gallery)
        for number, subject, reference in EVERYBODY:
            assert finds(house, templates[number], FINGERPRINT) == (subject, reference)
        # One is enrolled, one purged, one in part, one replaced, while it is under way.
        enrol(gallery, ("s4", "r", templates[4], taken(4)))
        purge(gallery, "s0")
        purge_selected(gallery, Selection("source", "custody"))
        enrol(gallery, ("s1", "r", vectors(8, dimension=16)[7], taken(7)))
        assert len(migration.waiting()) == 2
        draft(gallery)
        migration.publish([])
        assert inspect(gallery, Silence()) == []
    assert finds(house, other(3), OTHER) == ("s2", "second")
    assert finds(house, other(4), OTHER) == ("s4", "r")
    assert finds(house, other(7), OTHER) == ("s1", "r")
    with house.open(fingerprint=OTHER) as gallery:
        assert gallery.search(other(0), count=9)[1].references == 3


def test_a_reader_and_a_writer_that_were_open_at_the_change_are_told_so(
    three: tuple[House, Vector],
) -> None:
    house, templates = three
    with house.open() as reader, house.open() as writer:
        with house.open() as gallery, gallery.writing():
            migrate(gallery)
        with pytest.raises(OtherModel, match="a moment ago"):
            reader.search(templates[0], count=1)
        with pytest.raises(OtherModel):
            reader.templates_of("s0")
        with pytest.raises(OtherModel), writer.writing():
            pass


def test_what_cannot_be_used_is_named_and_tried_again(three: tuple[House, Vector]) -> None:
    house, _ = three
    with house.open() as gallery, gallery.writing():
        gallery.enrol(
            [(Enrolment("s5", "bare", ""), "key", Template(vectors(1, 5, 16)[0], FINGERPRINT))],
            "0" * 32,
        )
        migration = Migration(gallery, OTHER)
        migration.begin()
        draft(gallery, bad=(0,))
        named = {(one.subject_id, one.reference_id): one.error for one in migration.unusable()}
        assert named == {("s0", "r"): "QualityTooLow", ("s5", "bare"): "NoPhoto"}
        assert migration.waiting() == []
        migration.begin()
        assert len(migration.waiting()) == 2
        draft(gallery)
        assert [one.subject_id for one in migration.unusable()] == ["s5"]


def test_what_is_dropped_is_gone_with_its_key_and_what_stays_of_the_subject_is_not(
    three: tuple[House, Vector],
) -> None:
    house, _ = three
    with house.open() as gallery, gallery.writing():
        slots = {
            name: found.slot for name in ("s0", "s2") if (found := gallery.store.subject(name))
        }
        migration = Migration(gallery, OTHER)
        migration.begin()
        draft(gallery, bad=(0, 2))
        migration.publish(migration.unusable())
        for slot in slots.values():
            with pytest.raises(GalleryDamaged):
                gallery.subject_keys.read(slot)
        assert gallery.store.subject("s0") is None
        assert inspect(gallery, Silence()) == []
        assert gallery.count("refs") == 2
    assert finds(house, other(3), OTHER) == ("s2", "second")


def test_what_is_on_hold_is_not_dropped(three: tuple[House, Vector]) -> None:
    house, templates = three
    with house.open() as gallery, gallery.writing():
        enrol(gallery, ("s6", "r", templates[4], taken(4)), hold="true")
        migration = Migration(gallery, OTHER)
        migration.begin()
        draft(gallery, bad=(4,))
        with pytest.raises(NotAllowed, match="on hold"):
            migration.publish(migration.unusable())
    assert finds(house, templates[4], FINGERPRINT) == ("s6", "r")


def test_one_migration_at_a_time_and_it_can_be_given_up(three: tuple[House, Vector]) -> None:
    house, templates = three
    with house.open() as gallery, gallery.writing():
        Migration(gallery, OTHER).begin()
        draft(gallery)
        with pytest.raises(UsageProblem, match="under way"):
            Migration(gallery, "ef" * 32).begin()
        assert abandon(gallery) == 4
        Migration(gallery, "ef" * 32).begin()
        abandon(gallery)
        assert inspect(gallery, Silence()) == []
    assert finds(house, templates[0], FINGERPRINT) == ("s0", "r")


def test_a_draft_cannot_be_put_at_another_reference(three: tuple[House, Vector]) -> None:
    house, _ = three
    with house.open() as gallery, gallery.writing():
        migration = Migration(gallery, OTHER)
        migration.begin()
        draft(gallery)
        gallery.store.db.execute(
            "UPDATE drafts SET sealed = (SELECT sealed FROM drafts WHERE ref = 2) WHERE ref = 1"
        )
        with pytest.raises(GalleryDamaged):
            migration.publish([])
        assert gallery.fingerprint == FINGERPRINT


@pytest.mark.parametrize("drop", [False, True], ids=["all", "dropping one"])
def test_a_migration_that_was_cut_short_is_of_one_model_and_ends_the_next_time(
    three: tuple[House, Vector], drop: bool
) -> None:
    house, templates = three
    if drop:
        bare = Template(vectors(1, 5, 16)[0], FINGERPRINT)
        with house.open() as gallery, gallery.writing():
            gallery.enrol([(Enrolment("s2", "bare", ""), "key", bare)], "0" * 32)
    switched = []

    def check(after: House) -> None:
        with after.open(fingerprint=None) as gallery:
            new = gallery.fingerprint == OTHER
        switched.append(new)
        for number, subject, reference in EVERYBODY:
            probe = other(number) if new else templates[number]
            found = finds(after, probe, OTHER if new else FINGERPRINT)
            assert found == (subject, reference)
        assert all(in_files(part(taken(n)), after.site.home) == [] for n in range(4))
        with after.open(fingerprint=None) as gallery, gallery.writing():
            assert inspect(gallery, Silence()) == []
            migrate(gallery, drop=drop)
            assert inspect(gallery, Silence()) == []
            assert gallery.generations.numbers() == [int(gallery.store.meta("generation"))]
        for number, subject, reference in EVERYBODY:
            assert finds(after, other(number), OTHER) == (subject, reference)
        assert in_files(other(0).tobytes()[16:40], after.site.home) == []

    assert every_step(house, lambda gallery: migrate(gallery, drop=drop), check) > 15
    assert switched == sorted(switched)
    assert set(switched) == {False, True}
