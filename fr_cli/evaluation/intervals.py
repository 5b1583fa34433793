"""How sure a rate is: exact binomial intervals, and a bootstrap over subjects.

The binomial intervals hold for independent trials. Several photographs of one person are not
independent; for those, `bootstrap_over_subjects` draws people, not photographs
(ISO/IEC 19795-1:2021, annex on uncertainty; Schuckers, Computational Methods in Biometric
Authentication, 2010).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> Interval:
    """The exact two-sided interval of a proportion, (low, high) in [0, 1].

    Clopper & Pearson, Biometrika 26 (1934): beta quantiles. Never narrower than it claims.
    No trials know nothing: (0, 1). Raises ValueError unless 0 ≤ successes ≤ trials and
    0 < level < 1.
    """
    from scipy.special import betaincinv

    _check(successes, trials, level)
    k, n, alpha = successes, trials, 1.0 - level
    low = float(betaincinv(k, n - k + 1, alpha / 2.0)) if k > 0 else 0.0
    high = float(betaincinv(k + 1, n - k, 1.0 - alpha / 2.0)) if k < n else 1.0
    return low, high


def wilson(successes: int, trials: int, level: float = 0.95) -> Interval:
    """The score interval of a proportion, (low, high) in [0, 1]: right on average.

    Wilson, JASA 22 (1927). Shorter than Clopper–Pearson, at times a little too short.
    Raises as `clopper_pearson` does.
    """
    from scipy.special import ndtri

    _check(successes, trials, level)
    if trials == 0:
        return 0.0, 1.0
    z = float(ndtri((1.0 + level) / 2.0))
    rate, weight = successes / trials, z * z / trials
    middle = (rate + weight / 2.0) / (1.0 + weight)
    half = z * math.sqrt(rate * (1.0 - rate) / trials + weight / (4.0 * trials)) / (1.0 + weight)
    # Rounding must not push the interval off the rate itself at 0 and 1.
    return max(min(middle - half, rate), 0.0), min(max(middle + half, rate), 1.0)


def bound_when_none(trials: int, level: float = 0.95) -> float:
    """The one-sided upper bound of a rate of which no case was seen: about 3/n at 95 %.

    The rule of three (ISO/IEC 19795-1, "rule of 3"), exactly: 1 − (1 − level)^(1/n), which is
    the upper end of Clopper–Pearson at level 2·level − 1. 1 without trials.
    Raises ValueError unless 0.5 < level < 1 and trials ≥ 0.
    """
    if not 0.5 < level < 1.0:
        raise ValueError(f"level must lie in (0.5, 1), not {level}")
    return clopper_pearson(0, trials, 2.0 * level - 1.0)[1]


def bootstrap_over_subjects(
    statistic: Callable[[NDArray[np.intp]], float],
    subjects: NDArray[np.generic],
    *,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """The percentile interval of a statistic when people, not photographs, are drawn anew.

    `subjects`, shape (n,), says whose each observation is. In each draw as many subjects as
    there are are drawn with replacement, with all their observations, and `statistic` gets the
    row numbers (with repeats). Draws in which it is NaN (nothing to count) are left out.
    The same seed gives the same interval. Raises ValueError for no observations, draws < 2, a
    level outside (0, 1), or a statistic that is NaN in every draw.
    """
    if subjects.size == 0 or draws < 2 or not 0.0 < level < 1.0:
        raise ValueError("a bootstrap needs observations, at least 2 draws and a level in (0, 1)")
    rng = np.random.default_rng(seed)
    people, whose = np.unique(subjects, return_inverse=True)
    chance = np.full(people.size, 1.0 / people.size)
    rows = np.arange(whose.size)
    values = np.array(
        [
            statistic(np.repeat(rows, rng.multinomial(people.size, chance)[whose]))
            for _ in range(draws)
        ]
    )
    values = values[~np.isnan(values)]
    if values.size == 0:
        raise ValueError("the statistic was undefined in every draw")
    low, high = np.quantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def _check(successes: int, trials: int, level: float) -> None:
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no proportion")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie in (0, 1), not {level}")
