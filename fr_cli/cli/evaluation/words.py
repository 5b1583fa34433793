"""Rates in words: never a bare 0 % or 100 %, only the bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fr_cli.evaluation.intervals import Rate


def words(rate: Rate) -> str:
    """A rate with its counts and interval; never a bare 0 % or 100 %, only the bound."""
    if rate.value is None:
        return "nothing to count"
    if rate.cases == 0:
        return f"at most {rate.high:.2%} (0 of {rate.of:,})"
    if rate.cases == rate.of:
        return f"at least {rate.low:.2%} ({rate.cases:,} of {rate.of:,})"
    return f"{rate.value:.2%} ({rate.cases:,} of {rate.of:,}; {rate.low:.2%} … {rate.high:.2%})"


def share(value: float | None, low: float | None, high: float | None) -> str:
    """A rate alone, its interval standing beside it; never a bare 0 % or 100 %, only the bound."""
    if value is None or low is None or high is None:
        return "–"
    if value in (0.0, 1.0):
        return f"≤ {high:.1%}" if value == 0.0 else f"≥ {low:.1%}"
    return f"{value:.1%}"


def target(rate: float) -> str:
    """A target rate: 1.00%, or 1 in 6,000 below a thousandth."""
    return f"{rate:.2%}" if rate >= 0.001 else f"1 in {1 / rate:,.0f}"
