"""Options of the commands that make new keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fr_cli.cli.wiring import Session
    from fr_cli.operations.keys import Protect

NewPassphrase = Annotated[
    bool | None,
    typer.Option(
        "--passphrase/--no-passphrase",
        help="Keep it under a new passphrase, or in clear; by default as the old one is kept.",
        show_default=False,
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the log; no name.")]


def protection(session: Session, passphrase: bool | None) -> Protect:
    """How the new key is kept; asks for its passphrase where there is to be one."""
    from fr_cli.operations.keys import as_before

    if passphrase is None:
        return as_before
    new = session.new_passphrase() if passphrase else None
    return lambda old: new
