"""How FPIR grows with the gallery: measured, forecast, and the forecast checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fr_cli.decision.calibration import Calibration
from fr_cli.evaluation.intervals import Mean, mean
from fr_cli.evaluation.lists import Lists
from fr_cli.evaluation.points import Method

#: Shares of the gallery that are measured, and multiples of it that are forecast.
SHARES = (0.01, 0.03, 0.1, 0.3, 1.0)
MULTIPLES = (10.0, 100.0)
#: FPIR of the whole gallery at the thresholds of the check: a tenth must still show some.
CHECKED = (0.5, 0.3, 0.1)
WITHIN = 1.5


@dataclass(frozen=True)
class FpirAtN:
    """FPIR at one threshold in galleries of one size.

    `fpir` is the mean over all galleries that could be drawn of this one: a probe that c of S
    subjects reach finds none in a draw of n with the chance C(S−c, n) / C(S, n). `forecast` is
    1 − exp(−N · FMR) by the calibration, with its interval; beyond the gallery it stands alone
    and the row is `extrapolated`.
    """

    threshold_cosine: float
    threshold_score: float
    references: int
    method: Method
    fpir: Mean | None
    forecast: float
    forecast_low: float
    forecast_high: float


def fpir_by_n(lists: Lists, calibration: Calibration, thresholds: Sequence[float]) -> list[FpirAtN]:
    """Rows by threshold and size; empty without non-mated probes."""
    rows = []
    for threshold in thresholds if lists.people.size else ():
        found = lists.reaching(threshold)
        for share in (*SHARES, *MULTIPLES):
            subjects = round(share * lists.enrolled)
            references = round(share * lists.references)
            measured = None
            if share <= 1.0:
                if not subjects:
                    continue
                measured = mean(_any(found, lists.enrolled, subjects), lists.people, unit=True)
            low, high = calibration.fmr_interval(threshold)
            rates = [-math.expm1(-references * x) for x in (calibration.fmr(threshold), low, high)]
            method: Method = "empirical" if measured else "extrapolated"
            score = calibration.score(threshold)
            rows.append(FpirAtN(threshold, score, references, method, measured, *rates))
    return rows


def _any(found: NDArray[np.int64], enrolled: int, drawn: int) -> NDArray[np.float64]:
    """The chance that a draw of so many subjects holds at least one of those found."""
    from scipy.special import gammaln

    left = np.maximum(enrolled - found - drawn, 0)
    logs = (
        gammaln(enrolled - found + 1)
        - gammaln(left + 1)
        - gammaln(enrolled + 1)
        + gammaln(enrolled - drawn + 1)
    )
    return np.where(enrolled - found < drawn, 1.0, -np.expm1(logs))


@dataclass(frozen=True)
class Growth:
    """FPIR forecast from a tenth of the gallery, and what the whole one shows.

    The FMR of the tenth is −ln(1 − FPIR) / N; `ratio` is measured / forecast. `holds`: within
    1.5 ×. Rows in which the tenth shows fewer than 10 false positives are not measurable.
    """

    threshold_cosine: float
    references: int
    forecast: float
    larger: int
    measured: float
    ratio: float
    holds: bool


def growth(lists: Lists, seed: int = 0) -> list[Growth]:
    """Draw a tenth of the subjects and forecast the whole, at thresholds where both can show it."""
    best = -np.sort(-lists.scores[:, 0]) if lists.people.size else np.empty(0)
    tenth = np.zeros(lists.enrolled + 1, bool)  # the last is that of nobody
    size = lists.enrolled // 10
    tenth[np.random.default_rng(seed).choice(lists.enrolled, size, replace=False)] = True
    drawn = np.where(tenth[lists.subjects], lists.scores, -np.inf).max(axis=1, initial=-np.inf)
    rows = []
    for share in CHECKED:
        place = round(share * best.size) - 1
        if place < 0 or not np.isfinite(best[place]):
            continue
        threshold = float(best[place])
        few, many = int((drawn >= threshold).sum()), int((best >= threshold).sum())
        if few < 10 or few == best.size:
            continue
        fmr = -math.log1p(-few / best.size) / size
        forecast, measured = -math.expm1(-fmr * lists.enrolled), many / best.size
        ratio = measured / forecast
        references = round(lists.references * size / lists.enrolled)
        holds = 1.0 / WITHIN <= ratio <= WITHIN
        whole = lists.references
        rows.append(Growth(threshold, references, forecast, whole, measured, ratio, holds))
    return rows
