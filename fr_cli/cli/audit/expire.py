"""`fr audit expire`: the log keeps nothing for longer than the policy says."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from fr_cli.cli.output import plain
from fr_cli.cli.wiring import session_of


def expire(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would go, and what keeps the rest.")
    ] = False,
) -> None:
    """Erase entries that the policy's audit_retention lets go; their hashes stay, the log verifies.

    Never erased: what is not over, what says how the log came about (its beginning, changes of
    key, recoveries), records of deletions, and what a later act that is kept names.
    """
    from fr_cli.operations.expire import expire as erase

    session = session_of(context)
    with session.bench() as bench:
        result = erase(bench, session.listener, dry_run=dry_run)
    verb = "would be" if dry_run else "are"
    by_command = ", ".join(f"{name}: {count:,}" for name, count in result.commands.items())
    session.output.show(
        {
            "schema": "fr/audit-expire/1",
            "dry_run": dry_run,
            "acts": result.acts,
            "entries": result.entries,
            "commands": result.commands,
            "kept": [{"rule": rule, "acts": count} for rule, count in result.kept.items()],
            "erasures": result.erasures,
            "audit": asdict(result.head),
        },
        plain(
            f"{result.entries:,} entries of {result.acts:,} acts {verb} erased"
            f"{f' ({by_command})' if by_command else ''}; their hashes stay."
        ),
        *(plain(f"{count:,} acts are kept: {rule}.") for rule, count in result.kept.items()),
        plain(f"Entry {result.head.size} of the audit log.", "dim"),
    )
