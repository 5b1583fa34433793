"""`fr audit witness`: remember the heads of somebody else's log, and sign the next."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fr_cli.cli.audit import options
from fr_cli.cli.output import plain
from fr_cli.cli.wiring import session_of
from fr_cli.errors import UsageProblem

if TYPE_CHECKING:
    from fr_cli.audit.witness import Witness


def witness(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(help="What the log's owner sent: a head, later a proof from the last one."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--dir", help="The witness's folder, with key and memory.")
    ] = None,
    init: Annotated[
        Path | None, typer.Option("--init", help="Make a witness's folder, and do nothing else.")
    ] = None,
    name: Annotated[
        str, typer.Option("--name", help="Name of the new witness; by default, of this machine.")
    ] = "",
    key: options.GivenKey = None,
    key_change: options.KeyChanges = None,
    out: options.Out = None,
) -> None:
    """Sign a head of a log if it extends the last one signed. Exit 31 if it does not."""
    from fr_cli.operations import witness as work

    session = session_of(context)
    if init is not None:
        session.output.show(*_made(work.init(init, name), init))
        return
    if file is None or folder is None or key is None:
        raise UsageProblem(
            "A witness needs the file, its folder and the log's public key.",
            hint="fr audit witness FILE --dir DIR --key audit.pub; first: --init DIR",
        )
    signed = work.sign(file, folder, key, key_change or [])
    note, before = signed.note, signed.previous
    since = f"extends that of {before.size:,}" if before else "is the first of this log seen here"
    session.output.show(
        {
            "schema": "fr/audit-witness/1",
            "origin": note.origin,
            **asdict(note.head),
            "previous": asdict(before) if before else None,
            "time": options.clock(signed.time),
            "note": note.text(),
        },
        *options.text(
            out, note.text(), f"The head of {note.head.size:,} entries {since}; signed, it"
        ),
    )


def _made(made: Witness, folder: Path) -> tuple[dict[str, Any], Any, Any]:
    return (
        {
            "schema": "fr/audit-witness-init/1",
            "folder": str(folder),
            "name": made.key.name,
            "vkey": made.key.vkey(),
        },
        plain(f"The witness {made.key.name} is in {folder}. Publish this line:"),
        plain(made.key.vkey()),
    )
