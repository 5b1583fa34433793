"""What a run of an enrolment has met so far, outside of memory, whatever the length of the feed.

Kept in a file of SQLite's own that has no name and goes with the process. Nobody can read anything
in it: a mark is a hash under a key that only this run has, a refusal the keyed hash that the
gallery keeps too.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Iterator

#: Bytes of it that stay in memory, some 200,000 lines; the rest lies on disk.
_IN_MEMORY = 16 * 2**20
_SCHEMA = (
    "CREATE TABLE marks (mark BLOB PRIMARY KEY) STRICT, WITHOUT ROWID",
    "CREATE TABLE refused (image_key TEXT PRIMARY KEY, reason TEXT) STRICT, WITHOUT ROWID",
)


class Met:
    """Pairs of words that were marked, and what was refused and why; to be closed."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute(f"PRAGMA cache_size={-_IN_MEMORY // 1024}")
        for statement in _SCHEMA:
            self._db.execute(statement)
        self._db.execute("BEGIN")  # one for good: nothing of this outlives the process

    def mark(self, *pairs: tuple[str, str]) -> None:
        """Mark these pairs."""
        marks = [(self._hash(pair),) for pair in pairs]
        self._db.executemany("INSERT OR IGNORE INTO marks VALUES (?)", marks)

    def is_marked(self, pair: tuple[str, str]) -> bool:
        """Whether this pair was marked."""
        row = self._db.execute("SELECT 1 FROM marks WHERE mark = ?", (self._hash(pair),))
        return row.fetchone() is not None

    def refuse(self, image_key: str, reason: str) -> None:
        """Keep what was refused, by keyed hash, and why."""
        self._db.execute("INSERT OR REPLACE INTO refused VALUES (?, ?)", (image_key, reason))

    def was_refused(self, image_key: str) -> bool:
        """Whether this was refused."""
        row = self._db.execute("SELECT 1 FROM refused WHERE image_key = ?", (image_key,))
        return row.fetchone() is not None

    def refusals(self) -> Iterator[tuple[str, str]]:
        """All that was refused, by keyed hash, and why."""
        return iter(self._db.execute("SELECT image_key, reason FROM refused"))

    def close(self) -> None:
        """Forget it all."""
        self._db.close()

    def _hash(self, pair: tuple[str, str]) -> bytes:
        text = "\0".join(pair).encode()
        return hashlib.blake2b(text, key=self._key, digest_size=16).digest()
