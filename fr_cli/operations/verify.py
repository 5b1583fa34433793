"""Is this the person enrolled as …? One photo against one subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fr_cli.audit.canonical import JSON
from fr_cli.authority.circumstances import NOTHING_SAID, Circumstances
from fr_cli.decision.calibration import score_of
from fr_cli.errors import ConfigurationError
from fr_cli.face.pipeline import Choice
from fr_cli.operations.bench import Bench
from fr_cli.operations.grounds import allowed, grounds
from fr_cli.operations.kept import keep
from fr_cli.records import Head, Quality


@dataclass(frozen=True)
class Verification:
    """The best comparison score against the subject's references, and what it is held against.

    `grounds` are case and reason, what was said besides, and the legal basis.
    """

    grounds: Mapping[str, JSON]
    subject_id: str
    reference_id: str
    references: int
    outcome: Literal["at_or_above_threshold", "below_threshold"]
    cosine: float
    score: float
    threshold_score: float
    threshold_cosine: float
    fmr_target: float
    quality: Quality
    head: Head


def verify(
    photo: bytes,
    subject_id: str,
    bench: Bench,
    *,
    case: str,
    reason: str,
    circumstances: Circumstances = NOTHING_SAID,
    face: Choice = "single",
) -> Verification:
    """Compare a photo with the references of one subject.

    The threshold is where the policy's share of other people would pass as this subject,
    divided among the subject's references. Raises as `identify` does, and SubjectUnknown.
    """
    why = grounds(case, reason, circumstances, bench)
    with bench.act("verify", "consultation", why=why) as act:
        basis = allowed(bench, reason, None, circumstances)
        act.decide(basis=basis)
        calibration = bench.calibration
        if calibration is None:
            raise ConfigurationError(
                "There is no calibration for this model, so no threshold can be set.",
                hint="Make one with: fr evaluate MANIFEST --calibrate",
            )
        probe = bench.pipeline.template(photo, face)
        with bench.gallery(act) as gallery:
            references = gallery.templates_of(subject_id)
        cosine, name, uid = max(
            (float(vector @ probe.vector), name, uid) for name, uid, vector in references
        )
        target = bench.policy.verify.fmr_target
        threshold = score_of(target / len(references))
        score = calibration.score(cosine)
        outcome: Literal["at_or_above_threshold", "below_threshold"] = (
            "at_or_above_threshold" if score >= threshold else "below_threshold"
        )
        keep(bench.site, bench.policy_digest, bench.calibration_digest)
        act.decide(
            outcome=outcome,
            reference=uid,
            score=f"{score:.4f}",
            threshold=f"{threshold:.4f}",
            model=bench.fingerprint,
            calibration=bench.calibration_digest,
        )
    return Verification(
        grounds={**why, "legal_basis": basis},
        subject_id=subject_id,
        reference_id=name,
        references=len(references),
        outcome=outcome,
        cosine=cosine,
        score=score,
        threshold_score=threshold,
        threshold_cosine=calibration.cosine(threshold),
        fmr_target=target,
        quality=probe.quality,
        head=act.head,
    )
