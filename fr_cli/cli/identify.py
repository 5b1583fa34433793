"""`fr identify`: who may this be?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fr_cli.cli import options
from fr_cli.cli.draft import draft
from fr_cli.cli.output import plain, table
from fr_cli.cli.wiring import one_thread, session_of
from fr_cli.records import counted, utc

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from fr_cli.operations.identify import Identification
    from fr_cli.records import Quality


def identify(
    context: typer.Context,
    photo: options.Photo,
    case: options.Case = "",
    reason: options.Reason = "",
    place: options.Place = "",
    flag: options.Flags = None,
    supervisor: options.Supervisor = "",
    necessity: options.Necessity = "",
    watchlist: Annotated[
        list[str] | None,
        typer.Option("--watchlist", help="Search only this watchlist; several, or all of them."),
    ] = None,
    max_candidates: Annotated[
        int | None,
        typer.Option("--max-candidates", min=1, help="List fewer than the policy allows."),
    ] = None,
    face: options.FaceNumber = None,
    largest: options.Largest = False,
    engine: Annotated[
        str, typer.Option("--engine", help="auto, exact or annoy.", metavar="ENGINE")
    ] = "auto",
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", help="Write a candidate sheet here, with the probe's face.", metavar="FILE"
        ),
    ] = None,
) -> None:
    """Ask who a photographed person may be. Answers with candidates, or with none."""
    from fr_cli.authority.circumstances import Circumstances
    from fr_cli.cli import grounds
    from fr_cli.operations.identify import Question
    from fr_cli.operations.identify import identify as search

    one_thread()
    session = session_of(context)
    said = Circumstances(place, grounds.known_flags(flag or ()), supervisor, necessity)
    why = grounds.complete(grounds.Grounds(case, reason, said), photo, session)
    data = options.read_photo_argument(photo)
    choice = options.chosen_face(face, largest)
    engine_name = options.known_engine(engine)
    with session.bench() as bench, draft(html, bench.site) as sheet:
        wanted = sheet is not None
        question = Question(
            data, why.case, why.reason, tuple(watchlist or ()), max_candidates, choice, engine_name,
            wanted, why.circumstances,
        )  # fmt: skip
        result = search(question, bench)
        session.output.show(document(result), *pictures(result))
        if sheet:
            from fr_cli.cli.sheet import page

            sheet.publish(page(result))
            session.output.note(plain(f"Sheet: {html}", "dim"))


def document(result: Identification) -> dict[str, Any]:
    """The JSON document `fr/identify/1`."""
    answer = result.answer
    rate = answer.fpir
    return {
        "schema": "fr/identify/1",
        "search_id": result.search_id,
        "asked_at": utc(result.asked_at),
        "grounds": dict(result.grounds),
        "outcome": answer.outcome,
        "why": answer.why,
        "warnings": list(answer.warnings),
        "threshold": answer.threshold
        and {"score": answer.threshold.score, "cosine": answer.threshold.cosine},
        "fpir": rate
        and {
            "value": rate.value,
            "low": rate.low,
            "high": rate.high,
            "expected_false_candidates": rate.expected_false_candidates,
            "compared": rate.compared,
            "extrapolated": rate.extrapolated,
        },
        "evaluation": _evaluation(result),
        "model": {"name": result.model, "fingerprint": result.fingerprint},
        "gallery": {
            "size": result.compared.references,
            "subjects": result.compared.subjects,
            "generation": result.compared.generation,
            "engine": result.compared.engine,
        },
        "quality": quality_document(result.quality),
        "candidates": [
            {
                "rank": one.rank,
                "subject_id": one.subject_id,
                "reference_id": one.reference_id,
                "score": one.score,
                "cosine": one.cosine,
                "extrapolated": one.extrapolated,
            }
            for one in answer.candidates
        ],
        "audit": asdict(result.head),
        "timing_ms": result.timing_ms,
    }


def _evaluation(result: Identification) -> dict[str, Any]:
    behind, evaluation = result.behind, result.behind.evaluation
    return {
        "covers": behind.covers,
        "why": behind.gap,
        "sha256": evaluation and evaluation.sha256,
        "made": evaluation and evaluation.made,
        "until": evaluation and evaluation.until.isoformat(),
        "references": evaluation and evaluation.references,
    }


def quality_document(quality: Quality) -> dict[str, Any]:
    """The quality measures of a photo, by name."""
    return {
        "measures": {
            measure.name: {
                "native": measure.native,
                "unit": measure.unit,
                "component": measure.component,
            }
            for measure in quality.measures
        },
        "advice": list(quality.advice),
    }


def pictures(result: Identification, *, notes: bool = True) -> list[RenderableType]:
    """What an officer reads; without the notes where they were just read."""
    from fr_cli.decision.answer import one_in

    answer = result.answer
    heads = {
        "candidates": ("Candidates to look at. You decide, not the machine.", "bold yellow"),
        "no_candidate": ("No candidate.", "bold"),
        "inconclusive": ("Inconclusive: nobody is named.", "bold"),
    }
    lines: list[RenderableType] = [plain(*heads[answer.outcome]), plain(answer.why)]
    if answer.candidates:
        lines.append(_candidates(result))
    if answer.fpir and answer.threshold:
        rate = answer.fpir
        compared = counted(rate.compared, "reference")
        guess = f" Extrapolated: {one_in(rate.low)} to {one_in(rate.high)}." * rate.extrapolated
        lines.append(
            plain(
                f"Of people who are not in this gallery ({compared}), "
                f"about {one_in(rate.value)} would still get a candidate at this "
                f"threshold ({answer.threshold.score:.2f}).{guess}"
            )
        )
    lines += [plain(f"Photo: {text}", "yellow") for text in result.quality.advice]
    if notes:
        lines += [plain(f"Note: {text}", "yellow") for text in answer.warnings]
    if result.behind.covers:
        lines.append(plain(result.behind.sentence, "dim"))
    if answer.candidates:
        lines.append(plain(f"When you have compared: fr decide {result.search_id[:12]}"))
    lines.append(
        plain(f"Search {result.search_id}, entry {result.head.size} of the audit log.", "dim")
    )
    return lines


def _candidates(result: Identification) -> Table:
    rows = table("Rank", "Subject", "Reference", "Score", "", right=("Score",))
    floor = result.answer.threshold.score if result.answer.threshold else 0.0
    for one in result.answer.candidates:
        # Where the threshold itself lies there, every candidate does, and the rate says so.
        beyond = one.extrapolated and not (result.answer.fpir and result.answer.fpir.extrapolated)
        remark = "beyond the data" if beyond else ""
        score = f"{one.score:.2f} ({one.score - floor:+.2f})"
        rows.add_row(
            str(one.rank),
            plain(one.subject_id),
            plain(one.reference_id),
            score,
            plain(remark, "dim"),
        )
    return rows
