"""Random galleries: each rate in every draw, with mean and spread.

The spread says how much a rate hangs on who happens to be in the gallery. It is no confidence
interval: the draws share people and photographs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fr_cli.evaluation import rates
from fr_cli.evaluation.rates import Probes


@dataclass(frozen=True)
class Spread:
    """One rate over all draws; `values` in their order, `sd` with n − 1 (None for one draw)."""

    mean: float
    sd: float | None
    lowest: float
    highest: float
    values: tuple[float, ...]


@dataclass(frozen=True)
class AtTarget:
    """TPIR where each draw's own threshold lets through an FPIR of `fpir`."""

    fpir: float
    tpir: Spread | None
    threshold: Spread | None


@dataclass(frozen=True)
class Repeated:
    """The rates of random galleries; None where a draw has nothing to count.

    `targets` are empirical only: one that a draw's non-mated probes cannot show (target < 1/n)
    is None. `tpir_at_floor` and `fpir_at_floor` are at one threshold for all draws, None
    without one.
    """

    galleries: int
    rank1: Spread | None
    targets: tuple[AtTarget, ...]
    tpir_at_floor: Spread | None
    fpir_at_floor: Spread | None


def repeated(
    draws: Sequence[Probes], floor_cosine: float | None, targets: Sequence[float]
) -> Repeated:
    """The spread of each rate; `floor_cosine` is the threshold of the policy's floor."""
    floor = [] if floor_cosine is None else [(draw, floor_cosine) for draw in draws]
    return Repeated(
        galleries=len(draws),
        rank1=_spread([rates.within_rank(draw, 1).value for draw in draws]),
        targets=tuple(_at_target(draws, target) for target in targets),
        tpir_at_floor=_spread([rates.tpir(*one).value for one in floor]),
        fpir_at_floor=_spread([rates.fpir(*one).value for one in floor]),
    )


def _at_target(draws: Sequence[Probes], target: float) -> AtTarget:
    thresholds = [
        rates.threshold_at_fpir(draw, target) if target * draw.nonmated_count >= 1.0 else None
        for draw in draws
    ]
    found = [
        None if threshold is None else rates.tpir(draw, threshold).value
        for draw, threshold in zip(draws, thresholds, strict=True)
    ]
    return AtTarget(target, _spread(found), _spread(thresholds))


def _spread(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return Spread(
        mean=float(np.mean(known)),
        sd=float(np.std(known, ddof=1)) if len(known) > 1 else None,
        lowest=min(known),
        highest=max(known),
        values=tuple(known),
    )
