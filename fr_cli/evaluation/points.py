"""TPIR at the FPIR targets that matter, each with how it was come by.

A target is `empirical` when the non-mated probes can show it: at least one of them may be a
false positive (target ≥ 1/n). It is `extrapolated` when a generalised Pareto fitted to the
highest tenth of the probes' best non-mate scores can reach it: at least 200 non-mated probes
acquired and target ≥ 1/(100 n). Anything else is `not_measurable`, and then there are no
numbers: a guess in a table becomes a fact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from fr_cli.decision.calibration import Calibration
from fr_cli.evaluation.rates import Probes, fpir, threshold_at_fpir, tpir
from fr_cli.evaluation.tail import fit_pareto

TARGETS = (0.01, 0.003, 0.001, 1e-4, 1.0 / 6000.0)
MIN_PROBES = 200
MIN_PEAKS = 40
REACH = 100.0
TAIL_SHARE = 0.1
DRAWS = 200

Method = Literal["empirical", "extrapolated", "not_measurable"]


class Point(TypedDict):
    """One row of the report; `fpir` is the target, `fpir_low` and `fpir_high` what the probes
    say of the threshold's true FPIR. All but `fpir` and `method` are None if not measurable.

    For an empirical point the TPIR interval is that of the threshold as it stands; for an
    extrapolated one it also covers the threshold's own uncertainty.
    """

    fpir: float
    method: Method
    threshold_cosine: float | None
    threshold_score: float | None
    tpir: float | None
    tpir_low: float | None
    tpir_high: float | None
    fpir_low: float | None
    fpir_high: float | None


def points(
    probes: Probes,
    calibration: Calibration | None = None,
    targets: Sequence[float] = TARGETS,
    seed: int = 0,
) -> list[Point]:
    """A row for each target, in their order.

    `calibration` (for scores that are cosines of its model) fills `threshold_score`, which is
    None without it. The same seed gives the same intervals.
    """
    tail = _Tail.fitted(probes, seed)
    rows = []
    for target in targets:
        if not probes.mated_count or not probes.nonmated_count:
            rows.append(_not_measurable(target))
        elif target >= 1.0 / probes.nonmated_count:
            rows.append(_empirical(probes, target, calibration))
        elif tail is not None and target >= 1.0 / (REACH * probes.nonmated_count):
            rows.append(_extrapolated(probes, target, tail, calibration))
        else:
            rows.append(_not_measurable(target))
    return rows


def _not_measurable(target: float) -> Point:
    return Point(
        fpir=target,
        method="not_measurable",
        threshold_cosine=None,
        threshold_score=None,
        tpir=None,
        tpir_low=None,
        tpir_high=None,
        fpir_low=None,
        fpir_high=None,
    )


def _empirical(probes: Probes, target: float, calibration: Calibration | None) -> Point:
    threshold = threshold_at_fpir(probes, target)
    found, false = tpir(probes, threshold), fpir(probes, threshold)
    return Point(
        fpir=target,
        method="empirical",
        threshold_cosine=threshold,
        threshold_score=calibration.score(threshold) if calibration else None,
        tpir=found.value,
        tpir_low=found.low,
        tpir_high=found.high,
        fpir_low=false.low,
        fpir_high=false.high,
    )


def _extrapolated(
    probes: Probes, target: float, tail: _Tail, calibration: Calibration | None
) -> Point:
    threshold, low, high = tail.threshold(target)
    fpir_low, fpir_high = tail.fpir(threshold, target)
    return Point(
        fpir=target,
        method="extrapolated",
        threshold_cosine=threshold,
        threshold_score=calibration.score(threshold) if calibration else None,
        tpir=tpir(probes, threshold).value,
        tpir_low=tpir(probes, high).low,
        tpir_high=tpir(probes, low).high,
        fpir_low=fpir_low,
        fpir_high=fpir_high,
    )


class _Tail:
    """The highest tenth of the non-mated probes' best scores, and its Pareto in bootstrap draws.

    Row 0 of `fits` is the data itself; the others weigh people anew (exponential weights,
    Rubin's Bayesian bootstrap), with the fit repeated. Columns: FPIR at u, ξ, β.
    """

    def __init__(self, u: float, fits: NDArray[np.float64]) -> None:
        self._u = u
        self._p_u, shape, self._beta = fits.T
        self._xi = np.where(np.abs(shape) < 1e-9, 1e-9, shape)  # the exponential, to 9 digits

    @classmethod
    def fitted(cls, probes: Probes, seed: int) -> _Tail | None:
        """None when the probes are too few, or too many of their scores are the same."""
        false = probes.false_scores
        if false.size < MIN_PROBES:
            return None
        u = false[max(round(TAIL_SHARE * false.size), MIN_PEAKS)]
        nonmated = ~probes.mated
        scores = np.where(probes.acquired, probes.nonmate, -np.inf)[nonmated]
        above = scores > u
        if not np.isfinite(u) or np.unique(scores[above]).size < MIN_PEAKS / 2:
            return None
        people, whose = np.unique(probes.subjects[nonmated], return_inverse=True)
        rng = np.random.default_rng(seed)
        excesses = scores[above].astype(np.float64) - u
        fits = []
        for draw in range(DRAWS + 1):
            weights = rng.standard_exponential(people.size) if draw else np.ones(people.size)
            weight = weights[whose]
            fits.append((weight[above].sum() / weight.sum(), *fit_pareto(excesses, weight[above])))
        return cls(float(u), np.array(fits))

    def threshold(self, target: float) -> tuple[float, float, float]:
        """The threshold of an FPIR target, and its 95 % interval (Coles 2001, eq. 4.12)."""
        log_ratio = np.log(self._p_u / target)
        all_of_them = self._u + self._beta * np.expm1(self._xi * log_ratio) / self._xi
        value = float(all_of_them[0])
        low, high = np.quantile(all_of_them[1:], [0.025, 0.975])
        return value, min(float(low), value), max(float(high), value)

    def fpir(self, threshold: float, target: float) -> tuple[float, float]:
        """The 95 % interval of the FPIR at a threshold above u whose fitted FPIR is `target`."""
        inside = 1.0 + self._xi * (threshold - self._u) / self._beta
        # Beyond the end point of a draw, that draw says: never.
        rates = self._p_u * np.power(np.maximum(inside, 0.0), -1.0 / self._xi)
        low, high = np.quantile(np.where(inside > 0.0, rates, 0.0)[1:], [0.025, 0.975])
        return min(float(low), target), max(float(high), target)
