"""Who may this be? One photo against the gallery."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from fr_cli.audit.canonical import JSON
from fr_cli.authority.circumstances import NOTHING_SAID, Circumstances
from fr_cli.decision.answer import Answer, decide
from fr_cli.errors import UsageProblem
from fr_cli.face.catalogue import named
from fr_cli.operations.bench import Bench
from fr_cli.operations.grounds import LONGEST, allowed, grounds
from fr_cli.operations.in_force import Standing, applied, standing
from fr_cli.operations.kept import keep
from fr_cli.records import Compared, Head, Origin, Quality, Template

if TYPE_CHECKING:
    from fr_cli.decision.calibration import Calibration
    from fr_cli.gallery.gallery import Gallery


@dataclass(frozen=True)
class Question:
    """What an operator asks: the photo's bytes, and on which grounds."""

    photo: bytes
    case: str
    reason: str
    watchlists: tuple[str, ...] = ()
    max_candidates: int | None = None
    face: Literal["single", "largest"] | int = "single"
    engine: Literal["auto", "exact", "annoy"] = "auto"
    sheet: bool = False
    circumstances: Circumstances = NOTHING_SAID


@dataclass(frozen=True)
class Sheet:
    """What a candidate sheet shows beside the answer; made only for one who asked for a sheet.

    `portrait` is the probe's face as a JPEG; `origins` and `faces` (JPEGs, of references whose
    photo is kept) are by the random id of the reference. `keeps_photos` is what the policy says.
    """

    portrait: bytes
    origins: Mapping[str, Origin]
    faces: Mapping[str, bytes]
    keeps_photos: bool
    case: str
    reason: str
    basis: str
    watchlist: str
    operator: str
    asked_at: datetime


@dataclass(frozen=True)
class Identification:
    """The answer, with all that it rests on; `behind` is the evaluation in force.

    `grounds` are case and reason, what was said besides, and the legal basis.
    """

    search_id: str
    grounds: Mapping[str, JSON]
    asked_at: datetime
    answer: Answer
    behind: Standing
    quality: Quality
    compared: Compared
    model: str
    fingerprint: str
    calibration: Calibration | None
    head: Head
    timing_ms: dict[str, int]
    sheet: Sheet | None = None


def identify(question: Question, bench: Bench) -> Identification:
    """Search the gallery for the person in a photo.

    The intent is in the log before the photo is looked at, the outcome before this returns. The
    photo and its template stay in memory. Raises the refusals of the photo (20–23), of the
    policy (4), of the gallery (10–13) and of the log (30, 31); each is logged as well.
    """
    clock, asked_at = _Clock(), datetime.now(UTC)
    if not all(0 < len(name) <= LONGEST for name in question.watchlists):
        raise UsageProblem(f"The name of a watchlist has 1 to {LONGEST} characters.")
    why = grounds(question.case, question.reason, question.circumstances, bench)
    asked = ", ".join(question.watchlists)
    with bench.act("identify", "consultation", why=why, watchlist=asked) as act:
        basis = allowed(bench, question.reason, question.watchlists, question.circumstances)
        act.decide(basis=basis)
        clock.lap("start")
        probe, portrait = _look(question, bench)
        clock.lap("template")
        bounds = bench.policy.identify
        longest = min(question.max_candidates or bounds.max_candidates, bounds.max_candidates)
        with bench.gallery(act) as gallery:
            hits, compared = gallery.search(
                probe.vector,
                count=max(50, 2 * longest),
                watchlists=question.watchlists,
                engine=question.engine,
            )
            clock.lap("search")
            answer = decide(
                hits,
                compared,
                bench.calibration,
                floor_score=bounds.floor_score,
                fpir_target=bounds.fpir_target,
                max_candidates=longest,
            )
            behind = standing(bench, answer, compared)
            answer = applied(answer, behind, bench.policy.evaluation, bench.calibration)
            answer = _under_licence(answer, bench.site.model)
            if bench.calibration_note:
                answer = replace(answer, warnings=(*answer.warnings, bench.calibration_note))
            # They stand in the answer, so that they need not be told at its end.
            open_overrides, bench.notices = bench.notices, []
            answer = replace(answer, warnings=(*answer.warnings, *open_overrides))
            named = [one.reference_uid for one in answer.candidates] if question.sheet else []
            origins = gallery.origins(named)
            faces = _faces(named, gallery, bench) if bench.policy.keep_photos else {}
        evaluation = behind.evaluation.sha256 if behind.evaluation and behind.covers else ""
        keep(bench.site, bench.policy_digest, bench.calibration_digest, evaluation)
        act.decide(
            sheet=question.sheet,
            photos=len(faces),
            evaluation=evaluation,
            **_for_the_log(answer, compared, bench),
        )
    sheet = Sheet(
        portrait=portrait,
        origins=origins,
        faces=faces,
        keeps_photos=bench.policy.keep_photos,
        case=question.case,
        reason=question.reason,
        basis=basis,
        watchlist=", ".join(question.watchlists),
        operator=_who(bench),
        asked_at=asked_at,
    )
    return Identification(
        search_id=act.id,
        grounds={**why, "legal_basis": basis},
        asked_at=asked_at,
        answer=answer,
        behind=behind,
        quality=probe.quality,
        compared=compared,
        model=bench.site.model,
        fingerprint=bench.fingerprint,
        calibration=bench.calibration,
        head=act.head,
        timing_ms=clock.laps | {"total": clock.total()},
        sheet=sheet if question.sheet else None,
    )


def _look(question: Question, bench: Bench) -> tuple[Template, bytes]:
    """The probe's template; its picture only where a sheet will show it."""
    if question.sheet:
        return bench.pipeline.template_and_portrait(question.photo, question.face)
    return bench.pipeline.template(question.photo, question.face), b""


def _faces(named: list[str], gallery: Gallery, bench: Bench) -> dict[str, bytes]:
    """The faces of these references, each picked by the template that was made of it."""
    return {
        uid: bench.pipeline.portrait_of(photo, template)
        for uid, (photo, template) in gallery.photos(named).items()
    }


def _who(bench: Bench) -> str:
    """The operator as the log names them: the account, and who logged in if that is another."""
    who = bench.person
    behind = "" if who.loginuid in (None, who.uid) else f", logged in as user {who.loginuid}"
    return f"{who.user or 'unnamed'} (user {who.uid}{behind})"


def _under_licence(answer: Answer, model: str) -> Answer:
    entry = named(model)
    if entry.commercial:
        return answer
    warning = f"The weights of {model} are not free for every use: {entry.licence}."
    return replace(answer, warnings=(*answer.warnings, warning))


def _for_the_log(answer: Answer, compared: Compared, bench: Bench) -> dict[str, JSON]:
    """The decision as the log keeps it: random ids, numbers as strings, nothing of the probe."""
    return {
        "outcome": answer.outcome,
        "model": bench.fingerprint,
        "calibration": bench.calibration_digest,
        "gallery": {
            "generation": compared.generation,
            "references": compared.references,
            "subjects": compared.subjects,
            "engine": compared.engine,
        },
        "threshold": f"{answer.threshold.score:.4f}" if answer.threshold else "",
        "fpir": f"{answer.fpir.value:.3e}" if answer.fpir else "",
        "candidates": [
            {
                "rank": candidate.rank,
                "subject": candidate.subject_uid,
                "reference": candidate.reference_uid,
                "score": f"{candidate.score:.4f}",
            }
            for candidate in answer.candidates
        ],
    }


class _Clock:
    def __init__(self) -> None:
        self._began = self._last = time.perf_counter()
        self.laps: dict[str, int] = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self._last = round(1000 * (now - self._last)), now

    def total(self) -> int:
        return round(1000 * (time.perf_counter() - self._began))
