"""`fr audit rotate`: a new signing key."""

from __future__ import annotations

from dataclasses import asdict

import typer

from fr_cli.cli import consent
from fr_cli.cli.output import plain
from fr_cli.cli.protection import NewPassphrase, Reason, protection
from fr_cli.cli.wiring import session_of


def rotate(
    context: typer.Context,
    reason: Reason = "",
    passphrase: NewPassphrase = None,
    ask: consent.Ask = None,
    approved: consent.Approved = None,
    signature: consent.Signature = None,
    override: consent.Override = "",
) -> None:
    """Sign the log with a new key from here on. It is checked with the same audit.pub as before."""
    from fr_cli.operations.keys import rotate_signer

    session = session_of(context)
    given = consent.given(ask, approved, signature, override)
    protect = protection(session, passphrase)
    with session.bench() as bench, consent.seconded(session, bench, given):
        result = rotate_signer(reason, bench, protect)
    session.output.show(
        {
            "schema": "fr/audit-rotate/1",
            "key": result.key,
            "entry": result.entry,
            "passphrase": result.passphrase,
            "audit": asdict(result.head),
        },
        plain(f"Entry {result.entry} names a new key, which signs all that follows it."),
        plain("Whoever checks the log needs nothing new: audit.pub stays, and leads to this key."),
        plain("Whoever checks heads and proofs without the log, as a witness does, needs once:"),
        plain(f"fr audit prove {result.entry} --to {result.entry + 1} --out key-change", "bold"),
    )
