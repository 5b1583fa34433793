"""`fr enroll`: take references into the gallery."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fr_cli.cli import options
from fr_cli.cli.output import plain, table
from fr_cli.cli.wiring import session_of
from fr_cli.records import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fr_cli.operations.enroll import Enrolled

#: Refusals that are listed on the screen; --rejects has them all.
SHOWN = 10


def enroll(
    context: typer.Context,
    source: Annotated[
        Path, typer.Argument(help="A CSV or JSONL manifest, or a folder of SUBJECT/photo.jpg.")
    ],
    rejects: Annotated[
        Path | None, typer.Option("--rejects", help="Write a line for each refused image.")
    ] = None,
    largest: options.Largest = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try images again that were refused before.")
    ] = False,
    workers: options.Workers = None,
    wait: options.Wait = None,
) -> None:
    """Enrol reference photos. Run it nightly: unchanged images cost a hash."""
    from fr_cli.operations.enroll import Source
    from fr_cli.operations.enroll import enroll as take_in

    session = session_of(context)
    choice = options.chosen_face(None, largest)
    feed = session.feed(source)
    with session.bench(wait=wait) as bench:
        result = take_in(Source(feed, rejects, choice, retry, workers), bench, session.listener)
    session.output.show(document(result), *pictures(result))
    raise typer.Exit(result.exit_code)


def document(result: Enrolled) -> dict[str, Any]:
    """The JSON document `fr/enroll/1`."""
    return {
        "schema": "fr/enroll/1",
        "added": result.added,
        "replaced": result.replaced,
        "updated": result.updated,
        "unchanged": result.unchanged,
        "rejected": result.rejected,
        "rejected_before": result.rejected_before,
        "shared_images": result.shared_images,
        "photos": result.photos,
        "rejects": [
            {
                "line": one.line,
                "subject_id": one.subject_id,
                "image": one.image,
                "error": one.error,
                "reason": one.reason,
            }
            for one in result.rejects
        ],
        "gallery": {
            "subjects": result.subjects,
            "references": result.references,
            "generation": result.generation,
        },
    }


def pictures(result: Enrolled) -> list[RenderableType]:
    """What the run did, in words."""
    lines: list[RenderableType] = [
        plain(
            f"{counted(result.added, 'reference')} added, "
            + (f"{result.replaced:,} of them in place of older ones, " * bool(result.replaced))
            + f"{result.updated:,} updated, "
            f"{result.unchanged:,} unchanged, {result.rejected:,} refused"
            + (f", {result.rejected_before:,} refused before" if result.rejected_before else "")
            + "."
        ),
        plain(
            f"The gallery holds {counted(result.references, 'reference')} of "
            f"{counted(result.subjects, 'person', 'people')}."
        ),
    ]
    if result.photos:
        lines.append(plain(f"{result.photos:,} photos are kept, sealed, as the policy says."))
    if result.shared_images:
        lines.append(
            plain(
                f"Enrolled under another subject too: {counted(result.shared_images, 'image')}. "
                "One of the two labels is probably wrong.",
                "yellow",
            )
        )
    if result.rejects:
        rows = table("Line", "Image", "Refused because")
        for one in result.rejects[:SHOWN]:
            rows.add_row(str(one.line), plain(one.image), plain(one.reason))
        lines.append(rows)
        if result.rejected > SHOWN:
            more = result.rejected - SHOWN
            lines.append(plain(f"… and {more:,} more; --rejects FILE lists all."))
    return lines
