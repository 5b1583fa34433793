"""`fr verify`: is this the person enrolled as …?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fr_cli.cli import options
from fr_cli.cli.identify import quality_document
from fr_cli.cli.output import plain
from fr_cli.cli.wiring import one_thread, session_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fr_cli.operations.verify import Verification


def verify(
    context: typer.Context,
    photo: options.Photo,
    subject: Annotated[str, typer.Argument(help="The subject's id.")],
    case: options.Case = "",
    reason: options.Reason = "",
    place: options.Place = "",
    flag: options.Flags = None,
    supervisor: options.Supervisor = "",
    necessity: options.Necessity = "",
    face: options.FaceNumber = None,
    largest: options.Largest = False,
) -> None:
    """Compare a photo with one enrolled subject."""
    from fr_cli.authority.circumstances import Circumstances
    from fr_cli.cli import grounds
    from fr_cli.operations.verify import verify as compare

    one_thread()
    session = session_of(context)
    said = Circumstances(place, grounds.known_flags(flag or ()), supervisor, necessity)
    why = grounds.complete(grounds.Grounds(case, reason, said), photo, session)
    data = options.read_photo_argument(photo)
    choice = options.chosen_face(face, largest)
    with session.bench() as bench:
        result = compare(
            data, subject, bench,
            case=why.case, reason=why.reason, circumstances=why.circumstances, face=choice,
        )  # fmt: skip
    session.output.show(document(result), *pictures(result))


def document(result: Verification) -> dict[str, Any]:
    """The JSON document `fr/verify/1`."""
    return {
        "schema": "fr/verify/1",
        "grounds": dict(result.grounds),
        "subject_id": result.subject_id,
        "reference_id": result.reference_id,
        "references": result.references,
        "outcome": result.outcome,
        "score": result.score,
        "cosine": result.cosine,
        "threshold": {"score": result.threshold_score, "cosine": result.threshold_cosine},
        "fmr_target": result.fmr_target,
        "quality": quality_document(result.quality),
        "audit": asdict(result.head),
    }


def pictures(result: Verification) -> list[RenderableType]:
    """What an operator reads."""
    above = result.outcome == "at_or_above_threshold"
    verdict = "reaches" if above else "does not reach"
    lines: list[RenderableType] = [
        plain(
            f"The photo {verdict} the threshold for {result.subject_id}: score "
            f"{result.score:.2f}, threshold {result.threshold_score:.2f}.",
            "bold yellow" if above else "bold",
        ),
        plain(
            f"Of other people, about 1 in {1 / result.fmr_target:,.0f} would reach it too. "
            "You decide, not the machine."
        ),
    ]
    lines += [plain(f"Photo: {text}", "yellow") for text in result.quality.advice]
    lines.append(plain(f"Entry {result.head.size} of the audit log.", "dim"))
    return lines
