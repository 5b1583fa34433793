"""Is the score's meaning true for people the fit has not seen? Predicted against observed FMR.

A calibration is fitted to one half of the people. At the cosines where it predicts an FMR of 1e-4,
1e-5 and 1e-6, the comparisons among the other half are counted. Both sides are uncertain: the
prediction by its draws, the count by drawing people. So the ratio of the two is given with an
interval, and the calibration passes where that holds 1.

The anchor, 1.67e-8, is shown too, with what the fit says of its own doubt, and marked
`extrapolated`: no set of photographs that this could be counted on is in sight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fr_cli.decision.calibration import ANCHOR_FMR, Calibration, score_of
from fr_cli.evaluation.impostors import ImpostorSample
from fr_cli.evaluation.intervals import Rate
from fr_cli.evaluation.points import Method
from fr_cli.evaluation.verification import drawn_fmr, fmr

TARGETS = (1e-4, 1e-5, 1e-6, ANCHOR_FMR)


@dataclass(frozen=True)
class HeldOut:
    """One predicted FMR, with the fit's own interval, and what the unseen half shows there.

    `empirical`: the unseen half can show it (at least 1 / its pairs of people). `ratio` is
    observed / predicted; `holds` whether its interval holds 1. All three are None otherwise.
    """

    predicted: float
    predicted_low: float
    predicted_high: float
    threshold_cosine: float
    method: Method
    observed: Rate | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    holds: bool | None = None


def held_out(
    fitted: Calibration, unseen: ImpostorSample, targets: Sequence[float] = TARGETS
) -> list[HeldOut]:
    """A row for each predicted FMR, in their order."""
    rows = []
    for target in targets:
        cosine = fitted.cosine(score_of(target))
        low, high = fitted.fmr_interval(cosine)
        if target < 1.0 / unseen.subject_pairs:
            rows.append(HeldOut(target, low, high, cosine, "extrapolated"))
            continue
        observed = fmr(unseen, cosine)
        assert observed.value is not None
        least, most = _ratios(fitted, unseen, cosine, observed)
        ratio = observed.value / target
        seen = (observed, ratio, least, most, least <= 1.0 <= most)
        rows.append(HeldOut(target, low, high, cosine, "empirical", *seen))
    return rows


def _ratios(
    fitted: Calibration, unseen: ImpostorSample, cosine: float, observed: Rate
) -> tuple[float, float]:
    """The 95 % interval of observed / predicted."""
    low, high = fitted.fmr_interval(cosine)
    if observed.interval != "bootstrap":
        # Two intervals at 95 %, not two samples: the outer ends, which errs on the wide side.
        return observed.low / high, observed.high / low
    drawn = np.sort(drawn_fmr(unseen, observed.cases))
    predicted = np.array([_rate(fitted, cosine, place) for place in range(len(fitted.draws))])
    quotients = np.log(drawn[:, None]) - np.log(predicted[None, :])
    least, most = np.exp(np.quantile(quotients, [0.025, 0.975]))
    return float(least), float(most)


def _rate(fitted: Calibration, cosine: float, draw: int) -> float:
    tail = fitted.draws[draw]
    if cosine >= tail.u:
        return float(np.exp(-tail.evidence(cosine)))
    return fitted.fmr(cosine) * tail.p_u / fitted.tail.p_u
