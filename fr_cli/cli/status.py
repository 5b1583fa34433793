"""`fr status`: how the home stands, in a moment; and what `fr` alone says."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from fr_cli.cli.output import plain, table
from fr_cli.cli.wiring import Session, session_of

if TYPE_CHECKING:
    from fr_cli.operations.status import Status


def status(context: typer.Context) -> None:
    """Say how the home stands: model, gallery, log, last acts.

    Read from its files in a moment and not verified; nothing is written. To check: fr doctor.
    """
    from fr_cli.operations.status import status as read

    session = session_of(context)
    found = read(session.home)
    rows = table("", "")
    if session.station is not None:
        rows.add_row(plain("station", "dim"), plain(session.station))
    for name, value in _told(found).items():
        rows.add_row(plain(name, "dim"), plain(value))
    told = [plain(one["told"], "yellow") for one in found.overrides]
    mends = plain("To check all of it: fr doctor")
    session.output.show(_document(found, session), rows, *told, mends)


def _told(found: Status) -> dict[str, str]:
    missing = [name for name, there in found.weights.items() if not there]
    return {
        "home": str(found.home),
        "model": found.model + (f" (no weights of {', '.join(missing)})" if missing else ""),
        "gallery": _gallery(found),
        "log": f"{found.entries:,} entries, the last at {found.newest}",
        **{f"last {name}": when for name, when in found.last.items()},
        "running or cut short": str(found.pending),
    }


def _gallery(found: Status) -> str:
    if found.references is None:
        return "nobody is enrolled"
    return f"{found.references:,} references of {found.subjects:,} people"


def _document(found: Status, session: Session) -> dict[str, object]:
    station = None if session.station is None else str(session.station)
    kept = asdict(found) | {"home": str(found.home), "next": found.next_step or None}
    return {"schema": "fr/status/1", "station": station, **kept}


def first_words(session: Session) -> None:
    """What `fr` without a command says: how the home stands, and what to do next."""
    if session.station is not None:
        session.output.show(
            {"schema": "fr/status/1", "station": str(session.station), "next": "fr status"},
            plain(f"This account asks the station at {session.station}."),
            plain("Ask:   fr identify PHOTO --case ID --reason WORD"),
            plain("Check: fr doctor, fr status"),
            plain("All commands: fr --help. A home of your own: --home DIR"),
        )
        return
    if not (session.home / "site.yaml").exists():
        session.output.show(
            {
                "schema": "fr/status/1",
                "station": None,
                "home": str(session.home),
                "next": "fr init",
            },
            plain(f"There is no home at {session.home} yet."),
            plain("  fr demo     see it all once, on people who do not exist"),
            plain("  fr init     make a home"),
            plain("All commands: fr --help"),
        )
        return
    from fr_cli.operations.status import status as read

    found = read(session.home)
    if found.next_step:
        steps = [f"Next: {found.next_step}"]
    else:
        steps = ["Ask:   fr identify PHOTO --case ID --reason WORD", "Check: fr doctor"]
    session.output.show(
        _document(found, session),
        plain(f"{found.home}: {_gallery(found)}, model {found.model}."),
        *(plain(step) for step in steps),
        plain("All commands: fr --help"),
    )
