"""Several subjects in one pass, and subjects of whom only a part goes."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fr_cli.errors import GalleryDamaged
from fr_cli.gallery import purging
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.inspection import inspect
from fr_cli.gallery.selection import NOT_SELECTED, Plan, Selection, select
from fr_cli.gallery.suppression import lift, suppressed
from fr_cli.records import Enrolment, Silence, Template

from .conftest import FINGERPRINT, House, Vector, one_each, purge, vectors
from .test_purge import in_clear

TODAY = date(2026, 6, 1)


def enrol(gallery: Gallery, vector: Vector, subject: str, reference: str, **said: Any) -> None:
    enrolment = Enrolment(subject, reference, "i.jpg", **said)
    image = gallery.image_key(vector.tobytes())
    gallery.enrol([(enrolment, image, Template(vector, FINGERPRINT))], "0" * 32)


@pytest.fixture
def mixed(house: House) -> Vector:
    """a: wanted (custody) and missing (NSPIS); b: wanted; c: missing, on hold; d: no list."""
    templates = vectors(5)
    rows = [
        ("a", "1", {"watchlist": "wanted", "source": "custody"}),
        ("a", "2", {"watchlist": "missing", "source": "NSPIS"}),
        ("b", "1", {"watchlist": "wanted", "source": "custody"}),
        ("c", "1", {"watchlist": "missing", "source": "NSPIS", "hold": "1"}),
        ("d", "1", {"source": "custody", "retention": "custody", "captured_at": "2020-01-01"}),
    ]
    with house.open(create=True) as gallery, gallery.writing():
        for vector, (subject, reference, said) in zip(templates, rows, strict=True):
            enrol(gallery, vector, subject, reference, **said)
        gallery.rebuild()
    return templates


def plan_of(house: House, kind: str, value: str = "", **options: bool) -> Plan:
    with house.open() as gallery:
        selection = Selection(kind, value, **options)  # type: ignore[arg-type]
        return select(gallery.store, selection, {"custody": 90}, TODAY, listing=True)


def going(plan: Plan) -> dict[str, tuple[str, bool]]:
    return {
        one.subject.subject_id: ("".join(r.reference_id for r in one.references), one.whole)
        for one in plan.going
    }


def test_each_selector_takes_what_it_names_and_counts_what_keeps_the_rest(
    house: House, mixed: Vector
) -> None:
    plan = plan_of(house, "watchlist", "wanted")
    assert going(plan) == {"a": ("1", False), "b": ("1", True)}
    assert (plan.rules, plan.kept) == ({"watchlist wanted": 2}, {NOT_SELECTED: 3})
    assert going(plan_of(house, "source", "custody")) == {
        "a": ("1", False), "b": ("1", True), "d": ("1", True),
    }  # fmt: skip
    assert going(plan_of(house, "subject", "a")) == {"a": ("12", True)}
    everybody = plan_of(house, "all")
    assert going(everybody) == {"a": ("12", True), "b": ("1", True), "d": ("1", True)}
    assert everybody.kept == {"hold": 1}
    assert [(one.subject_id, one.rule) for one in everybody.staying] == [("c", "hold")]
    assert going(plan_of(house, "watchlist", "missing")) == {"a": ("2", False)}
    assert going(plan_of(house, "subject", "c")) == {}
    assert going(plan_of(house, "subject", "c", include_held=True)) == {"c": ("1", True)}
    expired = plan_of(house, "expired")
    assert going(expired) == {"d": ("1", True)}
    assert expired.rules == {"group custody: older than 90 days": 1}
    assert expired.doubts == {"group default is not in the policy": 3}
    for kind in ("subject", "watchlist", "source"):
        assert going(plan_of(house, kind, "nobody")) == {}


def delete(house: House, plan: Plan) -> int:
    with house.open() as gallery, gallery.writing():
        return purging.purge(gallery, plan.going)


def test_a_subject_with_references_elsewhere_loses_only_those_that_were_named(
    house: House, mixed: Vector
) -> None:
    with house.open() as gallery:
        before = gallery.store.subject("a")
    assert delete(house, plan_of(house, "watchlist", "wanted")) == 2
    assert house.found(mixed[1], 1) == ["a"]
    with house.open() as gallery:
        ((reference, _, _),) = gallery.templates_of("a")
        assert reference == "2"
        assert gallery.search(mixed[0], count=9)[1].references == 3
        assert inspect(gallery, Silence()) == []
        after = gallery.store.subject("a")
        assert gallery.store.subject("b") is None
        with pytest.raises(GalleryDamaged):
            gallery.subject_keys.read(before.slot)  # type: ignore[union-attr]
    assert before is not None
    assert after is not None
    assert before.uid == after.uid  # the log's entries of what stays still lead to them
    assert all(in_clear(vector, house.site.home) == [] for vector in mixed)


def test_a_backup_does_not_open_what_a_subject_lost_with_the_keys_after_it(
    house: House, mixed: Vector, tmp_path: Path
) -> None:
    shutil.copytree(house.site.gallery, tmp_path / "backup")
    delete(house, plan_of(house, "watchlist", "wanted"))
    shutil.rmtree(house.site.gallery)
    shutil.copytree(tmp_path / "backup", house.site.gallery)
    with house.open() as gallery:
        for subject in ("a", "b"):
            with pytest.raises(GalleryDamaged):
                gallery.templates_of(subject)
        assert gallery.templates_of("d")


def test_a_reader_that_had_the_gallery_open_finds_what_stays_and_not_what_went(
    house: House, mixed: Vector
) -> None:
    with house.open() as reader:
        assert reader.search(mixed[0], count=1)[0][0].reference_id == "1"
        delete(house, plan_of(house, "watchlist", "wanted"))
        hits, _ = reader.search(mixed[0], count=9)
        assert sorted((one.subject_id, one.reference_id) for one in hits) == [
            ("a", "2"), ("c", "1"), ("d", "1"),
        ]  # fmt: skip


def test_what_stays_and_cannot_be_opened_stops_the_purge_before_anything_is_changed(
    house: House, mixed: Vector
) -> None:
    with house.open() as gallery, gallery.store.transaction():
        gallery.store.db.execute("UPDATE refs SET sealed = x'00' WHERE pk = 2")
    with house.open() as gallery, gallery.writing(), pytest.raises(GalleryDamaged):
        purging.purge(gallery, plan_of(house, "watchlist", "wanted").going)
    assert house.found(mixed[2], 1) == ["b"]
    with house.open() as gallery:
        assert suppressed(gallery.store, gallery.alias("b"), "") is None


def test_a_hundred_subjects_cost_one_generation(house: House) -> None:
    templates = vectors(110)
    house.enrol(*one_each(templates))
    house.rebuild()
    with house.open() as gallery, gallery.writing():
        purge(gallery, *(f"s{n}" for n in range(100)))
        assert gallery.store.meta("generation") == "2"
    assert sorted(house.found(templates[0], 99)) == sorted(f"s{n}" for n in range(100, 110))


# -- suppression -----------------------------------------------------------------------------


def test_the_person_and_their_photos_are_suppressed_until_that_is_lifted(
    house: House, mixed: Vector
) -> None:
    delete(house, plan_of(house, "watchlist", "wanted"))
    with house.open() as gallery, gallery.writing():
        store, alias = gallery.store, gallery.alias
        photos = [gallery.image_key(vector.tobytes()) for vector in mixed]
        assert suppressed(store, alias("b"), "another photo") == "person"
        assert suppressed(store, alias("x"), photos[2]) == "person"
        # Of a, only one photo went.
        assert suppressed(store, alias("a"), photos[0]) == "photo"
        assert suppressed(store, alias("a"), photos[1]) is None
        assert suppressed(store, alias("d"), photos[4]) is None
        assert lift(store, alias("d")) == 0
        assert lift(store, alias("b")) == 2
        assert suppressed(store, alias("b"), photos[2]) is None
        assert suppressed(store, alias("a"), photos[0]) == "photo"


def test_a_photo_of_two_purged_people_is_refused_until_both_are_lifted(house: House) -> None:
    template = vectors(1)[0]
    house.enrol(("a", "r", template), ("b", "r", template))
    with house.open() as gallery, gallery.writing():
        purge(gallery, "a", "b")
        photo = gallery.image_key(template.tobytes())
        for name, left in (("a", "person"), ("b", None)):
            lift(gallery.store, gallery.alias(name))
            assert suppressed(gallery.store, gallery.alias("x"), photo) == left


def test_the_list_names_nobody(house: House, mixed: Vector) -> None:
    delete(house, plan_of(house, "all", include_held=True))
    with house.open() as gallery:
        rows = gallery.store.db.execute("SELECT mark, subject FROM suppressed").fetchall()
    assert len(rows) == 4 + 5
    assert all(len(text.removeprefix("purged:")) == 64 for row in rows for text in row)
