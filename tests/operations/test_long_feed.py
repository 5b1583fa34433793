"""A feed of any length: memory does not grow with it, and what piles up is done in between."""

from __future__ import annotations

import csv
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fr_cli.operations import enroll as enroll_module
from fr_cli.operations import rejects as rejects_module
from fr_cli.operations.bench import Bench
from fr_cli.operations.enroll import Enrolled, Source, enroll
from fr_cli.operations.manifest import Row
from fr_cli.operations.standing import changing
from fr_cli.records import Enrolment, Silence, Template
from tests.conftest import Fr

PEOPLE = 4000
NOWHERE = Path("nowhere")


class Photos:
    """A feed of the first so many people; where it says `missing`, no photo is there."""

    total = None

    def __init__(self, count: int, *, source: str = "", missing: bool = False) -> None:
        self._count, self._source, self._missing = count, source, missing

    def rows(self) -> Iterator[Row]:
        for n in range(self._count):
            said = Enrolment(f"s{n}", "r", f"{n}.jpg", source=self._source)
            yield Row(n + 1, NOWHERE, said)

    def photo(self, row: Row) -> bytes:
        if self._missing:
            raise FileNotFoundError(2, "there is none")
        return b"photo " + row.enrolment.subject_id.encode()


@pytest.fixture
def many(fresh: Fr) -> Fr:
    """A home with many people, whose templates are all the same."""
    vector = np.full(128, 128**-0.5, np.float32)
    with (
        Bench(fresh.home) as bench,
        bench.act("enroll", "collection") as act,
        bench.gallery(act, create=True) as gallery,
        changing(gallery, act),
    ):
        template = Template(vector, bench.fingerprint)
        feed = Photos(PEOPLE)
        rows = ((row.enrolment, gallery.image_key(feed.photo(row))) for row in feed.rows())
        gallery.enrol([(said, key, template) for said, key in rows], act.id)
    return fresh


def run(fr: Fr, feed: Photos, rejects: Path | None = None) -> tuple[Enrolled, int]:
    """What an enrolment did, and the most memory (bytes) of Python that it held."""
    with Bench(fr.home) as bench:
        tracemalloc.start()
        try:
            return enroll(Source(feed, rejects), bench, Silence()), tracemalloc.get_traced_memory()[
                1
            ]
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("what", ["unchanged", "changed", "refused"])
def test_ten_times_the_lines_take_no_more_memory(
    many: Fr, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enroll_module, "CHANGES", 100)
    monkeypatch.setattr(rejects_module, "LISTED", 100)
    run(many, Photos(1))  # what is imported once

    def feed(count: int) -> Photos:
        source = f"lot of {count}" if what == "changed" else ""
        return Photos(count, source=source, missing=what == "refused")

    found, short = run(many, feed(PEOPLE // 10))
    counts = [found.unchanged, found.updated, found.rejected]
    assert counts == [PEOPLE // 10 * (what == one) for one in ("unchanged", "changed", "refused")]
    found, long = run(many, feed(PEOPLE))
    lines = found.unchanged + found.updated + found.rejected + found.rejected_before
    assert lines == PEOPLE
    assert long < short + 100_000  # what each line left behind would be a hundred bytes at least


def test_changes_are_made_in_between_and_each_lot_has_its_entry(
    many: Fr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enroll_module, "CHANGES", 30)
    found, _ = run(many, Photos(100, source="other"))
    assert (found.updated, found.unchanged) == (100, 0)
    updated = [entry["updated"] for entry in many.log() if "updated" in entry]
    assert updated == [30, 30, 30, 10]
    assert run(many, Photos(100, source="other"))[0].unchanged == 100
    many.whole()


def test_of_many_refusals_the_first_are_told_and_the_file_has_all(
    many: Fr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejects_module, "LISTED", 3)
    found, _ = run(many, Photos(10, missing=True), tmp_path / "rejects.csv")
    assert (found.rejected, found.exit_code) == (10, 100)
    assert [one.line for one in found.rejects] == [1, 2, 3]
    with (tmp_path / "rejects.csv").open(newline="") as file:
        assert [int(row["line"]) for row in csv.DictReader(file)] == [*range(1, 11)]
    again, _ = run(many, Photos(10, missing=True))
    assert (again.rejected, again.rejected_before, again.exit_code) == (0, 10, 0)


def test_lines_that_come_again_much_later_are_counted_as_such(many: Fr) -> None:
    class Twice(Photos):
        def rows(self) -> Iterator[Row]:
            for row in super().rows():
                yield row
            for row in super().rows():
                # The same photo under another reference id.
                said = Enrolment(row.enrolment.subject_id, "other", "", source="new")
                yield Row(row.line + 10_000, row.path, said)

    found, _ = run(many, Twice(50))
    assert (found.unchanged, found.updated) == (100, 0)
