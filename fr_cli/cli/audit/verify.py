"""`fr audit`: check the signed log."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fr_cli.cli.output import plain
from fr_cli.cli.wiring import session_of

app = typer.Typer(help="Check the signed log.", no_args_is_help=True, rich_markup_mode=None)


@app.command("verify")
def verify(
    context: typer.Context,
    full: Annotated[
        bool, typer.Option("--full", help="Check every signature, not only the last.")
    ] = False,
    key: Annotated[
        Path | None, typer.Option("--key", help="The public key; the home's own by default.")
    ] = None,
    log: Annotated[
        Path | None, typer.Option("--log", help="A log outside a home; needs --key.")
    ] = None,
) -> None:
    """Check the log with the public key alone. Writes nothing; exit 31 if anything is wrong."""
    from fr_cli.audit.verify import verify_log
    from fr_cli.keys import AUDIT_PUBLIC, load_public_key
    from fr_cli.site import open_site

    session = session_of(context)
    if log is None:
        site = open_site(session.home)
        log, origin = site.audit / "audit.jsonl", site.origin
        key = key or site.keys / AUDIT_PUBLIC
    elif key is None:
        raise typer.BadParameter("A log outside a home needs the public key.", param_hint="--key")
    else:
        origin = None
    public = load_public_key(key).public_bytes_raw()
    result = verify_log(log, public, origin, full=full, listener=session.listener)
    signatures = "every signature" if full else "the last signature"
    session.output.show(
        {"schema": "fr/audit-verify/1", **asdict(result)},
        plain(f"The log is whole: {result.entries:,} entries; every leaf and {signatures} hold."),
        plain(f"From {result.first_time} to {result.last_time}; root {result.root}", "dim"),
        *(
            [plain(f"{result.abandoned} acts were cut short and are recorded as abandoned.")]
            if result.abandoned
            else []
        ),
        plain("Only a head that was kept elsewhere can tell that a log was cut short.", "dim"),
    )
