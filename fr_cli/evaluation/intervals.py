"""How sure a rate is: exact binomial intervals, and a bootstrap over subjects.

The binomial intervals hold for independent trials. Several photographs of one person are not
independent; for those, people are drawn, not photographs (ISO/IEC 19795-1:2021, annex on
uncertainty; Schuckers, Computational Methods in Biometric Authentication, 2010). `proportion`
chooses, and says which it took:

- `exact`: no person has two trials; Clopper–Pearson;
- `bootstrap`: people are drawn anew, with all their trials;
- `exact_by_subject`: people have several trials, but fewer than 15 of them a case (or fewer than
  15 a trial that is none). A bootstrap cannot draw what it has hardly seen, so Clopper–Pearson
  with as many trials as there are people: Kish's (Σm)²/Σm² for m trials each, the effective
  sample when the trials of a person all end alike (Korn & Graubard, Survey Methodology 24, 1998).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]
How = Literal["exact", "bootstrap", "exact_by_subject"]

#: A bootstrap wants at least this many people with a case, and as many with none.
ENOUGH_PEOPLE = 15
DRAWS = 1000


@dataclass(frozen=True)
class Rate:
    """A proportion with its 95 % interval; `value` is None when there was nothing to count.

    `interval` says how the interval was made: `exact`, `bootstrap`, `exact_by_subject`.
    """

    value: float | None
    low: float
    high: float
    cases: int
    of: int
    interval: How = "exact"


def proportion(
    hits: NDArray[np.bool_], subjects: NDArray[np.int64], level: float = 0.95, seed: int = 0
) -> Rate:
    """The share of trials that are hits, with the interval that fits the data.

    `hits` (n,) are the trials, `subjects` (n,) says whose each is, in numbers 0 … S − 1 (not all
    need occur). The same seed gives the same interval. Raises ValueError unless 0 < level < 1.
    """
    cases, of = int(np.count_nonzero(hits)), hits.size
    if not of:
        return Rate(None, 0.0, 1.0, 0, 0)
    trials = np.bincount(subjects)
    found = np.bincount(subjects[hits], minlength=trials.size)
    found, trials = found[trials > 0], trials[trials > 0]
    if trials.max() == 1:
        return Rate(cases / of, *clopper_pearson(cases, of, level), cases, of)
    if min(np.count_nonzero(found > 0), np.count_nonzero(found < trials)) < ENOUGH_PEOPLE:
        people = of**2 / float((trials**2).sum())
        return Rate(cases / of, *_exact(cases / of * people, people, level), cases, of,
                    "exact_by_subject")  # fmt: skip
    # A draw is known by how many people of each kind (cases, trials) it has: a multinomial over
    # the few kinds, which is the same as drawing the people.
    kinds, many = np.unique(np.stack([found, trials]), axis=1, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(trials.size, many / trials.size, DRAWS)
    shares = (drawn @ kinds[0]) / (drawn @ kinds[1])
    low, high = np.quantile(shares, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    value = cases / of
    return Rate(value, min(float(low), value), max(float(high), value), cases, of, "bootstrap")


@dataclass(frozen=True)
class Mean:
    """A mean over trials with its 95 % interval, and how many trials there were."""

    value: float
    low: float
    high: float
    of: int
    interval: How


def mean(
    values: NDArray[np.float64],
    subjects: NDArray[np.int64],
    *,
    unit: bool = False,
    level: float = 0.95,
    seed: int = 0,
) -> Mean:
    """The mean of values ≥ 0, one a trial, when people are drawn anew with all their trials.

    `unit` says that no value is above 1. Where fewer than 15 people have a value above 0 the
    interval is that of a count: Clopper–Pearson for unit values, else Poisson (Garwood, 1936),
    with as many trials as there are people. Raises ValueError without trials.
    """
    from scipy.special import gammaincinv

    if not values.size:
        raise ValueError("there is nothing to take the mean of")
    trials = np.bincount(subjects)
    sums = np.bincount(subjects, values, minlength=trials.size)[trials > 0]
    trials = trials[trials > 0]
    value = float(values.mean())
    if np.count_nonzero(sums) < ENOUGH_PEOPLE:
        people = values.size**2 / float((trials**2).sum())
        count, alpha = value * people, 1.0 - level
        if unit:
            low, high = _exact(count, people, level)
        else:
            low = float(gammaincinv(count, alpha / 2.0)) / people if count else 0.0
            high = float(gammaincinv(count + 1.0, 1.0 - alpha / 2.0)) / people
        by_person: How = "exact" if trials.max() == 1 and unit else "exact_by_subject"
        return Mean(value, low, high, values.size, by_person)
    rng = np.random.default_rng(seed)
    drawn = np.empty(DRAWS)
    for draw in range(DRAWS):
        weights = rng.standard_exponential(trials.size)
        drawn[draw] = (weights @ sums) / (weights @ trials)
    low, high = np.quantile(drawn, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Mean(value, min(float(low), value), max(float(high), value), values.size, "bootstrap")


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> Interval:
    """The exact two-sided interval of a proportion, (low, high) in [0, 1].

    Clopper & Pearson, Biometrika 26 (1934): beta quantiles. Never narrower than it claims.
    No trials know nothing: (0, 1). Raises ValueError unless 0 ≤ successes ≤ trials and
    0 < level < 1.
    """
    _check(successes, trials, level)
    return _exact(successes, trials, level)


def _exact(k: float, n: float, level: float) -> Interval:
    from scipy.special import betaincinv

    alpha = 1.0 - level
    low = float(betaincinv(k, n - k + 1, alpha / 2.0)) if k > 0 else 0.0
    high = float(betaincinv(k + 1, n - k, 1.0 - alpha / 2.0)) if k < n else 1.0
    return low, high


def bound_when_none(trials: int, level: float = 0.95) -> float:
    """The one-sided upper bound of a rate of which no case was seen: about 3/n at 95 %.

    The rule of three (ISO/IEC 19795-1, "rule of 3"), exactly: 1 − (1 − level)^(1/n), which is
    the upper end of Clopper–Pearson at level 2·level − 1. 1 without trials.
    Raises ValueError unless 0.5 < level < 1 and trials ≥ 0.
    """
    if not 0.5 < level < 1.0:
        raise ValueError(f"level must lie in (0.5, 1), not {level}")
    return clopper_pearson(0, trials, 2.0 * level - 1.0)[1]


def trials_needed(rate: float, level: float = 0.95) -> int:
    """The fewest trials without a case that show, at this level, that a rate is no higher.

    The rule of three turned round: ln(1 − level) / ln(1 − rate), 17,972 for 1 in 6,000 at 95 %.
    Raises ValueError unless 0 < rate < 1.
    """
    if not 0.0 < rate < 1.0:
        raise ValueError(f"a rate to be shown lies in (0, 1), not {rate}")
    return math.ceil(math.log(1.0 - level) / math.log1p(-rate))


def _check(successes: int, trials: int, level: float) -> None:
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no proportion")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie in (0, 1), not {level}")
