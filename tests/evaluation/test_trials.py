"""Counts by group, and how much several photographs of one person are worth."""

from __future__ import annotations

import numpy as np
import pytest

from fr_cli.evaluation.intervals import clopper_pearson
from fr_cli.evaluation.trials import Trials, design_effect, tally


def test_one_photo_a_person_is_clopper_pearson() -> None:
    trials = Trials(
        np.array([True, False, False, True]), np.arange(4), np.array([0, 0, 1, 1]), ("a", "b", "c")
    )
    first, second, empty = tally(trials)
    assert (first.rate.cases, first.rate.of, first.people, first.effect) == (1, 2, 2, 1.0)
    assert (first.rate.low, first.rate.high) == pytest.approx(clopper_pearson(1, 2))
    assert second.rate.value == 0.5
    assert (empty.rate.value, empty.people) == (None, 0)


def test_photos_that_are_all_alike_count_once() -> None:
    people = np.repeat(np.arange(50), 4)
    trials = Trials(people < 5, people, np.zeros(200, np.int64), ("a",))
    (row,) = tally(trials)
    assert row.effect == pytest.approx(4.0, abs=0.1)
    assert row.people == 50
    assert (row.rate.low, row.rate.high) == pytest.approx(clopper_pearson(5, 50), abs=0.01)


def test_without_a_case_photos_of_a_person_are_taken_to_be_alike() -> None:
    assert design_effect(np.zeros(50, np.int64), np.full(50, 4)) == 4.0
    assert design_effect(np.zeros(3, np.int64), np.array([1, 1, 4])) == 3.0
    assert design_effect(np.zeros(0, np.int64), np.zeros(0, np.int64)) == 1.0


def test_the_interval_holds_where_photos_of_a_person_are_alike() -> None:
    rng = np.random.default_rng(3)
    true, missed, naive = 0.06, 0, 0
    for _ in range(400):
        of = rng.integers(1, 6, 300)
        cases = rng.binomial(of, rng.beta(0.3, 4.7, 300))  # mean 0.06, much between people
        people = np.repeat(np.arange(300), of)
        first = np.arange(people.size) - np.repeat(np.cumsum(of) - of, of)
        case = first < cases[people]
        (row,) = tally(Trials(case, people, np.zeros(people.size, np.int64), ("a",)))
        missed += not row.rate.low <= true <= row.rate.high
        low, high = clopper_pearson(int(cases.sum()), int(of.sum()))
        naive += not low <= true <= high
    assert missed <= 0.07 * 400
    assert naive > missed
