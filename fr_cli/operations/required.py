"""What `--require` asks of an evaluation, and what becomes of one that reaches it all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fr_cli.audit.canonical import JSON
from fr_cli.operations import in_force
from fr_cli.operations.approvals import approved
from fr_cli.operations.bench import Bench
from fr_cli.operations.gate import Check, Evidence, among, gate, group_thresholds, passes
from fr_cli.operations.targets import Targets, load_targets
from fr_cli.operations.trial import Trial

if TYPE_CHECKING:
    from fr_cli.evaluation.groups import GroupStudy
    from fr_cli.operations.measures import Measures

#: How searches are made that an evaluation can approve: it compares with every reference.
ENGINE = "exact"


@dataclass(frozen=True)
class Required:
    """The targets, held against an evaluation; `statement` puts it in force, if all are met.

    `sha256` is that of the file of targets, `in_force` that of the statement, "" without one.
    """

    sha256: str
    checks: list[Check]
    statement: bytes = b""

    @property
    def passed(self) -> bool:
        """Whether every target is met."""
        return passes(self.checks)

    @property
    def short(self) -> list[Check]:
        """What was missed or could not be decided."""
        return [check for check in self.checks if check.verdict != "met"]

    @property
    def in_force(self) -> str:
        """The SHA-256 of the statement that puts the evaluation in force."""
        return hashlib.sha256(self.statement).hexdigest() if self.statement else ""


@dataclass(frozen=True)
class Demand:
    """The targets of a file, and the SHA-256 of its bytes."""

    targets: Targets
    sha256: str

    @classmethod
    def read(cls, path: Path | None) -> Demand | None:
        """The targets of --require, None without; ConfigurationError if they are not valid."""
        return None if path is None else cls(*load_targets(path))

    def groups(
        self, trial: Trial, rates: Measures, bench: Bench
    ) -> list[tuple[tuple[str, ...], float]]:
        """The ways of grouping that the targets ask about, and at which threshold."""
        return group_thresholds(self.targets, self._evidence(trial, rates, [], bench))

    def hold(
        self,
        trial: Trial,
        rates: Measures,
        studies: Sequence[GroupStudy],
        data: str,
        act: str,
        bench: Bench,
        latency: float | None = None,
    ) -> Required:
        """Hold an evaluation of the data (its SHA-256) against every target.

        `act` is the id of the evaluation in the log, `latency` the 99th percentile of a search, in
        ms.
        """
        evidence = replace(self._evidence(trial, rates, studies, bench), latency=latency)
        checks = [_kind(trial), *gate(self.targets, evidence)]
        held = Required(self.sha256, checks)
        if not held.passed:
            return held
        what = self._approved(trial, rates, evidence, data, bench)
        days = self.targets.in_force.days
        asked = {name: one for name, one in what.items() if name != "policy"}
        if by := approved(bench, "evaluation", asked | {"days": days}):
            what["approval"] = by
        what["act"] = act
        return replace(held, statement=in_force.statement(what, bench, days))

    def _evidence(
        self, trial: Trial, rates: Measures, studies: Sequence[GroupStudy], bench: Bench
    ) -> Evidence:
        from fr_cli.decision.threshold import threshold_for

        calibration, rules = rates.calibration, bench.policy.identify
        limit = self.targets.in_force.references
        operating = 0.0
        if calibration:
            found = threshold_for(calibration, limit, rules.floor_score, rules.fpir_target)
            operating = found.score
        return Evidence(
            references=trial.references,
            subjects=trial.subjects,
            probes=rates.probes,
            cosine=calibration.cosine if calibration else None,
            studies=studies,
            operating=operating,
        )

    def _approved(
        self, trial: Trial, rates: Measures, evidence: Evidence, data: str, bench: Bench
    ) -> dict[str, JSON]:
        """What the evaluation approves: thresholds from the highest of which FPIR was asked."""
        from fr_cli.evaluation.rates import fpir

        assert evidence.cosine is not None
        score = max(one.at_score for one in self.targets.fpir)
        cosine = evidence.cosine(score)
        limit = self.targets.in_force.references
        false = fpir(rates.probes, cosine)
        return {
            "fingerprint": bench.fingerprint,
            "model": bench.site.model,
            "fusion": trial.fusion,
            "engine": ENGINE,
            "score": f"{score:.4f}",
            "cosine": f"{cosine:.6f}",
            "references": limit,
            "fpir": f"{among(false, trial.references, limit).high:.6f}",
            "data": data,
            "targets": self.sha256,
            "calibration": bench.calibration_digest,
            "policy": bench.policy_digest,
            "measured_on": {
                "references": trial.references,
                "subjects": trial.subjects,
                "probes_mated": rates.probes.mated_count,
                "probes_nonmated": rates.probes.nonmated_count,
                "fte": trial.fte,
                "fta": rates.probes.failures_to_acquire,
            },
        }


def _kind(trial: Trial) -> Check:
    """Only an evaluation that does what searches do can approve them."""
    target = "Photos searched as identify does: open-set, one gallery, best reference, this model"
    found = f"{trial.protocol}, {len(trial.draws)} galleries, fusion {trial.fusion}"
    if not trial.cosines:
        found = "another system's scores"
    same = trial.cosines and (trial.protocol, len(trial.draws), trial.fusion) == (
        "open-set", 1, "best",
    )  # fmt: skip
    return Check(target, "met" if same else "missed", "so it was" if same else found)
