"""`fr audit stamp`: ask an authority for a time stamp on a head, and check its answer."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fr_cli.cli.audit import options
from fr_cli.cli.output import plain
from fr_cli.cli.wiring import session_of
from fr_cli.errors import UsageProblem
from fr_cli.records import utc


def stamp(
    context: typer.Context,
    head: Annotated[Path, typer.Argument(help="A head of the log, from: fr audit head --out")],
    request: Annotated[
        Path | None, typer.Option("--request", help="Write what the authority is to be sent.")
    ] = None,
    response: Annotated[
        Path | None, typer.Option("--response", help="Check the authority's answer.")
    ] = None,
    authority: Annotated[
        Path | None,
        typer.Option("--authority", help="The authority's root certificate (PEM)."),
    ] = None,
    key: options.Key = None,
    key_change: options.KeyChanges = None,
) -> None:
    """Have an authority say when a head was there (RFC 3161), by files (extra: timestamp)."""
    from fr_cli.operations import stamp as work
    from fr_cli.operations.audit import key_of, trusted, write_file

    session = session_of(context)
    keys = trusted(key_of(session.home, key), key_change or [])
    if request is not None and response is None and authority is None:
        write_file(request, work.request(head, keys))
        session.output.show(
            {"schema": "fr/audit-stamp-request/1", "request": str(request)},
            plain(f"What to send to the authority is in {request}."),
        )
        return
    if request is not None or response is None or authority is None:
        raise UsageProblem(
            "Either a request is made, or an answer is checked.",
            hint="Give --request FILE; or --response FILE and --authority ROOT.pem",
        )
    found = work.check(head, keys, response, authority)
    time = utc(found.time)
    session.output.show(
        {
            "schema": "fr/audit-stamp/1",
            "origin": found.note.origin,
            **asdict(found.note.head),
            "time": time,
        },
        plain(f"The head of {found.note.head.size:,} entries was there at {time}."),
    )
