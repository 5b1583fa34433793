"""`fr upgrade`: an older home for this version."""

from __future__ import annotations

from dataclasses import asdict

import typer

from fr_cli.cli.options import Wait
from fr_cli.cli.output import plain
from fr_cli.cli.wiring import session_of


def upgrade(context: typer.Context, wait: Wait = None) -> None:
    """Bring a home of an older version up to this one."""
    from fr_cli.operations.upgrade import upgrade as bring_up

    session = session_of(context)
    with session.bench(wait=wait) as bench:
        result = bring_up(bench)
    steps = result.gallery
    session.output.show(
        {
            "schema": "fr/upgrade/1",
            "gallery": list(steps),
            "audit": asdict(result.head),
        },
        plain(
            f"The gallery is of schema {steps[-1]} now. Older versions of fr cannot read it."
            if steps
            else "There is nothing to upgrade."
        ),
    )
