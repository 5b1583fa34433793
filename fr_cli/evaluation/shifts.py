"""How far a group's scores lie from those of the others (score shift, ISO/IEC 19795-10).

A shift shows long before errors do: a group whose impostor scores lie 0.05 higher will have more
false candidates at any threshold. It is the difference of two means over people, each person's
scores being averaged first, with Welch's interval (Biometrika 34, 1947).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Shift:
    """Mean of the group minus mean of the others, in units of the score, with its interval."""

    value: float
    low: float
    high: float
    people: int
    others: int


def shift(
    scores: NDArray[np.float64],
    subjects: NDArray[np.generic],
    inside: NDArray[np.bool_],
    level: float = 0.95,
) -> Shift | None:
    """The shift of the photographs of a mask; arrays of shape (n,), −inf left out.

    None with fewer than two people on either side.
    """
    from scipy.special import stdtrit

    finite = np.isfinite(scores)
    own, others = (
        _means(scores[finite & side], subjects[finite & side]) for side in (inside, ~inside)
    )
    if own.size < 2 or others.size < 2:
        return None
    errors = [side.var(ddof=1) / side.size for side in (own, others)]
    value, error = float(own.mean() - others.mean()), float(sum(errors))
    if error == 0.0:
        return Shift(value, value, value, own.size, others.size)
    freedom = error**2 / (errors[0] ** 2 / (own.size - 1) + errors[1] ** 2 / (others.size - 1))
    half = float(stdtrit(freedom, (1.0 + level) / 2.0)) * math.sqrt(error)
    return Shift(value, value - half, value + half, own.size, others.size)


def _means(scores: NDArray[np.float64], subjects: NDArray[np.generic]) -> NDArray[np.float64]:
    """The mean score of each person."""
    _, whose = np.unique(subjects, return_inverse=True)
    return np.asarray(np.bincount(whose, weights=scores) / np.bincount(whose))
