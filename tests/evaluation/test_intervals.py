"""Intervals against scipy, tables and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fr_cli.evaluation.intervals import (
    bootstrap_over_subjects,
    bound_when_none,
    clopper_pearson,
    wilson,
)

trials = st.integers(0, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("k", "n", "level"), [(0, 10, 0.95), (10, 10, 0.95), (3, 17, 0.9), (102, 105, 0.99)]
)
def test_clopper_pearson_is_scipy_s(k: int, n: int, level: float) -> None:
    from scipy.stats import binomtest

    exact = binomtest(k, n).proportion_ci(level, method="exact")
    assert clopper_pearson(k, n, level) == pytest.approx((exact.low, exact.high), abs=1e-12)
    score = binomtest(k, n).proportion_ci(level, method="wilson")
    assert wilson(k, n, level) == pytest.approx((score.low, score.high), abs=1e-12)


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
    for interval in (clopper_pearson, wilson):
        low, high = interval(k, n, level)
        assert 0.0 <= low <= (k / n if n else 0.5) <= high <= 1.0


@pytest.mark.parametrize(("k", "n", "level"), [(-1, 5, 0.9), (6, 5, 0.9), (1, 5, 1.0)])
def test_what_is_no_proportion(k: int, n: int, level: float) -> None:
    for interval in (clopper_pearson, wilson):
        with pytest.raises(ValueError):
            interval(k, n, level)


def test_a_bootstrap_of_people_is_wider_than_one_of_photographs() -> None:
    rng = np.random.default_rng(5)
    people = np.repeat(np.arange(50), 20)
    values = np.repeat(rng.normal(size=50), 20) + 0.1 * rng.normal(size=1000)

    def mean(rows: np.ndarray) -> float:
        return float(values[rows].mean())

    low, high = bootstrap_over_subjects(mean, people, seed=1)
    low_alone, high_alone = bootstrap_over_subjects(mean, np.arange(1000), seed=1)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values[::20].std() / np.sqrt(50), rel=0.2)
    assert high - low > 3 * (high_alone - low_alone)
    assert (low, high) == bootstrap_over_subjects(mean, people, seed=1)


def test_a_bootstrap_of_nothing() -> None:
    with pytest.raises(ValueError):
        bootstrap_over_subjects(lambda rows: 0.0, np.empty(0))
    with pytest.raises(ValueError, match="undefined"):
        bootstrap_over_subjects(lambda rows: float("nan"), np.arange(3))
