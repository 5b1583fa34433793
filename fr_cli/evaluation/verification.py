"""Error rates of comparison one to one (1:1): FMR and FNMR, by ISO/IEC 19795-1:2021.

- FMR(T): non-mated comparisons at or above T, out of all of them;
- FNMR(T): mated comparisons below T, out of all of them.

Comparisons that share a face are not independent. FNMR draws people anew with all their pairs.
FMR draws both people of a pair: it weighs w_a · w_b with w exponential (Bayesian bootstrap, as
the tail does). Where fewer than 15 pairs of people reach the threshold that says too little, and
each pair of people counts once (Clopper–Pearson).

A target FMR is `empirical` from 3 / (pairs of people) upwards, the least that the data can show
(rule of three); `extrapolated` by a fitted tail down to a hundredth of that; else
`not_measurable`, and then there are no numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fr_cli.decision.calibration import Calibration
from fr_cli.evaluation.extrapolation import Extrapolation
from fr_cli.evaluation.impostors import BINS, Comparisons, ImpostorSample
from fr_cli.evaluation.intervals import ENOUGH_PEOPLE, Rate, clopper_pearson, proportion
from fr_cli.evaluation.points import REACH, Method
from fr_cli.evaluation.tail import extrapolation

TARGETS = (1e-3, 1e-4, 1e-5, 1e-6)
DRAWS = 200
#: Points of the curve: one at the lower edge of every fifth bin of the histogram.
_STEP = 5


@dataclass(frozen=True)
class FmrPoint:
    """FNMR at the threshold of a target FMR; numbers are None if `not_measurable`.

    `fmr_low`, `fmr_high`: what the data says of the threshold's true FMR, at 95 %.
    """

    fmr: float
    method: Method
    threshold_cosine: float | None = None
    threshold_score: float | None = None
    fnmr: Rate | None = None
    fmr_low: float | None = None
    fmr_high: float | None = None


@dataclass(frozen=True)
class CurvePoint:
    """Both rates at one threshold, counted."""

    threshold_cosine: float
    fmr: float
    fnmr: float


@dataclass(frozen=True)
class EqualError:
    """Where FMR and FNMR are equal: half their sum at the threshold where they are nearest."""

    value: float
    threshold_cosine: float


@dataclass(frozen=True)
class Verification:
    """What comparing one to one gives; `eer` only where it was asked for."""

    mated: int
    nonmated: int
    subject_pairs: int
    points: list[FmrPoint]
    curve: list[CurvePoint]
    eer: EqualError | None


def verification(
    compared: Comparisons,
    calibration: Calibration | None = None,
    *,
    targets: Sequence[float] = TARGETS,
    with_eer: bool = False,
    seed: int = 0,
) -> Verification:
    """FNMR at each target FMR, in their order, and the curve.

    `calibration` fills `threshold_score`. The same seed gives the same intervals.
    """
    sample = compared.nonmated
    least = 3.0 / sample.subject_pairs
    try:
        tail = extrapolation(sample, DRAWS, seed)
    except ValueError:
        tail = None
    rows = []
    for target in targets:
        if not compared.mated.cosines.size or (target < least and tail is None):
            rows.append(FmrPoint(target, "not_measurable"))
        elif target >= least:
            rows.append(_counted(compared, target, calibration, seed))
        elif tail is not None and target >= least / REACH:
            rows.append(_extrapolated(compared, target, tail, calibration))
        else:
            rows.append(FmrPoint(target, "not_measurable"))
    curve = _curve(compared)
    return Verification(
        mated=compared.mated.cosines.size,
        nonmated=sample.comparisons,
        subject_pairs=sample.subject_pairs,
        points=rows,
        curve=[*curve[:-1:_STEP], *curve[-1:]],
        eer=_eer(curve) if with_eer and compared.mated.cosines.size else None,
    )


def fmr(sample: ImpostorSample, threshold: float, seed: int = 0) -> Rate:
    """The false match rate at a threshold that at most len(sample.cosines) comparisons reach.

    Raises ValueError for a threshold below the lowest that was kept, unless all were.
    """
    above = int(np.searchsorted(-sample.cosines, -threshold, side="right"))
    if above == sample.cosines.size < sample.comparisons:
        raise ValueError("the comparisons at this threshold were not kept")
    first, second = sample.first[:above], sample.second[:above]
    value = above / sample.comparisons
    people = np.unique(np.minimum(first, second) * sample.images.size + np.maximum(first, second))
    if people.size < ENOUGH_PEOPLE:
        low, high = clopper_pearson(people.size, sample.subject_pairs)
        return Rate(value, min(low, value), max(high, value), above, sample.comparisons,
                    "exact_by_subject")  # fmt: skip
    low, high = np.quantile(drawn_fmr(sample, above, seed), [0.025, 0.975])
    return Rate(value, min(float(low), value), max(float(high), value), above,
                sample.comparisons, "bootstrap")  # fmt: skip


def drawn_fmr(sample: ImpostorSample, above: int, seed: int = 0) -> NDArray[np.float64]:
    """The share of the `above` highest comparisons in each draw of people; shape (200,)."""
    rng = np.random.default_rng(seed)
    first, second = sample.first[:above], sample.second[:above]
    rates = np.empty(DRAWS)
    for draw in range(DRAWS):
        weights = rng.standard_exponential(sample.images.size)
        rates[draw] = weights[first] @ weights[second] / sample.weighted_comparisons(weights)
    return rates


def fnmr(compared: Comparisons, threshold: float) -> Rate:
    """The false non-match rate at a threshold."""
    return proportion(compared.mated.cosines < threshold, compared.mated.subjects)


def _counted(
    compared: Comparisons, target: float, calibration: Calibration | None, seed: int
) -> FmrPoint:
    sample = compared.nonmated
    allowed = int(target * sample.comparisons * (1.0 + 1e-12))
    if allowed < sample.cosines.size:
        threshold = float(np.nextafter(sample.cosines[allowed], np.inf))
        rate = fmr(sample, threshold, seed)
        low, high = rate.low, rate.high
    else:
        # Deeper than what was kept: the edge of a bin, as uncertain (relatively) as the rate at
        # the end of what was kept, which is more than it is.
        at_or_above = np.cumsum(sample.counts[::-1])[::-1]
        place = int(np.argmax(at_or_above <= allowed))
        threshold = sample.low + place * (sample.high - sample.low) / BINS
        kept = drawn_fmr(sample, sample.cosines.size, seed)
        wide = np.quantile(kept, [0.025, 0.975]) / (sample.cosines.size / sample.comparisons)
        value = float(at_or_above[place]) / sample.comparisons
        low, high = value * min(float(wide[0]), 1.0), value * max(float(wide[1]), 1.0)
    return FmrPoint(
        target, "empirical", threshold, calibration.score(threshold) if calibration else None,
        fnmr(compared, threshold), low, high,
    )  # fmt: skip


def _extrapolated(
    compared: Comparisons, target: float, tail: Extrapolation, calibration: Calibration | None
) -> FmrPoint:
    threshold, low, high = tail.threshold(target)
    found, least, most = (fnmr(compared, cosine) for cosine in (threshold, low, high))
    # The interval holds the threshold's own doubt as well.
    missed = Rate(found.value, least.low, most.high, found.cases, found.of, found.interval)
    return FmrPoint(
        target, "extrapolated", threshold, calibration.score(threshold) if calibration else None,
        missed, *tail.interval(threshold),
    )  # fmt: skip


def _curve(compared: Comparisons) -> list[CurvePoint]:
    """Both rates at the lower edge of each bin, from the last with FMR 1 to the last with any."""
    sample, mated = compared.nonmated, np.sort(compared.mated.cosines)
    if not mated.size:
        return []
    edges = sample.low + np.arange(BINS + 1) * (sample.high - sample.low) / BINS
    above = np.append(np.cumsum(sample.counts[::-1])[::-1], 0)
    missed = np.searchsorted(mated, edges, side="left")
    first = int(np.nonzero((above == above[0]) & (missed == 0))[0].max(initial=0))
    last = int(np.nonzero((above > 0) | (missed < mated.size))[0].max(initial=0)) + 1
    return [
        CurvePoint(float(edges[k]), float(above[k] / above[0]), float(missed[k] / mated.size))
        for k in range(first, min(last, BINS) + 1)
    ]


def _eer(curve: list[CurvePoint]) -> EqualError:
    best = min(curve, key=lambda point: abs(point.fmr - point.fnmr))
    return EqualError((best.fmr + best.fnmr) / 2.0, best.threshold_cosine)
