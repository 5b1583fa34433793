"""`fr audit head`, `prove` and `check-proof`: proofs that stand without the log. No traces."""

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

    from fr_cli.audit.note import Note
    from fr_cli.audit.receipt import Consistency, Inclusion


def head(
    context: typer.Context,
    out: options.Out = None,
    key: options.Key = None,
    log: options.LogFile = None,
) -> None:
    """Give out the last signed head, to be kept by somebody else. Writes nothing to the log."""
    from fr_cli.operations import audit

    session = session_of(context)
    note = audit.log_of(session.home, log, key).head()
    session.output.show(
        {
            "schema": "fr/audit-head/1",
            "origin": note.origin,
            **asdict(note.head),
            "note": note.text(),
        },
        *options.text(out, note.text(), f"The head of {note.head.size:,} entries"),
    )


def prove(
    context: typer.Context,
    entry: Annotated[
        str | None,
        typer.Argument(help="An entry by its seq (counted from 0), or an act by its id."),
    ] = None,
    since: Annotated[
        int | None,
        typer.Option("--from", min=1, help="Prove that the log extends its head of this size."),
    ] = None,
    upto: Annotated[
        int | None, typer.Option("--to", min=1, help="Prove to the head of this size; the last.")
    ] = None,
    out: options.Out = None,
    key: options.Key = None,
    log: options.LogFile = None,
) -> None:
    """Prove that an entry is in the log, or that the log only grew. Writes nothing to the log."""
    from fr_cli.operations import audit

    session = session_of(context)
    proof = audit.prove(audit.log_of(session.home, log, key), entry, since, upto, session.listener)
    session.output.show(document(proof), *options.text(out, proof.text(), "The proof"))


def document(proof: Inclusion | Consistency) -> dict[str, Any]:
    """The JSON document `fr/audit-proof/1`."""
    import base64

    return {
        "schema": "fr/audit-proof/1",
        **_about(proof),
        "path": [base64.b64encode(one).decode() for one in proof.path],
        "proof": proof.text(),
    }


def _about(proof: Inclusion | Consistency) -> dict[str, Any]:
    from fr_cli.audit.receipt import Inclusion

    inclusion = isinstance(proof, Inclusion)
    return {
        "kind": "inclusion" if inclusion else "consistency",
        "index": proof.index if isinstance(proof, Inclusion) else None,
        "old": None if isinstance(proof, Inclusion) else proof.old,
        "origin": proof.note.origin,
        **asdict(proof.note.head),
    }


def check_proof(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A proof, or a head to compare with another.")],
    key: options.Key = None,
    key_change: options.KeyChanges = None,
    old: Annotated[
        Path | None,
        typer.Option("--head", help="The head that you kept; due for a proof of growth."),
    ] = None,
) -> None:
    """Check a proof with the public key alone: no log, no home. Exit 31 if it does not hold."""
    from fr_cli.operations import audit

    session = session_of(context)
    keys = audit.trusted(audit.key_of(session.home, key), key_change or [])
    proof, before = audit.check_proof(file, keys, old)
    session.output.show(_checked(proof, before), *_pictures(proof, before))


def _checked(proof: Inclusion | Consistency | Note, before: Note | None) -> dict[str, Any]:
    """The JSON document `fr/audit-check-proof/1`."""
    from fr_cli.audit.note import Note
    from fr_cli.audit.receipt import Inclusion

    about = (
        {"kind": "same", "index": None, "old": proof.head.size, "origin": proof.origin,
         **asdict(proof.head)}
        if isinstance(proof, Note)
        else _about(proof)
    )  # fmt: skip
    return {
        "schema": "fr/audit-check-proof/1",
        "holds": True,
        **about,
        "old_root": before.head.root if before else None,
        "entry": proof.entry if isinstance(proof, Inclusion) else None,
    }


def _pictures(proof: Inclusion | Consistency | Note, before: Note | None) -> list[RenderableType]:
    import json

    from fr_cli.audit.note import Note
    from fr_cli.audit.receipt import Inclusion

    note = proof if isinstance(proof, Note) else proof.note
    head = f"the signed head of {note.head.size:,} entries"
    if isinstance(proof, Inclusion):
        if proof.entry is None:
            said = "Its body is not in this file: it was erased, or left out."
            return [plain(f"The hash of entry {proof.index} is in {head}."), plain(said)]
        shown = json.dumps(proof.entry, indent=1, ensure_ascii=False).splitlines()
        lines = [plain(f"Entry {proof.index} is in {head}, unchanged:"), *map(plain, shown)]
    elif before is None or before.head == note.head:
        lines = [plain(f"Both are {head}.")]
    else:
        lines = [plain(f"The log only grew: {head} extends that of {before.head.size:,}.")]
    return [*lines, plain(f"Log {note.origin}, root {note.head.root}", "dim")]
