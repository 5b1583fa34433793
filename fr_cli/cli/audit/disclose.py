"""`fr audit export` and `extract`: for somebody outside. Acts of their own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fr_cli.cli import consent
from fr_cli.cli.audit import options
from fr_cli.cli.output import plain
from fr_cli.cli.wiring import session_of


def export(
    context: typer.Context,
    case: Annotated[str, typer.Option("--case", help="The case, letter by letter.")],
    to: Annotated[str, typer.Option("--to", help="Who receives it; written to the log.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to make.")],
    reason: options.Reason = "",
    ask: consent.Ask = None,
    approved: consent.Approved = None,
    signature: consent.Signature = None,
    override: consent.Override = "",
) -> None:
    """Hand out the entries of a case with proofs, and how to check them without fr."""
    from fr_cli.operations.disclosure import export as hand_out

    session = session_of(context)
    given = consent.given(ask, approved, signature, override)
    with session.bench() as bench, consent.seconded(session, bench, given):
        result = hand_out(case, to, out, bench, session.listener, reason=reason)
    session.output.show(
        {
            "schema": "fr/audit-export/1",
            "folder": str(result.out),
            "acts": result.acts,
            "entries": result.entries,
            "files": result.files,
            "sha256sums": result.sums,
            "head": asdict(result.note.head),
            "audit": asdict(result.head),
        },
        plain(f"{result.entries} entries of {result.acts} acts are in {result.out}."),
        plain("Begin with README.txt or README.html in it. Send audit.pub by another way as well."),
        plain(f"Entry {result.head.size} of the audit log names the recipient.", "dim"),
    )


def extract(
    context: typer.Context,
    since: options.Since = "",
    until: options.Until = "",
    to: Annotated[
        str, typer.Option("--to", help="Who receives it, if somebody else; written to the log.")
    ] = "",
    out: options.Out = None,
    reason: options.Reason = "",
    ask: consent.Ask = None,
    approved: consent.Approved = None,
    signature: consent.Signature = None,
    override: consent.Override = "",
) -> None:
    """Table what the law asks of the log (DPA 2018 s.62, AI Act Art. 12), as CSV or JSON."""
    from fr_cli.operations.extract import as_csv
    from fr_cli.operations.extract import extract as table_acts

    session = session_of(context)
    given = consent.given(ask, approved, signature, override)
    with session.bench() as bench, consent.seconded(session, bench, given):
        result = table_acts(since, until, to, bench, session.listener, reason=reason)
    session.output.show(
        {
            "schema": "fr/audit-extract/1",
            "acts": [asdict(one) for one in result.rows],
            "head": asdict(result.note.head),
            "audit": asdict(result.head),
        },
        *options.text(out, as_csv(result.rows), f"The record of {len(result.rows)} acts"),
    )
