"""Does the evaluation in force cover a search, and what becomes of one that it does not?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from fr_cli.decision.answer import Answer
from fr_cli.operations.bench import Bench
from fr_cli.operations.in_force import InForce, in_force
from fr_cli.records import Compared

if TYPE_CHECKING:
    from fr_cli.decision.calibration import Calibration


@dataclass(frozen=True)
class Standing:
    """What stands behind an answer: the evaluation in force, and why it does not cover it."""

    evaluation: InForce | None
    gap: str = ""

    @property
    def covers(self) -> bool:
        """Whether an evaluation in force covers the search."""
        return self.evaluation is not None and not self.gap

    @property
    def sentence(self) -> str:
        """What an officer is told of it; "" where nothing covers the search."""
        if self.evaluation is None or self.gap:
            return ""
        return (
            f"Covered by the evaluation of {self.evaluation.made[:10]}, in force until "
            f"{self.evaluation.until.isoformat()} for up to {self.evaluation.references:,} "
            "references."
        )


def standing(bench: Bench, answer: Answer, compared: Compared) -> Standing:
    """What stands behind an answer; ConfigurationError (3) for a file that was altered."""
    evaluation = in_force(bench)
    if evaluation is None:
        return Standing(None, "No evaluation on this force's own photos is in force")
    return Standing(evaluation, _gap(evaluation, bench.fingerprint, answer, compared))


def applied(
    answer: Answer,
    behind: Standing,
    rule: Literal["warn", "refuse"],
    calibration: Calibration | None,
) -> Answer:
    """The answer under the policy's rule: as it is if an evaluation covers it, else told so."""
    if behind.covers or answer.outcome == "inconclusive":
        return answer
    if rule == "refuse":
        why = f"The policy asks for an evaluation in force. {behind.gap}."
        return replace(answer, outcome="inconclusive", why=why, candidates=())
    assert calibration is not None  # without one the answer is inconclusive
    made_on = f"{calibration.data.name} ({calibration.data.subjects:,} people)"
    warning = f"{behind.gap}: the rates come from {made_on} and are nobody's approval."
    return replace(answer, warnings=(*answer.warnings, warning))


def _gap(evaluation: InForce, fingerprint: str, answer: Answer, compared: Compared) -> str:
    """Why an evaluation does not cover a search, as a sentence without its end; "" if it does."""
    named = f"The evaluation in force (of {evaluation.made[:10]})"
    if evaluation.fingerprint != fingerprint:
        return f"{named} is of another model"
    if evaluation.over:
        return f"{named} ended on {evaluation.until.isoformat()}"
    if compared.references > evaluation.references:
        return (
            f"{named} covers up to {evaluation.references:,} references, and this search "
            f"compared {compared.references:,}"
        )
    if evaluation.fusion != "best":
        return f"{named} is of the fusion {evaluation.fusion}, and searches use best"
    if compared.engine != evaluation.engine:
        return f"{named} is of the engine {evaluation.engine}, not {compared.engine}"
    if answer.threshold and answer.threshold.cosine < evaluation.cosine - 1e-6:
        return (
            f"{named} covers thresholds from cosine {evaluation.cosine:.3f}, and this search "
            f"used {answer.threshold.cosine:.3f}"
        )
    return ""
