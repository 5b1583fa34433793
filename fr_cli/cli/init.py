"""`fr init`: make a home."""

from __future__ import annotations

from typing import Annotated

import typer

from fr_cli.cli.output import plain
from fr_cli.cli.wiring import session_of

UNDER_PASSPHRASE = (
    "Each command asks for the passphrase, or reads it from the file that FR_PASSPHRASE_FILE",
    "names. Write it down for the safe: without it neither gallery nor log can be gone on with.",
)


def init(
    context: typer.Context,
    passphrase: Annotated[
        bool,
        typer.Option(
            "--passphrase",
            help="Keep the keys under a passphrase: asked for, or from FR_PASSPHRASE_FILE.",
        ),
    ] = False,
    model: Annotated[
        str, typer.Option("--model", help="The embedder, of fr models list.")
    ] = "SFace",
) -> None:
    """Make a home: folders, keys, policy and the signed log."""
    from fr_cli.operations.init import init as make_home

    session = session_of(context)
    secret = session.new_passphrase() if passphrase else None
    site = make_home(session.home, secret, model)
    document = {
        "schema": "fr/init/1",
        "home": str(site.home),
        "origin": site.origin,
        "model": site.model,
        "audit_public_key": str(site.keys / "audit.pub"),
        "passphrase": passphrase,
    }
    session.output.show(
        document,
        plain(f"A home was made at {site.home}."),
        plain(f"Keep {site.keys} apart from backups of the rest: a template is only as gone as"),
        plain("the last copy of its key. Give keys/audit.pub to whoever checks the log."),
        *(plain(line) for line in UNDER_PASSPHRASE if passphrase),
        plain("Photos are not kept: a later change of model needs new photos. To keep them, set"),
        plain(f"keep_photos: true in {site.policy} before you enrol."),
        plain("Next: fr models pull, then fr enroll SOURCE", "bold"),
    )
