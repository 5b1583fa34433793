"""The same photos searched under another rule: without the quality gate, without kin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fr_cli.operations.exclusions import Exclusions
from fr_cli.operations.study import Study
from fr_cli.operations.trial import Trial, play

if TYPE_CHECKING:
    from fr_cli.decision.calibration import Calibration
    from fr_cli.evaluation.at_threshold import AtThreshold
    from fr_cli.evaluation.points import Point
    from fr_cli.evaluation.rates import Probes


@dataclass(frozen=True)
class Gate:
    """The rates with the policy's quality floors, as a search has them, and without.

    `floors` by measure; `refused_references` and `refused_probes` are photos below one.
    """

    floors: dict[str, float]
    refused_references: int
    refused_probes: int
    on: AtThreshold
    off: AtThreshold


@dataclass(frozen=True)
class WithoutKin:
    """The rates when named kin are not compared; `pairs` is how many pairs were named."""

    pairs: int
    points: list[Point]
    at_floor: AtThreshold


def pooled(trial: Trial) -> Probes:
    """The searches of all galleries that were drawn, as one set.

    A person's searches in many galleries stay that person's, so intervals over people hold.
    """
    import numpy as np

    from fr_cli.evaluation.rates import Probes

    if len(trial.draws) == 1:
        return trial.draws[0]
    names = ("mated", "acquired", "nonmate", "mate", "rank", "subjects")
    return Probes(*(np.concatenate([getattr(one, name) for one in trial.draws]) for name in names))


def gate(
    study: Study, trial: Trial, exclusions: Exclusions, floors: dict[str, float], cosine: float
) -> Gate:
    """Play the trial again without the floors, if they refused any photo."""
    from fr_cli.evaluation.at_threshold import at_threshold

    refused = [s for s in trial.data.samples if s.template is None and s.ungated is not None]
    on = off = at_threshold(pooled(trial), cosine)
    if refused:
        ungated = play(study, trial.data, exclusions.same, gate=False)
        off = at_threshold(pooled(ungated), cosine)
    references = sum(sample.role == "reference" for sample in refused)
    return Gate(floors, references, len(refused) - references, on, off)


def without_kin(
    study: Study,
    trial: Trial,
    exclusions: Exclusions,
    calibration: Calibration | None,
    cosine: float,
) -> WithoutKin:
    """Play the trial again without comparing kin."""
    from fr_cli.evaluation.at_threshold import at_threshold
    from fr_cli.evaluation.points import points

    probes = pooled(play(study, trial.data, exclusions.every))
    return WithoutKin(
        len(exclusions.kin), points(probes, calibration), at_threshold(probes, cosine)
    )
