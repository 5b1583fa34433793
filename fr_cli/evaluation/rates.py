"""Error rates of open-set identification (1:N), from what each probe's search found.

The words and denominators are those of ISO/IEC 19795-1:2021:

- FPIR(T): non-mated probes with any candidate at or above T, out of all non-mated probes;
- TPIR(T): mated probes whose mate is at or above T at any rank, out of all mated probes;
  FNIR = 1 − TPIR;
- CMC(R): mated probes whose mate is within the first R subjects, whatever its score.

A probe that could not be acquired (no face, quality below the floor) stays in the denominators:
mated, it is a miss; non-mated, it is no false positive, because no candidate was shown.
The scores may be any number that is higher for more alike, not only cosines.

Intervals are at 95 %, exact where every probe is another person's, else by drawing people
(`intervals.proportion`). They hold for the gallery as it is: other references are another
experiment. Nothing here looks for a flattering threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fr_cli.evaluation.intervals import Rate, proportion

CMC_RANKS = 50
DET_POINTS = 200


@dataclass(frozen=True, eq=False)
class Probes:
    """What the searches found, one row a probe; all arrays of shape (n,).

    mated     bool: whether the probe's subject has a reference
    acquired  bool: whether a template could be made; the columns below count only then
    nonmate   float: best score of any other subject (−inf where there is none)
    mate      float: best score of the probe's own subject, −inf where its reference failed to
              enrol (a miss at every threshold); not read for non-mated probes
    rank      int ≥ 1: the mate's place among subjects; not read for non-mated probes
    subjects  any: whose the probe is; by default every probe is a person of its own

    Raises ValueError for shapes that differ, a NaN or +inf where a score counts, or a mate
    with a rank below 1.
    """

    mated: NDArray[np.bool_]
    acquired: NDArray[np.bool_]
    nonmate: NDArray[np.float64]
    mate: NDArray[np.float64]
    rank: NDArray[np.int64]
    subjects: NDArray[np.generic] = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        if self.subjects.size == 0:
            object.__setattr__(self, "subjects", np.arange(self.mated.size))
        columns = (self.acquired, self.nonmate, self.mate, self.rank, self.subjects)
        if self.mated.ndim != 1 or any(column.shape != self.mated.shape for column in columns):
            raise ValueError("the columns of the probes differ in shape")
        others = self.nonmate[self.acquired]
        if np.isnan(others).any() or np.isposinf(others).any():
            raise ValueError("a probe has no valid score of the best other subject")
        mates = self.mate[self.mated & self.acquired]
        if np.isnan(mates).any() or np.isposinf(mates).any():
            raise ValueError("a mated probe has no valid score of its mate")
        if (self.rank[self.mated & self.acquired] < 1).any():
            raise ValueError("a mated probe has no rank of its mate")

    @property
    def mated_count(self) -> int:
        """Mated probes, acquired or not."""
        return int(np.count_nonzero(self.mated))

    @property
    def nonmated_count(self) -> int:
        """Non-mated probes, acquired or not."""
        return self.mated.size - self.mated_count

    @property
    def nonmated_people(self) -> int:
        """Different people among the non-mated probes: what a rate of theirs can rest on."""
        return int(np.unique(self.people[~self.mated]).size)

    @property
    def failures_to_acquire(self) -> int:
        """Probes, mated or not, of which no template could be made."""
        return int(np.count_nonzero(~self.acquired))

    @cached_property
    def people(self) -> NDArray[np.int64]:
        """Whose each probe is, as numbers from 0; shape (n,)."""
        numbers: NDArray[np.int64] = np.unique(self.subjects, return_inverse=True)[1]
        return numbers

    @property
    def false_scores(self) -> NDArray[np.float64]:
        """The best score of each acquired non-mated probe, falling."""
        return -np.sort(-self.nonmate[~self.mated & self.acquired].astype(np.float64))

    @property
    def mate_scores(self) -> NDArray[np.float64]:
        """The mate's score of each acquired mated probe, falling."""
        return -np.sort(-self.mate[self.mated & self.acquired].astype(np.float64))


@dataclass(frozen=True)
class DetPoint:
    """One point of the detection error trade-off curve."""

    threshold_cosine: float
    fpir: float
    fnir: float


def fpir(probes: Probes, threshold: float) -> Rate:
    """False-positive identification rate at a threshold (a score equal to it counts)."""
    return _share(probes, ~probes.mated, probes.nonmate >= threshold)


def tpir(probes: Probes, threshold: float) -> Rate:
    """True-positive identification rate at a threshold, the mate at any rank."""
    return _share(probes, probes.mated, probes.mate >= threshold)


def within_rank(probes: Probes, rank: int) -> Rate:
    """Mated probes with the mate among the first `rank` subjects; rank 1 is the usual one."""
    return _share(probes, probes.mated, probes.rank <= rank)


def _share(probes: Probes, those: NDArray[np.bool_], hits: NDArray[np.bool_]) -> Rate:
    """Of those probes, the acquired hits; what was not acquired stays in the denominator."""
    return proportion((hits & probes.acquired)[those], probes.people[those])


def cmc(probes: Probes, ranks: int = CMC_RANKS) -> list[float]:
    """Cumulative match characteristic at ranks 1 … `ranks`; empty without mated probes."""
    if not probes.mated_count:
        return []
    places = probes.rank[probes.mated & probes.acquired]
    at = np.bincount(places[places <= ranks], minlength=ranks + 1)[1:]
    return [float(found) for found in np.cumsum(at) / probes.mated_count]


def threshold_at_fpir(probes: Probes, target: float) -> float:
    """The smallest threshold at which no more than `target` of the non-mated probes reach it.

    It lies the least step a float can take above the first score that must stay out; where none
    must, it is the lowest score of all. Raises ValueError without non-mated probes or for a
    target outside [0, 1].
    """
    if not probes.nonmated_count or not 0.0 <= target <= 1.0:
        raise ValueError("needed: non-mated probes and a target in [0, 1]")
    return _threshold(probes, _allowed(target, probes.nonmated_count))


def det(probes: Probes, points: int = DET_POINTS) -> list[DetPoint]:
    """The DET curve from FPIR 0 upwards, at thresholds spread evenly in log FPIR.

    At most `points` + 1 points; empty without mated or without non-mated probes.
    """
    nonmated, mated = probes.nonmated_count, probes.mated_count
    if not nonmated or not mated:
        return []
    false, true = probes.false_scores, probes.mate_scores
    allowed = np.unique(np.geomspace(1, max(false.size, 1), points).round().astype(int))
    thresholds = dict.fromkeys(_threshold(probes, int(k)) for k in (0, *allowed))
    return [
        DetPoint(t, _reach(false, t) / nonmated, 1.0 - _reach(true, t) / mated) for t in thresholds
    ]


def _threshold(probes: Probes, allowed: int) -> float:
    """The smallest threshold that at most `allowed` non-mated probes reach."""
    false = probes.false_scores
    if allowed < false.size and np.isfinite(false[allowed]):
        return float(np.nextafter(false[allowed], np.inf))
    seen = np.concatenate([false, probes.mate_scores])
    seen = seen[np.isfinite(seen)]
    return float(seen.min()) if seen.size else 0.0


def _allowed(target: float, of: int) -> int:
    """The most cases whose rate is within the target: 3 of 1,000 for 0.003, despite rounding."""
    cases = min(int(target * of) + 1, of)
    return cases if cases / of <= target else cases - 1


def _reach(falling: Sequence[float] | NDArray[np.float64], threshold: float) -> int:
    return int(np.searchsorted(-np.asarray(falling), -threshold, side="right"))
