"""Cllr against its formula and a search over maps, Cllr_min against a brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fr_cli.evaluation.likelihood import (
    Scored,
    affine,
    best_ratios,
    cllr,
    likelihood_ratio,
    scored,
)
from tests.evaluation import scores

MATED, OTHERS = scores.six_people()


def of(mated: np.ndarray, others: np.ndarray) -> Scored:
    return Scored(mated, others, np.ones(others.size))


def test_the_formula_by_hand() -> None:
    # Ratios of 4 and 1/4, natural logarithms: ½ (log2(1 + 1/4) + log2(1 + 1/4)).
    four = np.log(4.0)
    assert cllr(of(np.array([four]), np.array([-four]))) == pytest.approx(np.log2(1.25))
    assert cllr(of(np.zeros(3), np.zeros(5))) == pytest.approx(1.0)  # a coin
    assert cllr(of(np.array([-four]), np.array([four]))) > 2.0  # ratios that mislead


def test_weights_stand_for_repeats() -> None:
    once = cllr(of(MATED, np.repeat(OTHERS, 3)))
    assert cllr(Scored(MATED, OTHERS, np.full(60, 3.0))) == pytest.approx(once)


def test_the_affine_map_is_the_best_of_many() -> None:
    offset, slope = affine(of(MATED, OTHERS))
    best = cllr(of(offset + slope * MATED, offset + slope * OTHERS))
    assert slope > 0.0
    for a, b in itertools.product(np.linspace(-5, 2, 60), np.linspace(0, 20, 60)):
        assert cllr(of(a + b * MATED, a + b * OTHERS)) >= best - 1e-9


def test_scores_that_separate_entirely_cost_nothing_and_stay_finite() -> None:
    parted = of(np.array([0.8, 0.9]), np.array([0.1, 0.2, 0.3]))
    offset, slope = affine(parted)
    assert np.isfinite([offset, slope]).all()
    assert cllr(of(offset + slope * parted.mated, offset + slope * parted.nonmated)) < 0.01
    assert cllr(best_ratios(parted)) == 0.0


def test_the_least_cost_is_that_of_the_best_rising_map() -> None:
    """Every way to cut twelve scores into blocks, each with the ratio of its own shares."""
    rng = np.random.default_rng(8)
    mated, others = rng.normal(1, 1, 5).round(1), rng.normal(0, 1, 7).round(1)
    values = np.unique(np.concatenate([mated, others]))
    best = np.inf
    for cuts in itertools.product([False, True], repeat=values.size - 1):
        block = np.concatenate([[0], np.cumsum(cuts)])
        ours = block[np.searchsorted(values, mated)]
        theirs = block[np.searchsorted(values, others)]
        size = block[-1] + 1
        p, q = np.bincount(ours, minlength=size) / 5, np.bincount(theirs, minlength=size) / 7
        with np.errstate(divide="ignore"):
            ratios = np.log(p) - np.log(q)
        if (ratios[1:] >= ratios[:-1]).all():
            best = min(best, cllr(of(ratios[ours], ratios[theirs])))
    assert cllr(best_ratios(of(mated, others))) == pytest.approx(best)


def test_the_least_cost_knows_no_scale() -> None:
    plain = cllr(best_ratios(of(MATED, OTHERS)))
    assert cllr(best_ratios(of(np.exp(3 * MATED), np.exp(3 * OTHERS)))) == pytest.approx(plain)
    assert plain < cllr(best_ratios(of(MATED[::-1] * 0, OTHERS * 0))) == pytest.approx(1.0)


def test_halves_judge_each_other() -> None:
    one, other = (scored(scores.simulated(200, 2, seed)) for seed in (1, 2))
    found = likelihood_ratio(one, other)
    assert found is not None
    assert (found.mated, found.nonmated) == (800, 2 * 200 * 199 // 2)
    assert 0.0 < found.cllr_min <= found.cllr < 0.2
    nothing = Scored(np.empty(0), OTHERS, np.ones(60))
    assert likelihood_ratio(one, nothing) is None
