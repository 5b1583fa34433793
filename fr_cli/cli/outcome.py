"""`fr outcome`: what came of a search, later."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from fr_cli.casework.outcomes import WORDS
from fr_cli.cli.output import plain
from fr_cli.cli.wiring import session_of


def outcome(
    context: typer.Context,
    search: Annotated[
        str, typer.Argument(metavar="SEARCH", help="The search's id, or its first six or more.")
    ],
    what: Annotated[str, typer.Argument(metavar="WHAT", help=f"One of: {', '.join(WORDS)}.")],
    reason: Annotated[
        str, typer.Option("--reason", help="How that is known, for the log; no name of a person.")
    ] = "",
    instead_of: Annotated[
        str,
        typer.Option("--instead-of", metavar="WHAT", help="The outcome that this one corrects."),
    ] = "",
) -> None:
    """Record what came of a search. There may be several in time."""
    from fr_cli.operations.outcome import record

    session = session_of(context)
    with session.bench() as bench:
        result = record(search, what, reason, bench, instead_of=instead_of)
    session.output.show(
        {
            "schema": "fr/outcome/1",
            "search_id": result.search_id,
            "outcome": result.what,
            "standing": result.standing,
            "audit": asdict(result.head),
        },
        plain(f"Recorded for search {result.search_id[:12]}: {', '.join(result.standing)}."),
        plain(f"Entry {result.head.size} of the audit log.", "dim"),
    )
