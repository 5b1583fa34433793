"""Killed at any step of a change, the gallery is whole for readers and after the next write.

A child process does the change and kills itself before its n-th write to a file or to the
database, for every n; so nothing is tidied up, as after a power cut that loses no sector.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fr_cli.errors import GalleryDamaged
from fr_cli.gallery import gallery as gallery_module
from fr_cli.gallery import purging
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.inspection import inspect
from fr_cli.gallery.selection import Selection, select
from fr_cli.gallery.suppression import suppressed
from fr_cli.records import Enrolment, Silence, Template

from .conftest import FINGERPRINT, House, Vector, one_each, purge, store, vectors
from .test_purge import in_clear

KILLED = 9
WRITES = ("BEGIN", "COMMIT", "INSERT", "UPDATE", "DELETE", "PRAGMA wal_checkpoint")


class Countdown:
    """Ends the process before the n-th write."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self) -> None:
        if self.left == 0:
            os._exit(KILLED)
        self.left -= 1

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*values: Any, **named: Any) -> Any:
            self()
            return call(*values, **named)

        return stepped


class Watched:
    """A connection whose writes are steps."""

    def __init__(self, db: Any, step: Countdown) -> None:
        self._db, self._step = db, step

    def execute(self, statement: str, *values: Any) -> Any:
        run = self._db.execute
        if statement.startswith(WRITES):
            run = self._step.around(run)
        return run(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


def killed_at(house: House, steps: int, change: Callable[[Gallery], object]) -> bool:
    """Do a change in a child that dies at that step; False if it ended before."""
    child = os.fork()
    if not child:
        code = 1
        try:
            step = Countdown(steps)
            for name in ("fsync", "pwrite", "replace", "unlink"):
                setattr(os, name, step.around(getattr(os, name)))
            with house.open() as gallery:
                gallery.store.db = Watched(gallery.store.db, step)  # type: ignore[assignment]
                with gallery.writing():
                    change(gallery)
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, KILLED)
    return code == KILLED


@pytest.fixture
def house_of_six(house: House, monkeypatch: pytest.MonkeyPatch) -> tuple[House, Vector]:
    """Six people: four in a generation with an index, two beside it."""
    monkeypatch.setattr(gallery_module, "EXACT_UP_TO", 2)
    templates = vectors(8, dimension=16)
    house.enrol(*one_each(templates)[:4])
    house.rebuild()
    house.enrol(*one_each(templates)[4:6])
    return house, templates


def every_step(
    house: House, change: Callable[[Gallery], object], check: Callable[[House], None]
) -> int:
    """Check a fresh copy of the home after a death at each step; how many there are."""
    home = house.site.home
    for steps in range(500):
        copy = home.with_name("copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(home, copy)
        again = House(copy, new=False)
        killed = killed_at(again, steps, change)
        check(again)
        if not killed:
            return steps
    raise AssertionError("the change does not end")


def is_whole(house: House, templates: Vector, people: set[int]) -> None:
    with house.open() as gallery:
        assert inspect(gallery, Silence()) == []
    for number in people:
        assert house.found(templates[number], 1) == [f"s{number}"]


def readable_rows(house: House) -> list[bytes]:
    """Every template that the keys of this home still open, in any generation."""
    rows = []
    with house.open() as gallery:
        for number in gallery.generations.numbers():
            try:
                packed = gallery.generations.read(number, FINGERPRINT)
            except GalleryDamaged:
                continue
            rows += [row.tobytes() for row in np.asarray(packed.vectors)]
    return rows


@pytest.mark.parametrize("gone", [0, 5], ids=["in the generation", "beside it"])
def test_a_purge_that_was_cut_short_is_finished_by_the_next_write(
    house_of_six: tuple[House, Vector], gone: int
) -> None:
    house, templates = house_of_six
    others = set(range(6)) - {gone}
    begun = []

    def check(after: House) -> None:
        there = house_finds(after, templates, gone)
        begun.append(not there)
        for number in others:
            assert after.found(templates[number], 1) == [f"s{number}"]
        after.enrol(("s6", "r", templates[6]))
        # Once nobody finds the subject, nobody ever does; and before that, everybody does.
        assert house_finds(after, templates, gone) == there
        is_whole(after, templates, others | {6} | ({gone} if there else set()))
        if not there:
            assert templates[gone].tobytes() not in readable_rows(after)
            with after.open() as gallery:
                assert gallery.store.db.execute(
                    "SELECT 1 FROM subjects WHERE subject_id = ?", (f"s{gone}",)
                ).fetchall() == []  # fmt: skip
        assert in_clear(templates[gone], after.site.home) == []

    steps = every_step(house, lambda gallery: purge(gallery, f"s{gone}"), check)
    assert steps > 20
    assert begun == sorted(begun)  # found up to the mark, and not from there on
    assert set(begun) == {False, True}


def test_a_purge_of_several_that_was_cut_short_takes_all_of_them_or_none(
    house_of_six: tuple[House, Vector],
) -> None:
    """s0 and s5 go as a whole; of s1 the second photo goes and the first stays."""
    house, templates = house_of_six
    with house.open() as gallery, gallery.writing():
        enrolment = Enrolment("s1", "second", "", source="custody")
        image = gallery.image_key(templates[7].tobytes())
        gallery.enrol([(enrolment, image, Template(templates[7], FINGERPRINT))], "0" * 32)
    gone, begun = [0, 5, 7], []

    def change(gallery: Gallery) -> None:
        plans = [
            select(gallery.store, selection, {}, date.today()).going
            for selection in (
                Selection("subject", "s0"), Selection("subject", "s5"),
                Selection("source", "custody"),
            )
        ]  # fmt: skip
        purging.purge(gallery, [one for plan in plans for one in plan])

    def finds(after: House) -> list[bool]:
        with after.open() as gallery:
            names = [
                [(hit.subject_id, hit.reference_id) for hit in gallery.search(probe, count=1)[0]]
                for probe in templates[gone]
            ]
        return [
            found == [wanted]
            for found, wanted in zip(
                names, [("s0", "r"), ("s5", "r"), ("s1", "second")], strict=True
            )
        ]

    def check(after: House) -> None:
        there = finds(after)
        assert len(set(there)) == 1  # all, or nobody
        with after.open() as gallery:
            marks = [suppressed(gallery.store, gallery.alias(f"s{n}"), "") for n in (0, 5)]
            photo = gallery.image_key(templates[7].tobytes())
            marks.append(suppressed(gallery.store, gallery.alias("s1"), photo))
        # Not found, and not to be brought back, from the same moment on.
        assert marks == ([None] * 3 if there[0] else ["person", "person", "photo"])
        begun.append(not there[0])
        after.enrol(("s6", "r", templates[6]))
        assert finds(after) == there
        is_whole(after, templates, {1, 2, 3, 4, 6})
        if not there[0]:
            left = readable_rows(after)
            assert all(templates[number].tobytes() not in left for number in gone)
            with after.open() as gallery:
                assert [name for name, _, _ in gallery.templates_of("s1")] == ["r"]
        assert all(in_clear(templates[number], after.site.home) == [] for number in gone)

    assert every_step(house, change, check) > 25
    assert begun == sorted(begun)
    assert set(begun) == {False, True}


def house_finds(house: House, templates: Vector, number: int) -> bool:
    found = house.found(templates[number], 99)
    assert found[0] == f"s{number}" or f"s{number}" not in found
    return found[0] == f"s{number}"


def test_a_rebuild_that_was_cut_short_hides_nobody(house_of_six: tuple[House, Vector]) -> None:
    house, templates = house_of_six
    everybody = set(range(6))

    def check(after: House) -> None:
        for number in everybody:
            assert after.found(templates[number], 1) == [f"s{number}"]
        after.rebuild()
        is_whole(after, templates, everybody)
        assert len(readable_rows(after)) == 6

    assert every_step(house, Gallery.rebuild, check) > 10


def test_an_enrolment_that_was_cut_short_is_there_as_a_whole_or_not_at_all(
    house_of_six: tuple[House, Vector], tmp_path: Path
) -> None:
    house, templates = house_of_six
    acknowledged = tmp_path / "acknowledged"

    def change(gallery: Gallery) -> None:
        acknowledged.unlink(missing_ok=True)
        store(gallery, ("s6", "r", templates[6]), ("s1", "second", templates[7]))
        acknowledged.touch()
        gallery.rebuild()

    def check(after: House) -> None:
        first = after.found(templates[6], 1) == ["s6"]
        with after.open() as gallery:
            second = gallery.search(templates[7], count=1)[0][0].reference_id == "second"
        assert first == second
        assert first or not acknowledged.exists()
        for number in range(6):
            assert after.found(templates[number], 1) == [f"s{number}"]
        after.enrol(("s6", "r", templates[6]), ("s1", "second", templates[7]))
        is_whole(after, templates, set(range(7)))

    assert every_step(house, change, check) > 15


def test_a_gallery_whose_making_was_cut_short_is_made_anew(house: House) -> None:
    template = vectors(1)[0]
    for steps in range(100):
        again = House(house.site.home.with_name(f"home {steps}"))
        child = os.fork()
        if not child:
            step = Countdown(steps)
            for name in ("fsync", "pwrite", "replace", "unlink", "mkdir"):
                setattr(os, name, step.around(getattr(os, name)))
            try:
                again.open(create=True)
            finally:
                os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        again.enrol(("s0", "r", template))
        is_whole(again, template[None], {0})
        if not code:
            assert steps > 3
            return
    raise AssertionError("the making does not end")
