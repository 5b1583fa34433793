"""The measures of inequality: on the published case, at zeros, and their limits in simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fr_cli.evaluation import inequity
from fr_cli.evaluation.intervals import Rate, clopper_pearson
from fr_cli.evaluation.trials import Tally

#: False candidates of the police's national search by ethnicity (Home Office, December 2025).
WHITE, ASIAN, BLACK = 0.0004, 0.040, 0.055


def group(name: str, cases: int, of: int) -> Tally:
    value = cases / of if of else None
    return Tally(name, Rate(value, *clopper_pearson(cases, of), cases, of), of, 1.0)


PUBLISHED = [group("white", 4, 10_000), group("Asian", 400, 10_000), group("black", 550, 10_000)]


def test_the_published_case() -> None:
    worst = inequity.max_min(PUBLISHED)
    assert worst.value == pytest.approx(137.5)
    assert worst.high is not None
    assert 20 < worst.low < 137.5 < worst.high < 500
    assert inequity.max_geomean(PUBLISHED).value == pytest.approx(5.74, abs=0.005)
    rates = [WHITE, ASIAN, BLACK]
    assert inequity.gini(rates) == pytest.approx(0.38, abs=0.005)
    assert inequity.gini(rates, corrected=True) == pytest.approx(0.57, abs=0.005)
    assert inequity.garbe(rates, rates) == pytest.approx(0.57, abs=0.005)
    assert inequity.fdr(rates, [0.1] * 3) == pytest.approx(1 - 0.5 * 0.0546)


def test_equal_rates() -> None:
    same = [group(name, 10, 1_000) for name in "abc"]
    assert inequity.max_min(same).value == 1.0
    assert inequity.max_min(same).low == 1.0
    assert inequity.max_geomean(same).value == pytest.approx(1.0)
    assert (inequity.gini([0.1] * 3), inequity.fdr([0.1] * 3, [0.2] * 3)) == (0.0, 1.0)


def test_a_group_without_a_case_makes_no_ratio_but_a_lower_limit() -> None:
    found = inequity.max_min([group("a", 0, 1_000), group("b", 40, 1_000)])
    assert (found.value, found.high) == (None, None)
    assert found.why == "there was no case in a"
    assert found.low > 5
    assert inequity.max_geomean([group("a", 0, 9), group("b", 4, 9)]).high is None


def test_no_case_at_all_says_nothing() -> None:
    found = inequity.max_min([group("a", 0, 1_000), group("b", 0, 10)])
    assert (found.value, found.low, found.high) == (None, 1.0, None)
    assert found.why == "no group had a case"
    assert inequity.gini([0.0, 0.0]) is None
    assert inequity.garbe([0.0, 0.0], [0.1, 0.2]) is None
    assert inequity.fdr([0.0, 0.0], [0.0, 0.0]) == 1.0


def test_one_group_is_not_compared() -> None:
    for found in (inequity.max_min([group("a", 3, 9)]), inequity.max_geomean([group("a", 3, 9)])):
        assert (found.value, found.high) == (None, None)
        assert "two groups" in found.why
    assert inequity.gini([0.1]) is None
    assert inequity.fdr([0.1], [0.1]) is None
    assert inequity.max_min([group("a", 3, 9), group("b", 0, 0)]).value is None


@pytest.mark.parametrize("rates", [(0.01, 0.03, 0.03), (0.05, 0.05, 0.05), (0.3, 0.6, 0.5)])
def test_the_limits_hold_the_true_ratio(rates: tuple[float, ...]) -> None:
    rng = np.random.default_rng(1)
    true = max(rates) / min(rates)
    geomean = max(rates) / math.exp(sum(map(math.log, rates)) / len(rates))
    outside = {"high": 0, "low": 0, "geomean": 0}
    for _ in range(400):
        groups = [group(str(p), int(rng.binomial(600, p)), 600) for p in rates]
        found, mean = inequity.max_min(groups), inequity.max_geomean(groups)
        outside["high"] += found.high is not None and found.high < true
        outside["low"] += found.low > true
        outside["geomean"] += mean.high is not None and mean.high < geomean
    # 5 % are allowed; 8 % is three standard errors more.
    assert max(outside.values()) <= 0.08 * 400, outside


def test_the_limits_are_those_of_the_conditional_binomial() -> None:
    from scipy.stats import binomtest

    one, other = group("a", 12, 300), group("b", 30, 2_000)
    share = binomtest(12, 42, alternative="less").proportion_ci(0.95, method="exact").high
    assert inequity.upper_limit(one, other, 0.95) == pytest.approx(share / (1 - share) * 2000 / 300)
    assert inequity.lower_limit(other, one, 0.95) == pytest.approx(
        1 / inequity.upper_limit(one, other, 0.95)
    )
