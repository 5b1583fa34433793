"""Error against discarded quality: what would be gained by refusing the poorest probes.

The error-versus-discard characteristic of ISO/IEC 29794-1: the threshold stays, the mated probes
of least quality are left out share by share, and FNIR is counted on the rest. A measure that is
worth a floor makes it fall. A probe whose measure could not be assessed has no quality, which is
not a low one: it stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fr_cli.evaluation.intervals import Rate, proportion
from fr_cli.evaluation.rates import Probes

SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
#: The measure that stands for all: the lowest component of a photo.
LOWEST = "lowest component"


@dataclass(frozen=True)
class Discarded:
    """FNIR when this share of the mated probes is refused.

    `below` is the component (0–100) under which, or at which, a photo fell; None if none did.
    """

    share: float
    below: float | None
    fnir: Rate


@dataclass(frozen=True)
class ErrorDiscard:
    """One measure's curve; `unassessed` mated probes have no value of it."""

    measure: str
    unassessed: int
    points: list[Discarded]


def error_discard(
    probes: Probes,
    qualities: Mapping[str, NDArray[np.float64]],
    threshold: float,
    shares: Sequence[float] = SHARES,
) -> list[ErrorDiscard]:
    """A curve for each measure whose components (n,), NaN where not assessed, are given.

    Only acquired mated probes count. Ties at the cut fall in the order of the probes. Empty
    without mated probes.
    """
    those = probes.mated & probes.acquired
    if not those.any():
        return []
    missed, people = (probes.mate < threshold)[those], probes.people[those]
    curves = []
    for name, all_of_them in qualities.items():
        values = all_of_them[those]
        order = np.argsort(np.where(np.isnan(values), np.inf, values), kind="stable")
        known = int(np.count_nonzero(~np.isnan(values)))
        points = []
        for share in shares:
            out = min(round(share * values.size), known)
            kept = order[out:]
            below = float(values[order[out - 1]]) if out else None
            points.append(Discarded(share, below, proportion(missed[kept], people[kept])))
        curves.append(ErrorDiscard(name, values.size - known, points))
    return curves


def lowest(qualities: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """The lowest component of each photo over all measures; NaN where none was assessed."""
    stacked = np.stack(list(qualities.values()))
    filled = np.where(np.isnan(stacked), np.inf, stacked).min(axis=0)
    return np.where(np.isinf(filled), np.nan, filled)
