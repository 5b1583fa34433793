"""How the scores of mated and of non-mated comparisons are spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fr_cli.evaluation.impostors import BINS, Comparisons

#: Bins that are shown: ten of the sample's make one, 0.01 wide for cosines.
SHOWN = 200


@dataclass(frozen=True)
class Histograms:
    """Counts in 200 bins of equal width from `low` to `high`; a score on an edge counts above."""

    low: float
    high: float
    mated: list[int]
    nonmated: list[int]


def histograms(compared: Comparisons) -> Histograms:
    """The counts of every comparison."""
    sample = compared.nonmated
    mated, _ = np.histogram(compared.mated.cosines, SHOWN, (sample.low, sample.high))
    nonmated = sample.counts.reshape(SHOWN, BINS // SHOWN).sum(axis=1)
    return Histograms(sample.low, sample.high, mated.tolist(), nonmated.tolist())
