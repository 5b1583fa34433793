"""A study of groups: rows, comparisons, and all that stands in the way of believing them."""

from __future__ import annotations

import numpy as np
import pytest

from fr_cli.evaluation.groups import GroupStudy, Photos, study
from fr_cli.evaluation.labels import grouping
from fr_cli.evaluation.rates import Probes
from fr_cli.evaluation.shifts import shift


def system(
    groups: dict[str, tuple[float, float]], people: int = 400, *, spoilt: int = 0
) -> GroupStudy:
    """Groups by name with their FPIR and FNIR, as many people mated as not."""
    labels, mated, nonmate, mate = [], [], [], []
    for name, (fpir, fnir) in groups.items():
        for is_mated in (True, False):
            labels += [name] * people
            mated += [is_mated] * people
            nonmate += [1.0 if i < fpir * people else 0.0 for i in range(people)]
            mate += [0.0 if i < fnir * people else 1.0 for i in range(people)]
    count = len(labels)
    acquired = np.arange(count) >= spoilt
    probes = Probes(
        np.array(mated), acquired, np.array(nonmate), np.array(mate), np.ones(count, np.int64)
    )
    rows = [{"sex": label} for label in labels]
    by_sex = grouping(("sex",), rows)
    photos = Photos(acquired, ~acquired, probes.subjects)
    enrolled = np.array(mated)
    references = Photos(np.ones(enrolled.sum(), bool), np.zeros(enrolled.sum(), bool),
                        probes.subjects[enrolled])  # fmt: skip
    of_references = grouping(("sex",), [r for r, m in zip(rows, mated, strict=True) if m])
    return study(probes, photos, by_sex, references, of_references, 0.5)


def test_an_unequal_system_cannot_be_missed() -> None:
    found = system({"f": (0.05, 0.1), "m": (0.01, 0.1)})
    fpir = found.comparison("fpir")
    assert fpir.judgement.verdict == "differs"
    assert fpir.max_min.value == pytest.approx(5.0)
    assert found.comparison("fnir").judgement.verdict == "no_larger_difference_missed"
    first, second = found.rows
    assert (first.group, first.people) == (("f",), 800)
    assert (first.fpir.cases, first.fpir.of) == (20, 400)
    assert first.tpir.value == pytest.approx(0.9)
    assert first.tpir.low < 0.9 < first.tpir.high
    assert second.fta.cases == 0
    assert found.problems == ()
    assert found.fdr == pytest.approx(0.98)
    assert found.garbe == pytest.approx(0.5 * 2 / 3)


def test_failures_count_by_group() -> None:
    found = system({"f": (0.05, 0.1), "m": (0.05, 0.1)}, spoilt=12)
    first, second = found.rows
    assert (first.fta.cases, first.fta.of, second.fta.cases) == (12, 800, 0)
    assert (first.refused.cases, first.refused.of) == (12, 1200)
    assert found.comparison("fta").judgement.verdict == "differs"
    assert first.fte.cases == 0


def test_three_people_are_no_group() -> None:
    found = system({"f": (0.05, 0.1), "m": (0.05, 0.1)}, people=3)
    assert found.comparison("fpir").judgement.verdict == "too_little_data"
    assert any("f (3)" in problem for problem in found.problems)
    assert found.comparison("fpir").gini is None


def test_one_group_and_two_spellings_are_problems() -> None:
    assert "one group only" in system({"f": (0.05, 0.1)}).problems[0]
    spelt = system({"Female": (0.05, 0.1), "female ": (0.05, 0.1)})
    assert "spellings" in spelt.problems[0]


def test_a_shift_is_of_people_not_photos() -> None:
    scores = np.array([0.3, 0.5, 0.4, 0.2, 0.1, 0.3])
    people = np.array([1, 1, 2, 3, 4, 4])
    found = shift(scores, people, people <= 2)
    assert found is not None
    assert found.value == pytest.approx(0.2)
    assert (found.people, found.others) == (2, 2)
    assert found.low == pytest.approx(found.value)  # no spread within either side
    assert shift(scores, people, people == 1) is None
    rng = np.random.default_rng(6)
    held = 0
    for _ in range(300):
        values = np.concatenate([rng.normal(0.1, 1, 40), rng.normal(0, 2, 25)])
        one = shift(values, np.arange(65), np.arange(65) < 40)
        assert one is not None
        held += one.low <= 0.1 <= one.high
    assert held >= 0.91 * 300
