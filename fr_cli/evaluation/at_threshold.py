"""All the rates at one threshold."""

from __future__ import annotations

from dataclasses import dataclass

from fr_cli.evaluation.intervals import Rate
from fr_cli.evaluation.rates import Probes, fpir, tpir, within_rank


@dataclass(frozen=True)
class AtThreshold:
    """Rates of one set of searches; `fta` are probes that could not be acquired."""

    tpir: Rate
    fpir: Rate
    rank1: Rate
    fta: int


def at_threshold(probes: Probes, threshold: float) -> AtThreshold:
    """The rates at a threshold."""
    return AtThreshold(
        tpir(probes, threshold), fpir(probes, threshold), within_rank(probes, 1),
        probes.failures_to_acquire,
    )  # fmt: skip
