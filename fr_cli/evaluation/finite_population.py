"""Rates in a finite population, of which a part was looked at: intervals, and how much to look at.

Drawing without replacement, what was looked at is known for good: of a census the rate is exact.

- One stratum: the exact interval of a hypergeometric count: the numbers of cases in the population
  that would not make what was seen improbable (Buonaccorsi, The American Statistician 41, 1987; the
  finite counterpart of Clopper & Pearson).
- Several: each stratum's share weighs as much as the stratum, and the interval is Clopper–Pearson's
  for n* trials, where 1/n* = Σ W² (1 − f) / n over the strata (W its part of the population, f the
  part of it that was drawn): as many independent draws as have the same variance where cases are
  spread evenly (Korn & Graubard, Survey Methodology 24, 1998; Cochran, Sampling Techniques, 1977,
  eq. 5.6, with its finite-population correction).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Interval = tuple[float, float]


@dataclass(frozen=True)
class Stratum:
    """How many there are, how many were looked at, how many of these are cases, or may be.

    Raises ValueError unless 0 ≤ cases, cases + unclear ≤ drawn ≤ population and drawn ≥ 1.
    """

    population: int
    drawn: int
    cases: int
    unclear: int = 0

    def __post_init__(self) -> None:
        possible = self.cases + self.unclear <= self.drawn <= self.population
        if not possible or min(self.cases, self.unclear) < 0 or self.drawn < 1:
            raise ValueError(f"{self} cannot be")


@dataclass(frozen=True)
class Share:
    """The share of cases in a population with its 95 % interval; the unclear widen it upwards.

    `value` counts the unclear as no cases, `low` too, `high` as cases.
    """

    value: float
    low: float
    high: float


def of_stratum(one: Stratum, level: float = 0.95) -> Share:
    """The share of cases in one stratum."""
    low, _ = hypergeometric(one.cases, one.drawn, one.population, level)
    _, high = hypergeometric(one.cases + one.unclear, one.drawn, one.population, level)
    return Share(one.cases / one.drawn, low, high)


def of_all(strata: Sequence[Stratum], level: float = 0.95) -> Share:
    """The share of cases in the whole population, of which every stratum is given."""
    if len(strata) == 1:
        return of_stratum(strata[0], level)
    everything = sum(one.population for one in strata)
    weights = [one.population / everything for one in strata]
    # Divided last, so that rounding cannot carry a share of one beyond one.
    least = sum(one.population * one.cases / one.drawn for one in strata) / everything
    most = (
        sum(one.population * (one.cases + one.unclear) / one.drawn for one in strata) / everything
    )
    spread = sum(
        w**2 * (1 - one.drawn / one.population) / one.drawn
        for w, one in zip(weights, strata, strict=True)
    )
    if not spread:
        return Share(least, least, most)
    low, _ = _clopper_pearson(least, 1 / spread, level)
    _, high = _clopper_pearson(most, 1 / spread, level)
    # What was seen is there for certain.
    seen = sum(one.cases for one in strata)
    clean = sum(one.drawn - one.cases - one.unclear for one in strata)
    low, high = max(low, seen / everything), min(high, 1 - clean / everything)
    return Share(least, min(low, least), max(high, most))


def hypergeometric(cases: int, drawn: int, population: int, level: float = 0.95) -> Interval:
    """The exact interval of the share of cases in a population, of which `drawn` were looked at."""
    from scipy.stats import hypergeom

    tail = (1 - level) / 2
    least, most = cases, population - (drawn - cases)
    # The fewest cases of which so many or more are not improbable; the chance rises with them.
    low, high = least, most
    while low < high:
        middle = (low + high) // 2
        if hypergeom.sf(cases - 1, population, middle, drawn) > tail:
            high = middle
        else:
            low = middle + 1
    fewest = low
    low, high = least, most
    while low < high:
        middle = (low + high + 1) // 2
        if hypergeom.cdf(cases, population, middle, drawn) > tail:
            low = middle
        else:
            high = middle - 1
    return fewest / population, low / population


def half_width(expected: float, drawn: int, population: int | None, level: float = 0.95) -> float:
    """Half of the interval's length if the share seen in so many is the expected one."""
    if population is not None and drawn >= population:
        return 0.0
    trials = drawn / (1 - drawn / population) if population else float(drawn)
    low, high = _clopper_pearson(expected, trials, level)
    return (high - low) / 2


def size_for(
    precision: float, expected: float, population: int | None = None, level: float = 0.95
) -> int:
    """The fewest that must be looked at so that the rate is known to ± `precision`.

    If the share seen is the expected one; `population` None is one without end. Raises ValueError
    unless 0 < precision < 1, 0 ≤ expected ≤ 1 and the population is at least 1.
    """
    if (
        not 0 < precision < 1
        or not 0 <= expected <= 1
        or (population is not None and population < 1)
    ):
        raise ValueError("a precision lies in (0, 1), an expected rate in [0, 1]")
    high = population or 1
    while half_width(expected, high, population, level) > precision:
        high *= 2
    low = 1
    while low < high:
        middle = (low + high) // 2
        if half_width(expected, middle, population, level) > precision:
            low = middle + 1
        else:
            high = middle
    return low


def _clopper_pearson(share: float, trials: float, level: float) -> Interval:
    """Clopper & Pearson's interval for a number of trials that need not be whole."""
    from scipy.special import betaincinv

    tail, cases = (1 - level) / 2, share * trials
    low = float(betaincinv(cases, trials - cases + 1, tail)) if share > 0 else 0.0
    high = float(betaincinv(cases + 1, trials - cases, 1 - tail)) if share < 1 else 1.0
    return min(low, share), max(high if not math.isnan(high) else 1.0, share)
