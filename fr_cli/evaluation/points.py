"""TPIR at the FPIR targets that matter, each with how it was come by.

A target is `empirical` when the non-mated probes can show it: at least one of the n people on them
may be a false positive (target ≥ 1/n; photographs of one person count once). It is `extrapolated`
when a generalised Pareto fitted to the highest tenth of the probes' best non-mate scores can reach
it: at least 200 non-mated probes acquired and target ≥ 1/(100 n). Anything else is
`not_measurable`, and then there are no numbers: a guess in a table becomes a fact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

import numpy as np

from fr_cli.decision.calibration import Calibration
from fr_cli.evaluation.extrapolation import Extrapolation
from fr_cli.evaluation.intervals import How, trials_needed
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
    say of the threshold's true FPIR, and `nonmated_needed` is how many people, with no false
    positive among them, would show at 95 % that it is no higher (ISO/IEC 19795-1, rule of three).
    `tpir_interval` says how that interval was made. All but `fpir`, `method` and
    `nonmated_needed` are None if not measurable.

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
    tpir_interval: How | None
    fpir_low: float | None
    fpir_high: float | None
    nonmated_needed: int


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
    tail = _tail(probes, seed)
    rows = []
    for target in targets:
        if not probes.mated_count or not probes.nonmated_count:
            rows.append(_not_measurable(target))
        elif target >= 1.0 / probes.nonmated_people:
            rows.append(_empirical(probes, target, calibration))
        elif tail is not None and target >= 1.0 / (REACH * probes.nonmated_people):
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
        tpir_interval=None,
        fpir_low=None,
        fpir_high=None,
        nonmated_needed=trials_needed(target),
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
        tpir_interval=found.interval,
        fpir_low=false.low,
        fpir_high=false.high,
        nonmated_needed=trials_needed(target),
    )


def _extrapolated(
    probes: Probes, target: float, tail: Extrapolation, calibration: Calibration | None
) -> Point:
    threshold, low, high = tail.threshold(target)
    fpir_low, fpir_high = tail.interval(threshold)
    found = tpir(probes, threshold)
    return Point(
        fpir=target,
        method="extrapolated",
        threshold_cosine=threshold,
        threshold_score=calibration.score(threshold) if calibration else None,
        tpir=found.value,
        tpir_low=tpir(probes, high).low,
        tpir_high=tpir(probes, low).high,
        tpir_interval=found.interval,
        fpir_low=fpir_low,
        fpir_high=fpir_high,
        nonmated_needed=trials_needed(target),
    )


def _tail(probes: Probes, seed: int) -> Extrapolation | None:
    """The highest tenth of the non-mated probes' best scores, with a Pareto above it.

    The draws weigh people anew (exponential weights, Rubin's Bayesian bootstrap), with the fit
    repeated. None when the probes are too few, or too many of their scores are the same.
    """
    false = probes.false_scores
    if false.size < MIN_PROBES:
        return None
    u = false[max(round(TAIL_SHARE * false.size), MIN_PEAKS)]
    nonmated = ~probes.mated
    scores = np.where(probes.acquired, probes.nonmate, -np.inf)[nonmated]
    above = scores > u
    if not np.isfinite(u) or np.unique(scores[above]).size < MIN_PEAKS / 2:
        return None
    people, whose = np.unique(probes.people[nonmated], return_inverse=True)
    rng = np.random.default_rng(seed)
    excesses = scores[above].astype(np.float64) - u
    fits = []
    for draw in range(DRAWS + 1):
        weights = rng.standard_exponential(people.size) if draw else np.ones(people.size)
        weight = weights[whose]
        fits.append((weight[above].sum() / weight.sum(), *fit_pareto(excesses, weight[above])))
    return Extrapolation(float(u), np.array(fits))
