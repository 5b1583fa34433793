"""Finding a search in the log by its id, with what was decided on it, quickly."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from fr_cli.audit.finding import lines_of, lines_with
from fr_cli.audit.show import acts
from fr_cli.casework.searches import Search, follow
from fr_cli.errors import GalleryMissing, SearchUnknown, UsageProblem
from fr_cli.operations.bench import Bench

#: What an operator may type for an id: all of it, or its beginning.
_ID = re.compile(r"[0-9a-f]{6,32}")
#: A shorter id of the feed may stand in words by chance.
_SHORTEST = 3


def sought(text: str) -> str:
    """What of an id that was typed may stand in the log; empty for what is none."""
    return text if _ID.fullmatch(text) else ""


def find(log: Path, text: str) -> Search:
    """The search whose id is, or begins with, this text of at least six characters.

    SearchUnknown if there is none, or several; and if it was refused, broken off, or still runs.
    """
    if not _ID.fullmatch(text):
        raise SearchUnknown("The id of a search has 32 characters, 0-9 and a-f; six of them do.")
    named = lines_with(log, f'"req":"{text}'.encode(), f'"search":"{text}'.encode())
    found = {act.req: act for act in acts(named)}
    begins = [act for act in found.values() if act.command == "identify"]
    if not begins:
        raise SearchUnknown(f"The log holds no search {text}.")
    if len(begins) > 1:
        raise SearchUnknown(
            f"{len(begins)} searches begin with {text}.", hint="Give more of the id."
        )
    if begins[0].state != "done":
        raise SearchUnknown(
            f"The search {begins[0].req} gave no answer ({begins[0].state}).",
            hint="Only what was answered can be decided.",
        )
    # Only the intents name the search: of what was done about it the outcomes are still to be read.
    later = [req for req, act in found.items() if act.command != "identify"]
    ended = acts(lines_of(log, frozenset(later))) if later else ()
    return follow([begins[0], *ended])[begins[0].req]


def seek(log: Path, text: str) -> Search | SearchUnknown:
    """The same, the error as a value: it is raised when the attempt is in the log."""
    try:
        return find(log, text)
    except SearchUnknown as trouble:
        return trouble


def owed(log: Path) -> list[Search]:
    """The searches on which somebody still has to decide, oldest first."""
    listed = follow(acts(lines_with(log, b'"outcome":"candidates"', b'"cmd":"decide"')))
    wanted = {req: search for req, search in listed.items() if search.owed}
    whole = follow(acts(lines_of(log, frozenset(wanted)))) if wanted else {}
    for req, search in whole.items():
        search.decisions.extend(wanted[req].decisions)
    return sorted(whole.values(), key=lambda one: one.answered)


def names(bench: Bench, subjects: Collection[str]) -> dict[str, str]:
    """The feed's ids of these subjects by their random ids, without those who were purged."""
    from fr_cli.gallery.store import Store

    found: dict[str, str] = {}
    with (
        contextlib.suppress(GalleryMissing),
        contextlib.closing(Store.open(bench.site.database)) as store,
    ):
        for uid in subjects:
            row = store.db.execute(
                "SELECT subject_id FROM subjects WHERE uid = ? AND state = 'active'", (uid,)
            ).fetchone()
            if row is not None:
                found[uid] = str(row[0])
    return found


def leaks(reason: str, ids: Iterable[str]) -> bool:
    """Whether an operator's words hold an id of the feed, often a name; the log holds none."""
    return any(
        len(one) >= _SHORTEST
        and re.search(rf"(?<!\w){re.escape(one)}(?!\w)", reason, re.IGNORECASE)
        for one in ids
    )


def leaked() -> UsageProblem:
    """What is said of such words."""
    return UsageProblem(
        "The reason names a candidate; it goes to the log, which holds no names.",
        hint="Say why in other words: what agrees, what differs, what else is known.",
    )
