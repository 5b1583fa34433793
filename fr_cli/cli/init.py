"""`fr init`: make a home."""

from __future__ import annotations

from typing import Annotated

import typer

from fr_cli.cli.output import plain
from fr_cli.cli.wiring import session_of


def init(
    context: typer.Context,
    model: Annotated[
        str, typer.Option("--model", help="The embedder, of fr models list; for good.")
    ] = "SFace",
) -> None:
    """Make a home: folders, keys, policy and the signed log."""
    from fr_cli.operations.init import init as make_home

    session = session_of(context)
    site = make_home(session.home, model)
    document = {
        "schema": "fr/init/1",
        "home": str(site.home),
        "origin": site.origin,
        "model": site.model,
        "audit_public_key": str(site.keys / "audit.pub"),
    }
    session.output.show(
        document,
        plain(f"A home was made at {site.home}."),
        plain(f"Keep {site.keys} apart from backups of the rest: a template is only as gone as"),
        plain("the last copy of its key. Give keys/audit.pub to whoever checks the log."),
        plain("Photos are not kept, so a later change of model needs the photos again."),
        plain("Next: fr models pull, then fr enroll SOURCE", "bold"),
    )
