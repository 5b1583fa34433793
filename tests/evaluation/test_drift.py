"""Drift: what counts of a period can show, with and without officers' decisions."""

from __future__ import annotations

import pytest

from fr_cli.evaluation.drift import Drift, Search, drift


def period(
    nobody: int, true: int = 0, false: int = 0, open_: int = 0, score: float = 0.8
) -> list[Search]:
    searches = [Search(None)] * nobody
    for confirmed, count in ((True, true), (False, false), (None, open_)):
        searches += [Search(score, confirmed)] * count
    return searches


def held(searches: list[Search], allowed: float | None = 0.01) -> Drift:
    return drift(searches, [], allowed)


def test_more_rejected_lists_than_allowed_are_drift() -> None:
    found = held(period(900, true=40, false=60))
    assert found.verdict == "outside"
    assert found.least.value == pytest.approx(0.06)
    assert found.least_of_lists.value == pytest.approx(0.6)
    assert "more than the evaluation in force allows (1.00%)" in found.sentence


def test_few_false_lists_among_many_searches_are_within() -> None:
    found = held(period(1990, true=8, false=2))
    assert found.verdict == "within"
    assert found.most.cases == 2


def test_without_decisions_it_mostly_cannot_be_said() -> None:
    found = held(period(900, open_=100))
    assert (found.verdict, found.undecided) == ("cannot_say", 100)
    assert (found.least.cases, found.most.cases) == (0, 100)
    assert "100 candidate lists without a decision" in found.sentence
    # Where even all of them together stay below what is allowed, it can.
    assert held(period(5000, open_=5)).verdict == "within"


def test_too_few_searches_show_nothing() -> None:
    assert "20 searches are too few" in held(period(20)).sentence
    assert "no search" in held([]).sentence
    assert held([]).least.value is None
    assert "nothing to hold this against" in held(period(20), None).sentence


def test_a_change_against_the_time_before_is_judged_with_its_power() -> None:
    found = drift(period(800, open_=200), period(980, open_=20), 0.01)
    assert found.change.verdict == "differs"
    same = drift(period(800, open_=200), period(790, open_=210), 0.01)
    assert same.change.verdict == "no_larger_difference_missed"
    assert drift(period(5, open_=2), period(9), 0.01).change.verdict == "too_little_data"
    assert drift(period(5, open_=2), [], 0.01).change.verdict == "too_little_data"


def test_scores_of_first_candidates_are_compared() -> None:
    now = [Search(0.70 + 0.001 * i) for i in range(50)]
    before = [Search(0.80 + 0.001 * i) for i in range(50)]
    found = drift(now, before, 0.01)
    assert found.score_shift is not None
    assert found.score_shift.value == pytest.approx(-0.1)
    assert found.score_shift.high < 0
