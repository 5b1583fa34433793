"""How many false candidates a search for a stranger gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fr_cli.decision.calibration import Calibration
from fr_cli.evaluation.intervals import Mean, mean
from fr_cli.evaluation.lists import Lists


@dataclass(frozen=True)
class Selectivity:
    """False candidates a search at one threshold: the mean over non-mated probes.

    ISO/IEC 19795-1:2021, selectivity. `expected` is N · FMR by the calibration.
    `at_least` says that a probe's list was longer than what is kept of it.
    """

    threshold_cosine: float
    threshold_score: float | None
    candidates: Mean
    expected: float | None
    at_least: bool


def selectivity(
    lists: Lists, calibration: Calibration | None, thresholds: Sequence[float]
) -> list[Selectivity]:
    """A row for each threshold; empty without non-mated probes."""
    rows = []
    for threshold in thresholds if lists.people.size else ():
        found = lists.reaching(threshold)
        rows.append(
            Selectivity(
                threshold_cosine=threshold,
                threshold_score=calibration.score(threshold) if calibration else None,
                candidates=mean(found.astype(np.float64), lists.people),
                expected=calibration.fmr(threshold) * lists.references if calibration else None,
                at_least=bool((found == lists.scores.shape[1]).any())
                and lists.scores.shape[1] < lists.enrolled,
            )
        )
    return rows
