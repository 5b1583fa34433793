"""Two systems on the same photographs: which errs less, by how much, and for whom.

Both saw the same probes, so only those count on which they differ (McNemar, Psychometrika 12,
1947). The difference of the rates has an interval: people are drawn anew, each with all their
photographs (bootstrap); where fewer than 15 people are judged differently, that of Bonett and Price
(J. Educ. Behav. Stat. 37, 2012) on people, which is honest where nobody is. The test is exact where
each person has one photograph; else whole people change sides (signs are flipped).

Thresholds are either each system's own, of its policy, or those at which each shows the same FPIR
on these probes: scores of two systems mean different things.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fr_cli.evaluation.equality import LEVEL, MIN_PEOPLE, holm
from fr_cli.evaluation.labels import Grouping
from fr_cli.evaluation.rates import Probes, threshold_at_fpir

DRAWS = 2_000
FLIPS = 9_999
#: A bootstrap wants at least this many people whom the two systems judge differently.
ENOUGH_PEOPLE = 15

Better = Literal["a", "b", "neither"]


@dataclass(frozen=True)
class Paired:
    """One rate of two systems on the same probes.

    `rate` is `tpir` or `fpir`; `at` says at which thresholds, `group` of whom ("" for all).
    `a`, `b` are the rates, `difference` is b − a with its 95 % interval `low` … `high`; `only_a`
    and `only_b` are probes that are a case for one of them only. `p` is the test's, `p_holm`
    adjusted for the groups it stands among; `better` whose rate is, by that.
    """

    rate: Literal["tpir", "fpir"]
    at: str
    group: str
    people: int
    of: int
    a: float
    b: float
    difference: float
    low: float
    high: float
    only_a: int
    only_b: int
    p: float
    p_holm: float
    better: Better

    @property
    def sentence(self) -> str:
        """What is found, and how sure: never only that nothing was."""
        who = f" of {self.group}" if self.group else ""
        interval = f"{100 * self.low:+.2f} … {100 * self.high:+.2f} points"
        name = f"{self.rate.upper()}{who} {self.at}"
        if self.better == "neither":
            return f"{name}: B − A lies between {interval}; neither is shown to be better."
        return (
            f"{name}: {self.better.upper()} is better, B − A = "
            f"{100 * self.difference:+.2f} points ({interval})."
        )


def compare(
    a: Probes,
    b: Probes,
    operating: tuple[float, float] | None,
    groupings: Sequence[Grouping] = (),
    fpir: float = 0.01,
    seed: int = 0,
) -> list[Paired]:
    """Every rate that both can show, of all probes and of each group of ten people or more.

    Row i of both is one photograph. `operating` are the two systems' own thresholds, as scores of
    each; None where one has none. The same seed gives the same rows. Raises ValueError where the
    two are not of the same photographs.
    """
    if a.mated.shape != b.mated.shape or (a.mated != b.mated).any():
        raise ValueError("the two systems did not see the same probes")
    if (a.subjects != b.subjects).any():
        raise ValueError("the two systems did not see the same people")
    thresholds = {}
    if operating is not None:
        thresholds["at its own threshold"] = operating
    if a.nonmated_count * fpir >= 1.0:
        same = threshold_at_fpir(a, fpir), threshold_at_fpir(b, fpir)
        thresholds[f"where each has FPIR {fpir:.2%}"] = same
    rows = []
    for at, (own_a, own_b) in thresholds.items():
        found = [p.acquired & (p.mate >= t) for p, t in ((a, own_a), (b, own_b))]
        false = [p.acquired & (p.nonmate >= t) for p, t in ((a, own_a), (b, own_b))]
        rows += _rates("tpir", at, found, a.mated, a.subjects, groupings, seed)
        rows += _rates("fpir", at, false, ~a.mated, a.subjects, groupings, seed)
    return rows


def _rates(
    rate: Literal["tpir", "fpir"],
    at: str,
    cases: Sequence[NDArray[np.bool_]],
    among: NDArray[np.bool_],
    subjects: NDArray[np.generic],
    groupings: Sequence[Grouping],
    seed: int,
) -> list[Paired]:
    if not among.any():
        return []
    rows = [_paired(rate, at, "", cases, among, subjects, seed)]
    for grouping in groupings:
        part = []
        for code, label in enumerate(grouping.labels):
            inside = among & (grouping.codes == code)
            if np.unique(subjects[inside]).size >= MIN_PEOPLE:
                part.append(_paired(rate, at, label, cases, inside, subjects, seed))
        adjusted = holm([row.p for row in part])
        rows += [_judged(row, p) for row, p in zip(part, adjusted, strict=True)]
    return rows


def _paired(
    rate: Literal["tpir", "fpir"],
    at: str,
    group: str,
    cases: Sequence[NDArray[np.bool_]],
    among: NDArray[np.bool_],
    subjects: NDArray[np.generic],
    seed: int,
) -> Paired:
    a, b = (case[among] for case in cases)
    _, whose = np.unique(subjects[among], return_inverse=True)
    photos = np.bincount(whose)
    net = np.bincount(whose, weights=b.astype(np.float64) - a).astype(np.int64)
    rng = np.random.default_rng(seed)
    low, high = _interval(net, photos, rng)
    row = Paired(
        rate=rate,
        at=at,
        group=group,
        people=photos.size,
        of=a.size,
        a=float(a.mean()),
        b=float(b.mean()),
        difference=float(net.sum()) / a.size,
        low=low,
        high=high,
        only_a=int((a & ~b).sum()),
        only_b=int((b & ~a).sum()),
        p=_sign_test(net, rng),
        p_holm=1.0,
        better="neither",
    )
    return _judged(row, row.p)


def _judged(row: Paired, p: float) -> Paired:
    if p > LEVEL or row.difference == 0.0:
        return replace(row, p_holm=p)
    more_is_better = row.rate == "tpir"
    better: Better = "b" if (row.difference > 0) == more_is_better else "a"
    return replace(row, p_holm=p, better=better)


def _interval(
    net: NDArray[np.int64], photos: NDArray[np.int64], rng: np.random.Generator
) -> tuple[float, float]:
    """The 95 % interval of the difference, b − a, of people with so many photographs each."""
    people, value = net.size, net.sum() / photos.sum()
    if np.count_nonzero(net) < ENOUGH_PEOPLE:
        # On people: one photograph too many for b counts as a person for b.
        for_b, for_a = (np.maximum(sign * net / photos, 0.0).sum() for sign in (1, -1))
        p_b, p_a = (for_b + 1.0) / (people + 2.0), (for_a + 1.0) / (people + 2.0)
        half = 1.96 * math.sqrt((p_a + p_b - (p_b - p_a) ** 2) / (people + 2.0))
        low, high = p_b - p_a - half, p_b - p_a + half
    else:
        kinds, many = np.unique(np.stack([net, photos]), axis=1, return_counts=True)
        drawn = rng.multinomial(people, many / people, DRAWS)
        low, high = np.quantile((drawn @ kinds[0]) / (drawn @ kinds[1]), [0.025, 0.975])
    return max(min(float(low), float(value)), -1.0), min(max(float(high), float(value)), 1.0)


def _sign_test(net: NDArray[np.int64], rng: np.random.Generator) -> float:
    """The two-sided p-value that no system is favoured; McNemar's exact one for nets of ±1."""
    from scipy.special import bdtr

    differing = np.abs(net[net != 0])
    if not differing.size:
        return 1.0
    if (differing == 1).all():
        fewer = min(int((net > 0).sum()), int((net < 0).sum()))
        return min(2.0 * float(bdtr(fewer, differing.size, 0.5)), 1.0)
    sizes, many = np.unique(differing, return_counts=True)
    # How many of each size fall to b; the sum of the signs is then known.
    to_b = rng.binomial(many, 0.5, size=(FLIPS, sizes.size))
    sums = (2 * to_b - many) @ sizes
    return (1 + int(np.count_nonzero(np.abs(sums) >= abs(int(net.sum()))))) / (1 + FLIPS)
