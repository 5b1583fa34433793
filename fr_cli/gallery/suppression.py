"""Purged stays purged: who was deleted, by keyed hash, because the feed still lists them.

A mark is the alias of a subject or the keyed hash of a photo's bytes. Without the site key it says
nothing; with it, whoever knows an id or has a photo can ask whether it was purged, no more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from fr_cli.gallery.database import Database


def suppress(
    store: Database, alias: str, image_keys: Iterable[str], when: str, *, person: bool
) -> None:
    """Refuse these photos from now on, and the `person` whatever photo comes; in a transaction."""
    for mark in (*image_keys, *([alias] if person else [])):
        store.db.execute("INSERT OR REPLACE INTO suppressed VALUES (?, ?, ?)", (mark, alias, when))


def suppressed(store: Database, alias: str, image_key: str) -> Literal["person", "photo"] | None:
    """What was purged: this person, or the one whose photo this is; only the photo; or neither."""
    rows = store.db.execute(
        "SELECT EXISTS (SELECT 1 FROM suppressed AS person WHERE person.mark = found.subject) "
        "FROM suppressed AS found WHERE mark IN (?, ?)",
        (alias, image_key),
    ).fetchall()
    if not rows:
        return None
    return "person" if any(person for (person,) in rows) else "photo"


def end_older_than(store: Database, moment: str) -> int:
    """Remove the marks of purges before this moment (as `lock.now` writes it); how many."""
    with store.transaction():
        rows = store.db.execute("DELETE FROM suppressed WHERE purged_at < ?", (moment,))
    return rows.rowcount


def lift(store: Database, alias: str) -> int:
    """Let a subject and their photos be enrolled again; how many marks were removed."""
    with store.transaction():
        return store.db.execute("DELETE FROM suppressed WHERE subject = ?", (alias,)).rowcount
