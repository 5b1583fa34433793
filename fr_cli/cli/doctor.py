"""`fr doctor`: is everything in order?"""

from __future__ import annotations

from dataclasses import asdict

import typer

from fr_cli.cli.output import plain, table
from fr_cli.cli.wiring import session_of

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(context: typer.Context) -> None:
    """Check the installation and the home, and say what mends it.

    Nothing is written, not even to the log. Ends with 0, or with the code of the worst failure.
    Where this account asks a station, it checks that this answers.
    """
    from fr_cli.operations.doctor import examine, worst

    session = session_of(context)
    if session.station is not None:
        from fr_cli.cli.station import examined

        checks = [examined(session)]
    else:
        checks = examine(session.home)
    rows = table("", "", "")
    for check in checks:
        rows.add_row(plain(check.state, STYLES[check.state]), plain(check.name), plain(check.what))
        if check.mend:
            rows.add_row("", "", plain(f"→ {check.mend}", "bold"))
    bad = sum(check.state == "fail" for check in checks)
    odd = sum(check.state == "warn" for check in checks)
    code = worst(checks)
    session.output.show(
        {"schema": "fr/doctor/1", "checks": [asdict(check) for check in checks], "exit": code},
        rows,
        plain(f"{len(checks)} checks: {bad} failed, {odd} to look at.", "bold"),
    )
    raise typer.Exit(code)
