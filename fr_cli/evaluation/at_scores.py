"""The rates at round scores, 0.5 to 0.9: what a threshold that somebody names would give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fr_cli.decision.calibration import Calibration
from fr_cli.evaluation.intervals import Rate
from fr_cli.evaluation.points import Method
from fr_cli.evaluation.rates import Probes, fpir, tpir

SCORES = (0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class AtScore:
    """The rates at one score.

    `tpir` and `fpir` are counted on the probes. `forecast` is the FPIR that the calibration
    expects of a gallery of this size, 1 − exp(−N · FMR), with its 95 % interval. `method` is
    about the FPIR: `empirical` where a false positive was counted, `extrapolated` where none
    was and the forecast stands alone, `not_measurable` without non-mated probes.
    """

    score: float
    method: Method
    threshold_cosine: float
    tpir: Rate
    fpir: Rate
    forecast: float
    forecast_low: float
    forecast_high: float


def at_scores(
    probes: Probes, calibration: Calibration, references: int, scores: Sequence[float] = SCORES
) -> list[AtScore]:
    """A row for each score, for a gallery of so many references."""
    rows = []
    for score in scores:
        cosine = calibration.cosine(score)
        false = fpir(probes, cosine)
        low, high = calibration.fmr_interval(cosine)
        expected, least, most = (
            -math.expm1(-references * fmr) for fmr in (calibration.fmr(cosine), low, high)
        )
        found = tpir(probes, cosine)
        if not false.of:
            method: Method = "not_measurable"
        else:
            method = "empirical" if false.cases else "extrapolated"
        rows.append(AtScore(score, method, cosine, found, false, expected, least, most))
    return rows
