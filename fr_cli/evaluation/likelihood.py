"""How much the scores tell about "same person or not", in bits: Cllr and its least.

The log-likelihood-ratio cost of Brümmer and du Preez (Computer Speech and Language 20, 2006): 0
says all, 1 says no more than a coin; above 1 the ratios mislead. `cllr` is of ratios made by an
affine map of the score that was fitted to other people: logistic regression with equal priors,
each half of the people scored with the map of the other. `cllr_min` is of the best ratios that any
rising map could give with these labels in hand (pool adjacent violators). The difference is what a
straight line loses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fr_cli.evaluation.impostors import BINS, Comparisons

Floats = NDArray[np.float64]
#: Mated scores of a half below which a map fitted to it says nothing of the other.
FEWEST = 30


@dataclass(frozen=True)
class LikelihoodRatio:
    """Costs in bits, and how many comparisons they are counted on."""

    cllr: float
    cllr_min: float
    mated: int
    nonmated: int


@dataclass(frozen=True, eq=False)
class Scored:
    """Mated scores (m,), and non-mated ones (n,) that each stand for `weights` (n,) of them."""

    mated: Floats
    nonmated: Floats
    weights: Floats


def scored(compared: Comparisons) -> Scored:
    """All mated scores, and the non-mated ones as the middles of the histogram's bins."""
    sample = compared.nonmated
    width = (sample.high - sample.low) / BINS
    middles = np.asarray(sample.low + (np.arange(BINS) + 0.5) * width, np.float64)
    some = sample.counts > 0
    return Scored(compared.mated.cosines, middles[some], sample.counts[some].astype(np.float64))


def likelihood_ratio(one: Scored, other: Scored) -> LikelihoodRatio | None:
    """The costs of two halves of the people; None if a half has fewer than 30 mated scores."""
    if not all(half.mated.size >= FEWEST and half.nonmated.size for half in (one, other)):
        return None
    halves = [_mapped(half, *affine(rest)) for half, rest in ((one, other), (other, one))]
    both = _joined(one, other)
    return LikelihoodRatio(
        cllr=cllr(_joined(*halves)),
        cllr_min=cllr(best_ratios(both)),
        mated=both.mated.size,
        nonmated=round(float(both.weights.sum())),
    )


def cllr(ratios: Scored) -> float:
    """Cllr of natural log-likelihood ratios, in bits."""
    missed = np.logaddexp(0.0, -ratios.mated).mean()
    false = np.average(np.logaddexp(0.0, ratios.nonmated), weights=ratios.weights)
    return float((missed + false) / 2.0 / np.log(2.0))


def affine(half: Scored) -> tuple[float, float]:
    """Offset and slope (≥ 0) of the log-likelihood ratio with the least cost on these scores."""
    from scipy.optimize import minimize

    every = np.concatenate([half.mated, half.nonmated])
    middle, spread = float(every.mean()), float(every.std()) or 1.0
    mated, others = (half.mated - middle) / spread, (half.nonmated - middle) / spread
    share = half.weights / half.weights.sum()

    def cost(point: Floats) -> tuple[float, Floats]:
        over, under = point[0] + point[1] * mated, point[0] + point[1] * others
        value = np.logaddexp(0.0, -over).mean() + share @ np.logaddexp(0.0, under)
        up, down = -_sigmoid(-over) / over.size, share * _sigmoid(under)
        return float(value), np.array([up.sum() + down.sum(), up @ mated + down @ others])

    # Scores that separate entirely would send the slope to infinity; 50 nats a deviation will do.
    found = minimize(cost, np.array([0.0, 1.0]), jac=True, bounds=[(-100.0, 100.0), (0.0, 50.0)])
    slope = float(found.x[1]) / spread
    return float(found.x[0]) - slope * middle, slope


def best_ratios(half: Scored) -> Scored:
    """The scores replaced by their best rising log-likelihood ratios (PAV; ends infinite)."""
    from scipy.optimize import isotonic_regression

    scores, place = np.unique(np.concatenate([half.mated, half.nonmated]), return_inverse=True)
    size = half.mated.size
    mated = np.bincount(place[:size], minlength=scores.size) / size
    others = np.bincount(place[size:], half.weights, minlength=scores.size) / half.weights.sum()
    weight = mated + others  # equal priors; every distinct score has some
    chance = isotonic_regression(mated / weight, weights=weight).x
    with np.errstate(divide="ignore"):
        ratios = np.log(chance) - np.log1p(-chance)
    return Scored(ratios[place[:size]], ratios[place[size:]], half.weights)


def _mapped(half: Scored, offset: float, slope: float) -> Scored:
    return Scored(offset + slope * half.mated, offset + slope * half.nonmated, half.weights)


def _joined(one: Scored, other: Scored) -> Scored:
    return Scored(
        np.concatenate([one.mated, other.mated]),
        np.concatenate([one.nonmated, other.nonmated]),
        np.concatenate([one.weights, other.weights]),
    )


def _sigmoid(x: Floats) -> Floats:
    return np.exp(-np.logaddexp(0.0, -x))
