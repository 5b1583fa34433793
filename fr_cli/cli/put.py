"""`fr policy put`: another policy comes in force."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fr_cli.cli import consent
from fr_cli.cli.output import plain
from fr_cli.cli.wiring import session_of


def put(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The new policy.")],
    ask: consent.Ask = None,
    approved: consent.Approved = None,
    signature: consent.Signature = None,
    override: consent.Override = "",
) -> None:
    """Put a policy in force in the place of policy.yaml, and write the change to the log."""
    from fr_cli.operations.policy_in_force import put as put_in_force

    session = session_of(context)
    given = consent.given(ask, approved, signature, override)
    with session.bench() as bench, consent.seconded(session, bench, given):
        done = put_in_force(file, bench)
    session.output.show(
        {
            "schema": "fr/policy-put/1",
            "sha256": done.sha256,
            "before": done.before,
            "changes": done.changes,
            "audit": asdict(done.head),
        },
        *(plain(line) for line in done.changes),
        plain(f"In force: SHA-256 {done.sha256}"),
        plain(f"Entry {done.head.size} of the audit log.", "dim"),
    )
