"""Do the groups have the same error rate? A test, and what the test could have seen at all.

Each group is held against all others together. With one photograph a person that is Fisher's exact
test (two-sided: the tables no more probable than the one seen; Fisher 1922). With several it is a
permutation test: whole people change groups, with all their photographs (Good 2005), and the
difference of the two rates is what is compared. With several groups the p-values are adjusted by
Holm's method (1979), so that a fair system is called unequal in at most 5 of 100 evaluations, for
one rate and one way of grouping.

A test that finds nothing shows nothing unless it could have found something. So each group gets
the smallest ratio to the others that the same test would have found in 80 of 100 evaluations, were
the same number of errors spread so: exactly, by Fisher's noncentral hypergeometric distribution,
upwards and downwards, on the counts that the design effect leaves.

The verdict is one of three: the rates differ; no difference larger than such a ratio would have
been missed; or the data is too little to say, when a tenfold one could have been. NIST IR 8280 saw
false positives of groups differ by factors of 10 to over 100: a test that would miss that is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fr_cli.evaluation.trials import People, Tally, Trials, design_effect, people, tally

LEVEL = 0.05
POWER = 0.80
#: A ratio that could be missed and is greater than this leaves the question open.
TELLING = 10.0
#: Fewer people than this make no group to judge: one of them would be a tenth of its rate.
MIN_PEOPLE = 10
#: Permutations of people; the smallest p-value is 1/10,000.
PERMUTATIONS = 9_999

_LARGEST = 1_000.0

Verdict = Literal["differs", "no_larger_difference_missed", "too_little_data"]


@dataclass(frozen=True)
class Against:
    """One group held against all others together.

    `p` is the test's, `p_holm` adjusted for as many groups; `detectable` the smallest ratio of
    rates, up or down, that would have been found with a power of 80 %, None where none would.
    """

    tally: Tally
    p: float
    p_holm: float
    detectable: float | None


@dataclass(frozen=True)
class Judgement:
    """What the data says of the groups' rates: the verdict, its sentence, and what is behind it.

    `too_small` are the groups of fewer than 10 people, which were left out; `detectable` the
    largest of the groups' detectable ratios; `test` is `fisher`, `permutation` or `none`.
    """

    verdict: Verdict
    sentence: str
    test: Literal["fisher", "permutation", "none"]
    groups: tuple[Against, ...]
    too_small: tuple[Tally, ...]
    detectable: float | None

    @property
    def differing(self) -> tuple[Against, ...]:
        """The groups whose rate differs from that of the others."""
        return tuple(group for group in self.groups if group.p_holm <= LEVEL)


def judge(trials: Trials, rate: str, seed: int = 0) -> Judgement:
    """Judge whether the groups differ; `rate` is the name that the sentence gives to the rate.

    The same seed gives the same permutations.
    """
    rows = tally(trials)
    large = [code for code, row in enumerate(rows) if row.people >= MIN_PEOPLE]
    too_small = tuple(row for row in rows if 0 < row.people < MIN_PEOPLE)
    kept = trials.only(np.isin(trials.groups, large))
    by_person = people(kept)
    if len(large) < 2:
        why = f"fewer than two groups have {MIN_PEOPLE} people"
        if not trials.case.size:
            why = "there is nothing to count"
        return Judgement("too_little_data", _too_little(rate, why), "none", (), too_small, None)
    single = by_person.single
    ps = _fisher(rows, large) if single else _permuted(by_person, large, seed)
    if len(large) == 2:  # both ask the same question
        ps, adjusted, times = [ps[0]] * 2, [ps[0]] * 2, 1
    else:
        adjusted, times = holm(ps), len(large)
    effect = design_effect(by_person.cases, by_person.of)
    of = [round(rows[code].rate.of / effect) for code in large]
    cases = round(by_person.cases.sum() / effect)
    ratios = [detectable_ratio(n, sum(of) - n, cases, LEVEL / times) for n in of]
    groups = tuple(
        Against(rows[code], p, p_holm, None if math.isinf(ratio) else ratio)
        for code, p, p_holm, ratio in zip(large, ps, adjusted, ratios, strict=True)
    )
    verdict, sentence = _verdict(rate, groups, by_person, max(ratios))
    worst = None if math.isinf(max(ratios)) else max(ratios)
    test: Literal["fisher", "permutation"] = "fisher" if single else "permutation"
    return Judgement(verdict, sentence, test, groups, too_small, worst)


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given."""
    order = sorted(range(len(ps)), key=lambda place: ps[place])
    adjusted, highest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min((len(ps) - rank) * ps[place], 1.0))
        adjusted[place] = highest
    return adjusted


def fisher(cases: int, of: int, other_cases: int, other_of: int) -> float:
    """The two-sided p-value of Fisher's exact test for two proportions."""
    low, pmf = _central(of, other_of, cases + other_cases)
    return float(_two_sided(pmf)[cases - low])


def detectable_ratio(of: int, others: int, cases: int, level: float) -> float:
    """The smallest ratio of a group's rate to the others', up or down, found with power 0.80.

    `of` and `others` are photographs, `cases` the errors of all of them, which stay as many.
    Infinite where no ratio up to 1,000, or up to a rate of 1, would be found.
    """
    if not of or not others or not 0 < cases < of + others:
        return math.inf
    low, pmf = _central(of, others, cases)
    found = _two_sided(pmf) <= level
    support = low + np.arange(pmf.size)
    with np.errstate(divide="ignore"):
        logs = np.log(pmf)

    def power(ratio: float) -> float:
        """Of the group's rate being `ratio` times that of the others."""
        other = cases / (of * ratio + others)
        own = ratio * other
        odds = math.log(own) + math.log1p(-other) - math.log1p(-own) - math.log(other)
        tilted = logs + odds * support
        weights = np.exp(tilted - tilted.max())
        return float(weights[found].sum() / weights.sum())

    # Neither rate may pass 1.
    up, down = _LARGEST, _LARGEST
    if cases > of:
        up = min(up, others / (cases - of))
    if cases > others:
        down = min(down, of / (cases - others))
    return max(
        _least(power, up * (1.0 - 1e-9)), _least(lambda r: power(1.0 / r), down * (1.0 - 1e-9))
    )


def _least(power: Callable[[float], float], largest: float) -> float:
    """The smallest ratio in (1, largest] whose power is enough, to 3 digits; infinite if none."""
    if largest <= 1.0 or power(largest) < POWER:
        return math.inf
    low, high = 1.0, largest
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if power(middle) >= POWER else (middle, high)
    return high


def _central(of: int, others: int, cases: int) -> tuple[int, NDArray[np.float64]]:
    """The hypergeometric distribution of a group's cases: the least of them, and its masses."""
    from scipy.special import gammaln

    low, high = max(0, cases - others), min(cases, of)
    k = np.arange(low, high + 1, dtype=np.float64)
    logs = -(
        gammaln(k + 1) + gammaln(of - k + 1)
        + gammaln(cases - k + 1) + gammaln(others - cases + k + 1)
    )  # fmt: skip
    pmf = np.exp(logs - logs.max())
    return low, pmf / pmf.sum()


def _two_sided(pmf: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each outcome the probability of those that are no more probable."""
    order = np.argsort(pmf, kind="stable")
    cumulated = np.cumsum(pmf[order])
    # Outcomes of the same probability count for each other, despite rounding.
    last = np.searchsorted(pmf[order], pmf * (1.0 + 1e-7), side="right") - 1
    return np.asarray(np.minimum(cumulated[last], 1.0))


def _fisher(rows: Sequence[Tally], large: Sequence[int]) -> list[float]:
    counts = [(rows[code].rate.cases, rows[code].rate.of) for code in large]
    cases, of = (sum(column) for column in zip(*counts, strict=True))
    return [fisher(k, n, cases - k, of - n) for k, n in counts]


def _permuted(by_person: People, large: Sequence[int], seed: int) -> list[float]:
    """The permutation test of each group against the others.

    People with as many photographs and cases are alike to it, so that a permutation is a draw of
    how many of each kind a group gets: multivariate hypergeometric.
    """
    rng = np.random.default_rng(seed)
    kinds, which = np.unique(np.stack([by_person.of, by_person.cases]), axis=1, return_inverse=True)
    which = which.reshape(-1)
    sizes = np.bincount(which)
    photos, cases = (kinds.astype(np.float64) @ np.diag(sizes)).sum(axis=1)

    def gap(drawn: NDArray[np.int64]) -> NDArray[np.float64]:
        """|rate of the group − rate of the others| of draws (m, kinds)."""
        of, k = drawn @ kinds[0], drawn @ kinds[1]
        return np.asarray(np.abs(k / of - (cases - k) / (photos - of)))

    ps = []
    for code in large:
        own = np.bincount(which[by_person.groups == code], minlength=sizes.size)
        draws = rng.multivariate_hypergeometric(sizes, int(own.sum()), size=PERMUTATIONS)
        as_far = np.count_nonzero(gap(draws) >= gap(own[None, :])[0] - 1e-12)
        ps.append((1 + int(as_far)) / (1 + PERMUTATIONS))
    return ps


def _verdict(
    rate: str, groups: Sequence[Against], by_person: People, largest: float
) -> tuple[Verdict, str]:
    differing = [group for group in groups if group.p_holm <= LEVEL]
    if differing:
        if len(groups) == 2:
            differing.sort(key=lambda group: -(group.tally.rate.value or 0.0))
            high, low = (_counted(group.tally) for group in differing)
            return "differs", f"{rate} differs: {high} against {low}."
        said = "; ".join(f"{_counted(one.tally)}" for one in differing)
        return "differs", f"{rate} differs from that of the others for {said}."
    if not by_person.cases.any() or (by_person.cases == by_person.of).all():
        every = "every photo was a case" if by_person.cases.any() else "no case in any group"
        return "too_little_data", _too_little(rate, every)
    if math.isinf(largest):
        return "too_little_data", _too_little(
            rate, "even a thousandfold difference could be missed"
        )
    if largest > TELLING:
        why = f"a difference by a factor of {largest:.0f} could have been missed"
        return "too_little_data", _too_little(rate, why)
    return (
        "no_larger_difference_missed",
        f"{rate}: no difference larger than a factor of {largest:.1f} would have been missed.",
    )


def _too_little(rate: str, why: str) -> str:
    return f"{rate}: too little data to say ({why})."


def _counted(row: Tally) -> str:
    return f"{row.name} {row.rate.value:.2%} ({row.rate.cases:,} of {row.rate.of:,})"
