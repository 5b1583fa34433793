"""What years between two photographs of a person cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fr_cli.evaluation.intervals import Rate, proportion

#: Years at which a band ends; the last has no end.
BANDS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0)


@dataclass(frozen=True)
class AgeBand:
    """Mated comparisons so many years apart (from `years` up to, not with, `to`; None: no end).

    `median_cosine` is theirs; `fnmr` is counted at the threshold of the whole.
    """

    years: float
    to: float | None
    median_cosine: float
    fnmr: Rate


def ageing(
    cosines: NDArray[np.float64],
    subjects: NDArray[np.int64],
    years: NDArray[np.float64],
    threshold: float,
) -> list[AgeBand]:
    """A row for each band that has comparisons, of mated ones with their years apart (m,).

    `years` is NaN where a date is missing; such comparisons are left out.
    """
    rows = []
    for start, end in zip(BANDS, (*BANDS[1:], None), strict=True):
        there = (years >= start) & (years < (np.inf if end is None else end))
        if there.any():
            missed = proportion(cosines[there] < threshold, subjects[there])
            rows.append(AgeBand(start, end, float(np.median(cosines[there])), missed))
    return rows
