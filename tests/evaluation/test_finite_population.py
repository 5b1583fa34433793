"""Rates of a finite population: exact where nothing is left to chance, and as sure as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fr_cli.evaluation.finite_population import (
    Stratum,
    half_width,
    hypergeometric,
    of_all,
    of_stratum,
    size_for,
)
from fr_cli.evaluation.intervals import clopper_pearson


def test_of_a_census_the_rate_is_exact() -> None:
    assert hypergeometric(3, 50, 50) == (3 / 50, 3 / 50)
    share = of_all([Stratum(50, 50, 3), Stratum(10, 10, 10)])
    assert share.low == share.value == share.high == pytest.approx(13 / 60)
    share = of_all([Stratum(50, 50, 3, unclear=2), Stratum(10, 10, 10)])
    assert np.allclose([share.value, share.high], [13 / 60, 15 / 60])


def test_of_a_vast_population_it_is_clopper_and_pearsons() -> None:
    found = hypergeometric(7, 200, 10_000_000)
    assert np.allclose(found, clopper_pearson(7, 200), atol=1e-4)


def test_the_hypergeometric_interval_by_hand() -> None:
    # 2 of 5, both right: of 0 … 3 wrong in 5, 3 would give that in 1 of 10 draws, more never.
    assert hypergeometric(0, 2, 5) == (0.0, 3 / 5)
    # 4 of 5, all right: if the fifth were wrong, 1 draw of 5 would not see it.
    assert hypergeometric(0, 4, 5) == (0.0, 1 / 5)
    assert hypergeometric(2, 2, 5) == (2 / 5, 1.0)


@settings(max_examples=40)
@given(st.integers(1, 60), st.data())
def test_the_exact_interval_covers_as_often_as_it_says(
    population: int, data: st.DataObject
) -> None:
    from scipy.stats import hypergeom

    cases = data.draw(st.integers(0, population))
    drawn = data.draw(st.integers(1, population))
    covered = 0.0
    for seen in range(max(0, drawn - (population - cases)), min(drawn, cases) + 1):
        low, high = hypergeometric(seen, drawn, population)
        if low - 1e-12 <= cases / population <= high + 1e-12:
            covered += float(hypergeom.pmf(seen, population, cases, drawn))
    assert covered >= 0.95 - 1e-9


@pytest.mark.parametrize(
    "wrong", [(20, 20, 20), (0, 0, 90), (150, 0, 0), (2, 2, 2), (0, 0, 0), (500, 20, 5)]
)
def test_the_interval_of_strata_covers_as_often_as_it_says(wrong: tuple[int, ...]) -> None:
    # Strata of very different sizes, drawn in proportion, as a dip sample is; 2,000 times.
    sizes, drawn = (3000, 600, 100), (160, 33, 7)
    truth = sum(wrong) / sum(sizes)
    rng = np.random.default_rng(7)
    covered = 0
    cache: dict[tuple[int, ...], bool] = {}
    for _ in range(2000):
        seen = tuple(
            int(rng.hypergeometric(w, n - w, d))
            for w, n, d in zip(wrong, sizes, drawn, strict=True)
        )
        if seen not in cache:
            share = of_all([Stratum(n, d, s) for n, d, s in zip(sizes, drawn, seen, strict=True)])
            cache[seen] = share.low <= truth <= share.high
        covered += cache[seen]
    assert covered >= 0.95 * 2000 - 3 * (2000 * 0.95 * 0.05) ** 0.5


def test_everybody_a_case_is_a_share_of_one_and_no_more() -> None:
    share = of_all([Stratum(381, 265, 265, 0), Stratum(1, 1, 0, 1)])
    assert share.value < 1
    assert share.high == 1


@given(st.integers(1, 400), st.integers(1, 400), st.data())
def test_the_value_lies_within_and_what_was_seen_is_certain(
    first: int, second: int, data: st.DataObject
) -> None:
    strata = []
    for population in (first, second):
        drawn = data.draw(st.integers(1, population))
        cases = data.draw(st.integers(0, drawn))
        strata.append(Stratum(population, drawn, cases, data.draw(st.integers(0, drawn - cases))))
    for share in (of_all(strata), of_stratum(strata[0])):
        assert 0 <= share.low <= share.value <= share.high <= 1
    seen = sum(one.cases for one in strata)
    clean = sum(one.drawn - one.cases - one.unclear for one in strata)
    share = of_all(strata)
    assert share.low >= seen / (first + second) - 1e-9
    assert share.high <= 1 - clean / (first + second) + 1e-9


@given(st.floats(0.005, 0.4), st.floats(0, 1), st.one_of(st.none(), st.integers(1, 1_000_000)))
def test_the_size_is_the_fewest_that_reach_the_precision(
    precision: float, expected: float, population: int | None
) -> None:
    size = size_for(precision, expected, population)
    assert half_width(expected, size, population) <= precision
    assert size == 1 or half_width(expected, size - 1, population) > precision
    assert population is None or size <= population


def test_what_cannot_be_is_an_error() -> None:
    for precision, expected, population in ((0, 0.1, 9), (1, 0.1, 9), (0.1, 2, 9), (0.1, 0.1, 0)):
        with pytest.raises(ValueError, match="precision"):
            size_for(precision, expected, population)
    for wrong in ((5, 6, 0), (5, 0, 0), (5, 3, 4), (5, 3, -1)):
        with pytest.raises(ValueError, match="cannot be"):
            Stratum(*wrong)


def test_what_was_drawn_of_small_strata_makes_the_rate_surer() -> None:
    small = of_all([Stratum(100, 80, 4), Stratum(50, 40, 2)])
    large = of_all([Stratum(100_000, 80, 4), Stratum(50_000, 40, 2)])
    assert small.value == large.value
    assert small.high - small.low < 0.6 * (large.high - large.low)
    # Of vast strata in proportion it is as if they were one.
    assert np.allclose([large.low, large.high], clopper_pearson(6, 120), atol=1e-3)
