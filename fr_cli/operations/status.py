"""How a home stands, in a moment: read from its files, nothing loaded, nothing written.

What is said here is not verified: `fr doctor` checks it, `fr audit verify` proves the log.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from fr_cli.audit.lease import Leases
from fr_cli.errors import FrError
from fr_cli.face import weights
from fr_cli.face.catalogue import DETECTOR, named
from fr_cli.operations.owed import owed
from fr_cli.site import Site, model_folders, open_site

#: Bytes of the log's end in which the last acts are looked for.
SCANNED = 8 * 2**20
#: The acts whose last time is told.
TOLD = ("enroll", "identify", "evaluate", "purge", "audit export")


@dataclass(frozen=True)
class Status:
    """What a home holds; counts are None while there is no gallery.

    `weights` says for each model that is needed whether a file of its name and size is there.
    `last` has the time (UTC) of the newest finished act of each kind found in the last SCANNED
    bytes of the log, `newest` that of the last entry. `pending` counts acts that run, or were cut
    short. `overrides` are acts without their second person that nobody has approved since: `act`,
    `kind`, `since`, who did it, until when it should be `due`, and what everybody is `told`.
    """

    home: Path
    model: str
    weights: dict[str, bool]
    subjects: int | None
    references: int | None
    entries: int
    newest: str
    last: dict[str, str]
    pending: int
    overrides: list[dict[str, str | int]]

    @property
    def next_step(self) -> str:
        """The command that a newcomer would type next; empty once the home is in use."""
        if not all(self.weights.values()):
            return f"fr models pull {' '.join(self.weights)}"
        return "" if self.references else "fr enroll SOURCE"


def status(home: Path) -> Status:
    """Read it; ConfigurationError (3) if there is no home."""
    site = open_site(home)
    subjects, references = _counts(site.database)
    entries, newest, last = _log(site.audit / "audit.jsonl")
    return Status(
        home=home,
        model=site.model,
        weights=_weights(site),
        subjects=subjects,
        references=references,
        entries=entries,
        newest=newest,
        last=last,
        pending=_pending(site.audit),
        overrides=_overrides(site),
    )


def _weights(site: Site) -> dict[str, bool]:
    folders = model_folders(site.home)
    found = {}
    for name in (DETECTOR, site.model, *named(site.model).parts):
        try:
            weights.find(weights.resolved(name, folders), folders)
            found[name] = True
        except FrError:  # of whatever kind: doctor says which
            found[name] = False
    return found


def _counts(database: Path) -> tuple[int | None, int | None]:
    if not database.exists():
        return None, None
    with suppress(sqlite3.Error), closing(sqlite3.connect(database, timeout=2)) as db:
        # Two counts, each of an index, where one of the active ones would read every row.
        subjects = db.execute(
            "SELECT (SELECT count(*) FROM subjects) "
            "- (SELECT count(*) FROM subjects WHERE state = 'purging')"
        ).fetchone()[0]
        references = db.execute("SELECT count(*) FROM refs").fetchone()[0]
        return int(subjects), int(references)
    return None, None


def _log(path: Path) -> tuple[int, str, dict[str, str]]:
    """How many entries the last line states, its time, and when each kind of act last ended."""
    entries, newest, last = 0, "", dict[str, str]()
    for line in _backwards(path):
        with suppress(ValueError, KeyError, TypeError):
            document = json.loads(line)
            entries = entries or int(document["cp"]["size"])
            entry = document["e"]
            newest = newest or str(entry["t"])
            if entry["ph"] == "outcome" and "error" not in entry and entry["cmd"] in TOLD:
                last.setdefault(str(entry["cmd"]), str(entry["t"]))
        if len(last) == len(TOLD):
            break
    return entries, newest, last


def _backwards(path: Path) -> Iterator[bytes]:
    """Whole lines of the end of a file, the last one first."""
    with suppress(OSError), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - SCANNED))
        block = file.read()
        lines = block.splitlines(keepends=True)
        if size > SCANNED and lines:
            lines = lines[1:]
        yield from (line for line in reversed(lines) if line.endswith(b"\n"))


def _overrides(site: Site) -> list[dict[str, str | int]]:
    with suppress(FrError):
        if waiting := owed(site.audit / "audit.jsonl").overrides:
            from fr_cli.authority.policy import load_policy

            hours = load_policy(site.policy)[0].approvals.valid_hours
            return [
                vars(one) | {"due": one.due(hours), "told": one.sentence(hours)} for one in waiting
            ]
    return []


def _pending(audit: Path) -> int:
    try:
        return len(Leases(audit).open())
    except OSError:
        return 0
