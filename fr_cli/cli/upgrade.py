"""`fr upgrade`: bring an older home up to this version."""

from __future__ import annotations

import typer

from fr_cli.cli.output import plain
from fr_cli.cli.wiring import session_of


def upgrade(context: typer.Context) -> None:
    """Bring a home that an older version of fr made up to this one."""
    from fr_cli.operations.upgrade import upgrade as bring_up

    session = session_of(context)
    with session.bench() as bench:
        result = bring_up(bench)
    lines = [plain(f"Done: {step}") for step in result.steps]
    session.output.show(
        {
            "schema": "fr/upgrade/1",
            "steps": list(result.steps),
            "audit": {"size": result.head.size, "root": result.head.root},
        },
        *(lines or [plain("The home is of this version already.")]),
        plain(f"Entry {result.head.size} of the audit log.", "dim"),
    )
