"""Intervals against scipy, tables and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fr_cli.evaluation.intervals import (
    bound_when_none,
    clopper_pearson,
    mean,
    proportion,
    trials_needed,
)

trials = st.integers(0, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("k", "n", "level"), [(0, 10, 0.95), (10, 10, 0.95), (3, 17, 0.9), (102, 105, 0.99)]
)
def test_clopper_pearson_is_scipy_s(k: int, n: int, level: float) -> None:
    from scipy.stats import binomtest

    exact = binomtest(k, n).proportion_ci(level, method="exact")
    assert clopper_pearson(k, n, level) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_by_the_tables() -> None:
    assert clopper_pearson(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert clopper_pearson(5, 10) == pytest.approx((0.1871, 0.8129), abs=1e-4)


def test_rule_of_three() -> None:
    assert bound_when_none(18_000) == pytest.approx(3 / 18_000, rel=0.005)
    assert bound_when_none(18_000) < 1 / 6000 < bound_when_none(17_000)
    assert bound_when_none(100) == pytest.approx(1 - 0.05 ** (1 / 100))
    assert bound_when_none(0) == 1.0


@given(trials, st.floats(0.5, 0.999))
def test_intervals_hold_the_rate(case: tuple[int, int], level: float) -> None:
    k, n = case
    low, high = clopper_pearson(k, n, level)
    assert 0.0 <= low <= (k / n if n else 0.5) <= high <= 1.0


@pytest.mark.parametrize(("k", "n", "level"), [(-1, 5, 0.9), (6, 5, 0.9), (1, 5, 1.0)])
def test_what_is_no_proportion(k: int, n: int, level: float) -> None:
    with pytest.raises(ValueError):
        clopper_pearson(k, n, level)


def test_one_trial_a_person_is_counted_exactly() -> None:
    hits = np.arange(200) < 7
    rate = proportion(hits, np.arange(200))
    assert (rate.low, rate.high) == clopper_pearson(7, 200)
    assert (rate.cases, rate.of, rate.interval) == (7, 200, "exact")


def test_several_trials_a_person_are_drawn_by_people() -> None:
    people = np.repeat(np.arange(60), 10)
    hits = np.repeat(np.arange(60) % 2 == 0, 10)  # a person's trials all end alike
    rate = proportion(hits, people)
    assert rate.interval == "bootstrap"
    # As uncertain as 60 trials, not 600.
    assert rate.high - rate.low == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 60), rel=0.15)
    assert rate == proportion(hits, people)
    assert proportion(hits, people, seed=1) != rate


def test_few_cases_count_each_person_once() -> None:
    people = np.repeat(np.arange(100), 5)
    none = proportion(np.zeros(500, bool), people)
    assert none.interval == "exact_by_subject"
    assert (none.low, none.high) == pytest.approx(clopper_pearson(0, 100))
    every = proportion(np.ones(500, bool), people)
    assert (every.low, every.high) == pytest.approx(clopper_pearson(100, 100))
    uneven = proportion(np.zeros(6, bool), np.array([0, 0, 0, 0, 0, 1]))
    assert uneven.high == pytest.approx(float(1 - 0.025 ** (26 / 36)))  # 36/26 people


def test_a_proportion_of_nothing() -> None:
    rate = proportion(np.empty(0, bool), np.empty(0, np.int64))
    assert (rate.value, rate.low, rate.high, rate.of) == (None, 0.0, 1.0, 0)


@pytest.mark.parametrize(
    ("people", "each", "chance", "spread"),
    [
        (300, 1, 0.1, 0.0),
        (300, 4, 0.2, 0.0),
        (300, 4, 0.2, 0.2),
        (150, 8, 0.3, 0.3),
        (300, 4, 0.01, 0.5),
        (40, 5, 0.95, 0.2),
    ],
)
def test_intervals_cover_at_their_level(
    people: int, each: int, chance: float, spread: float
) -> None:
    """Trials of a person are alike by `spread`, the intraclass correlation (beta-binomial)."""
    rng = np.random.default_rng(17)
    runs, held = 400, 0
    whose = np.repeat(np.arange(people), each)
    for _ in range(runs):
        own = np.full(people, chance)
        if spread:
            size = 1.0 / spread - 1.0
            own = rng.beta(chance * size, (1 - chance) * size, people)
        rate = proportion(rng.random(whose.size) < own[whose], whose)
        held += rate.low <= chance <= rate.high
    # 400 runs of a true 95 % give at least 367 in all but one of a hundred tests.
    assert held >= 367


def test_photographs_taken_for_people_would_not_cover() -> None:
    rng = np.random.default_rng(17)
    held = 0
    for _ in range(200):
        own = rng.beta(0.2, 0.8, 100)  # intraclass correlation 0.5
        hits = rng.random((100, 10)) < own[:, None]
        low, high = clopper_pearson(int(hits.sum()), 1000)
        held += low <= 0.2 <= high
    assert held < 140


def test_a_mean_of_counts() -> None:
    rng = np.random.default_rng(3)
    values = rng.poisson(0.4, 500).astype(float)
    found = mean(values, np.arange(500))
    assert found.value == values.mean()
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(500), rel=0.15)
    none = mean(np.zeros(300), np.arange(300))
    assert (none.value, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(-np.log(0.025) / 300)  # Garwood
    assert mean(np.zeros(300), np.arange(300), unit=True).high == clopper_pearson(0, 300)[1]
    with pytest.raises(ValueError):
        mean(np.empty(0), np.empty(0, np.int64))


def test_trials_needed_are_the_rule_of_three_turned_round() -> None:
    assert trials_needed(1 / 6000) == 17_973
    assert trials_needed(0.01) == 299
    for rate in (0.3, 1e-3, 1e-5):
        needed = trials_needed(rate)
        assert bound_when_none(needed) <= rate < bound_when_none(needed - 1)
    with pytest.raises(ValueError):
        trials_needed(0.0)
