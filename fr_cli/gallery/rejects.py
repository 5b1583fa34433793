"""Images that were refused before, by keyed hash, so that a nightly feed reports each only once."""

from __future__ import annotations

from collections.abc import Iterable

from fr_cli.gallery.database import Database


def was_rejected(store: Database, image_key: str) -> bool:
    """Whether an image of this keyed hash was refused before."""
    row = store.db.execute("SELECT 1 FROM rejects WHERE image_key = ?", (image_key,)).fetchone()
    return row is not None


def remember_rejects(store: Database, reasons: Iterable[tuple[str, str]]) -> None:
    """Remember, by keyed hash, what was refused and why."""
    with store.transaction():
        store.db.executemany(
            "INSERT OR REPLACE INTO rejects VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))",
            reasons,
        )
