"""The false match rate within a group and between two, from every comparison of different people.

A search meets mostly people of the probe's own group where a gallery is made of one, and within a
group (same sex, same age, same ethnicity) false matches are more frequent: so pooled rates flatter.
The intervals draw people anew, as those of the calibration do (`tail`), and are never narrower than
Clopper–Pearson on the counts. Where no comparison reached the threshold, the upper limit is that of
the rule of three on pairs of people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fr_cli.evaluation.impostors import ImpostorSample
from fr_cli.evaluation.intervals import Rate, clopper_pearson

#: Pooled false match rates at whose cosine the groups are compared.
POOLED = (1e-2, 1e-3, 1e-4, 1e-5)
#: At least so many comparisons lie above it, of all groups together.
MIN_ABOVE = 30
DRAWS = 200


@dataclass(frozen=True)
class Cell:
    """Comparisons of people of `one` group with people of `other` (the same for within).

    `rate.of` are comparisons; `people` how many persons take part.
    """

    one: str
    other: str
    rate: Rate
    people: int


@dataclass(frozen=True)
class GroupFmr:
    """All cells at one cosine; `pooled` is the rate of all comparisons, whoever is compared."""

    cosine: float
    pooled: Rate
    cells: tuple[Cell, ...]

    @property
    def telling(self) -> bool:
        """Whether enough comparisons lie above the cosine for groups to be told apart."""
        return self.pooled.cases >= MIN_ABOVE


def cosines_to_compare_at(sample: ImpostorSample) -> list[float]:
    """The cosines of the pooled rates of POOLED that enough comparisons reach."""
    counts = (round(rate * sample.comparisons) for rate in POOLED)
    return [
        float(sample.cosines[count]) for count in counts if MIN_ABOVE <= count < sample.cosines.size
    ]


def group_fmr(
    sample: ImpostorSample, groups: NDArray[np.int64], names: Sequence[str], cosine: float,
    seed: int = 0,
) -> GroupFmr:  # fmt: skip
    """The false match rates at a cosine, by the groups of the two people.

    `groups`, shape (S,), is the group of each subject of the sample as a place in `names`, −1 for
    none. The same seed gives the same intervals. Raises ValueError for another shape, or a cosine
    below those that the sample keeps one by one.
    """
    if groups.shape != sample.images.shape:
        raise ValueError("needed: a group for each subject of the sample")
    kept_all = sample.cosines.size == sample.comparisons
    if not kept_all and (not sample.cosines.size or cosine <= sample.cosines[-1]):
        raise ValueError(f"the sample does not keep the comparisons down to {cosine}")
    above = sample.cosines >= cosine
    first, second = sample.first[above], sample.second[above]
    rng = np.random.default_rng(seed)
    weights = rng.standard_exponential((DRAWS, groups.size))
    members = [groups == code for code in range(len(names))]
    cells = []
    for one in range(len(names)):
        for other in range(one, len(names)):
            hit = (members[one][first] & members[other][second]) | (
                members[other][first] & members[one][second]
            )
            cell = _cell(sample, members[one], members[other], first[hit], second[hit], weights)
            people = int((members[one] | members[other]).sum())
            cells.append(Cell(names[one], names[other], cell, people))
    everybody = np.ones(groups.size, bool)
    pooled = _cell(sample, everybody, everybody, first, second, weights)
    return GroupFmr(cosine, pooled, tuple(cells))


def _cell(
    sample: ImpostorSample, one: NDArray[np.bool_], other: NDArray[np.bool_],
    first: NDArray[np.int64], second: NDArray[np.int64], weights: NDArray[np.float64],
) -> Rate:  # fmt: skip
    within = bool((one == other).all())

    def comparisons(weight: NDArray[np.float64]) -> float:
        if within:
            return sample.weighted_comparisons(weight * one)
        # The sum over pairs is bilinear: what both together have beyond each alone.
        return (
            sample.weighted_comparisons(weight * (one | other))
            - sample.weighted_comparisons(weight * one)
            - sample.weighted_comparisons(weight * other)
        )

    of, cases = round(comparisons(np.ones(one.size))), first.size
    if not of:
        return Rate(None, 0.0, 1.0, 0, 0)
    low, high = clopper_pearson(cases, of)
    if not cases:
        pairs = one.sum() * (one.sum() - 1) // 2 if within else one.sum() * other.sum()
        return Rate(
            0.0, 0.0, max(high, min(3.0 / max(int(pairs), 1), 1.0)), 0, of, "exact_by_subject"
        )
    drawn = [
        float((weight[first] * weight[second]).sum()) / total
        for weight in weights
        if (total := comparisons(weight)) > 0.0
    ]
    drawn_low, drawn_high = np.quantile(drawn, [0.025, 0.975])
    low, high = min(low, float(drawn_low)), max(high, float(drawn_high))
    return Rate(cases / of, low, high, cases, of, "bootstrap")
