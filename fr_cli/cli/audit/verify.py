"""`fr audit verify`: is the log whole?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fr_cli.cli.audit import options
from fr_cli.cli.output import plain
from fr_cli.cli.wiring import session_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fr_cli.audit.verify import Verification
    from fr_cli.operations.audit import Seen


def verify(
    context: typer.Context,
    full: Annotated[
        bool, typer.Option("--full", help="Check every signature, not only the last.")
    ] = False,
    witnessed: Annotated[
        list[Path] | None,
        typer.Option("--witnessed", help="A head kept elsewhere that the log must hold; repeat."),
    ] = None,
    witness_key: Annotated[
        list[Path] | None,
        typer.Option("--witness-key", help="Each such head must be signed by one of these."),
    ] = None,
    max_age: Annotated[
        float | None,
        typer.Option("--max-age", min=0, help="Hours since a witness signed the newest of these."),
    ] = None,
    key: options.Key = None,
    log: options.LogFile = None,
) -> None:
    """Check the log with the public key alone. Writes nothing; exit 31 if anything is wrong."""
    from fr_cli.operations import audit

    session = session_of(context)
    result, seen = audit.verify(
        audit.log_of(session.home, log, key),
        full=full,
        witnessed=witnessed or [],
        witness_keys=witness_key or [],
        max_age=max_age,
        listener=session.listener,
    )
    session.output.show(document(result, seen), *pictures(result, seen))


def document(result: Verification, seen: list[Seen]) -> dict[str, Any]:
    """The JSON document `fr/audit-verify/1`."""
    heads = [
        {"file": str(one.file), **asdict(one.head), "witnesses": one.witnesses} for one in seen
    ]
    found = asdict(result)
    keys = [one._asdict() for one in result.keys]
    return {"schema": "fr/audit-verify/1", **found, "keys": keys, "witnessed": heads}


def pictures(result: Verification, seen: list[Seen]) -> list[RenderableType]:
    """What an auditor reads."""
    signatures = "every signature" if result.full else "the last signature"
    lines: list[RenderableType] = [
        plain(f"The log is whole: {result.entries:,} entries; every leaf and {signatures} hold."),
        plain(f"From {result.first_time} to {result.last_time}; root {result.root}", "dim"),
    ]
    if result.abandoned:
        lines.append(
            plain(f"{result.abandoned} acts were cut short and are recorded as abandoned.")
        )
    if result.erased:
        lines.append(
            plain(f"Of {result.erased:,} entries only the hash is left, as later ones say.")
        )
    for one in seen:
        signed = ", ".join(f"{name} at {options.clock(t)}" for name, t in one.witnesses.items())
        lines.append(
            plain(
                f"It extends the head of {one.head.size:,} entries in {one.file}, "
                f"{f'signed by {signed}' if signed else 'of which no witness was checked'}."
            )
        )
    if not seen:
        lines.append(
            plain("Only a head that was kept elsewhere can tell that a log was cut short.", "dim")
        )
    return lines
