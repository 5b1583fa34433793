"""A fitted tail that says a threshold beyond the data, and how far it may be off.

Peaks over threshold: above a score u a rate falls as p_u (1 + ξ(s − u)/β)^(−1/ξ) (Coles, An
Introduction to Statistical Modeling of Extreme Values, 2001, eq. 4.10). The fit is repeated in
each draw of a bootstrap over people; the intervals are the percentiles of the draws.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Extrapolation:
    """A generalised Pareto tail above a score u, with its draws.

    `fits` has shape (1 + draws, 3): the rate at u, ξ and β; row 0 is the data itself.
    """

    def __init__(self, u: float, fits: NDArray[np.float64]) -> None:
        self.u = u
        self._p_u, shape, self._beta = fits.T
        self._xi = np.where(np.abs(shape) < 1e-9, 1e-9, shape)  # the exponential, to 9 digits

    def threshold(self, rate: float) -> tuple[float, float, float]:
        """The score at which the rate is this low, and its 95 % interval (Coles, eq. 4.12)."""
        log_ratio = np.log(self._p_u / rate)
        all_of_them = self.u + self._beta * np.expm1(self._xi * log_ratio) / self._xi
        value = float(all_of_them[0])
        low, high = np.quantile(all_of_them[1:], [0.025, 0.975])
        return value, min(float(low), value), max(float(high), value)

    def rates(self, score: float) -> NDArray[np.float64]:
        """The rate at a score above u: of the data first, then of each draw; shape (1 + draws,)."""
        inside = 1.0 + self._xi * (score - self.u) / self._beta
        # Beyond the end point of a draw, that draw says: never.
        rates = self._p_u * np.power(np.maximum(inside, 1e-300), -1.0 / self._xi)
        return np.where(inside > 0.0, rates, 0.0)

    def interval(self, score: float) -> tuple[float, float]:
        """The 95 % interval of the rate at a score above u; it holds the fitted rate."""
        rates = self.rates(score)
        low, high = np.quantile(rates[1:], [0.025, 0.975])
        return min(float(low), float(rates[0])), max(float(high), float(rates[0]))
