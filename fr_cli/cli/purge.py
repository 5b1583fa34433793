"""`fr purge`: delete for good."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from fr_cli.cli.output import plain
from fr_cli.cli.wiring import session_of
from fr_cli.errors import UsageProblem


def purge(
    context: typer.Context,
    subject: Annotated[str, typer.Option("--subject", help="The subject to delete.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a subject for good.

    When this returns, no search finds the subject and no key opens their templates.
    """
    from fr_cli.operations.purge import purge as delete

    session = session_of(context)
    if not yes:
        if session.output.as_json or not sys.stdin.isatty():
            raise UsageProblem("Deleting cannot be undone.", hint="Confirm it with --yes.")
        typer.confirm("Delete this subject for good?", abort=True, err=True)
    with session.bench() as bench:
        result = delete(subject, bench)
    session.output.show(
        {
            "schema": "fr/purge/1",
            "subject_id": result.subject_id,
            "references": result.references,
            "generation": result.generation,
            "audit": {"size": result.head.size, "root": result.head.root},
        },
        plain(f"{result.subject_id} is deleted: {result.references} references and their key."),
        plain(
            "No search finds this subject from now on, unless a feed that still lists them is "
            "enrolled again. Copies of the key file in backups, and the source of the photos, are "
            "outside of what fr can delete."
        ),
        plain(f"Entry {result.head.size} of the audit log.", "dim"),
    )
