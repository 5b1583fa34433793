"""The most alike other subjects of each non-mated probe: who would stand on a candidate list.

Two measures come from them without another search: how long a list of false candidates is
(`selectivity`), and how FPIR grows with the gallery (`growth`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Subjects that are kept of each probe.
LONGEST = 50


@dataclass(frozen=True, eq=False)
class Lists:
    """The best subjects of each non-mated probe, all rows falling; −inf and −1 past the end.

    scores      (n, k) float: of the k most alike subjects; −inf for probes not acquired
    subjects    (n, k) int: their numbers, 0 … `enrolled` − 1
    people      (n,) int64: whose the probe is
    enrolled    subjects in the gallery
    references  references in the gallery
    """

    scores: NDArray[np.float64]
    subjects: NDArray[np.int64]
    people: NDArray[np.int64]
    enrolled: int
    references: int

    def reaching(self, threshold: float) -> NDArray[np.int64]:
        """How many subjects reach the threshold, of each probe; at most k are known of; (n,)."""
        return np.count_nonzero(self.scores >= threshold, axis=1)
