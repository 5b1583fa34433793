"""The database file of a gallery: schema, settings that deletion rests on, transactions."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fr_cli.errors import (
    FrError,
    GalleryDamaged,
    GalleryLocked,
    GalleryMissing,
    GalleryUnwritable,
)

SCHEMA_VERSION = 2
APPLICATION_ID = 0x66723031  # "fr01"
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE subjects (
    pk INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    subject_id TEXT NOT NULL UNIQUE,
    slot INTEGER NOT NULL UNIQUE,
    state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'purging')),
    enrolled_at TEXT NOT NULL
) STRICT;
CREATE TABLE refs (
    pk INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    subject INTEGER NOT NULL REFERENCES subjects (pk),
    reference_id TEXT NOT NULL,
    image_key TEXT NOT NULL,
    watchlist TEXT NOT NULL,
    provenance TEXT NOT NULL,
    quality TEXT NOT NULL,
    sealed BLOB NOT NULL,
    act TEXT NOT NULL,
    enrolled_at TEXT NOT NULL,
    UNIQUE (subject, reference_id),
    UNIQUE (subject, image_key)
) STRICT;
CREATE INDEX refs_image ON refs (image_key);
CREATE INDEX refs_watchlist ON refs (watchlist);
-- References deleted since the current generation was built: masked until the next one.
CREATE TABLE removed (pk INTEGER PRIMARY KEY) STRICT;
-- Images refused before, by keyed hash, so that a nightly feed reports each only once.
CREATE TABLE rejects (image_key TEXT PRIMARY KEY, reason TEXT NOT NULL, seen_at TEXT NOT NULL)
    STRICT;
-- Who was purged, and which photos, by keyed hash: the feed still lists them (suppression.py).
CREATE TABLE suppressed (
    mark TEXT NOT NULL,
    subject TEXT NOT NULL,
    purged_at TEXT NOT NULL,
    PRIMARY KEY (mark, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX suppressed_subject ON suppressed (subject);
"""


@dataclass(frozen=True)
class State:
    """Where a gallery stands: how often it was changed, by which act of the log at last, and the
    generation that it searches. Held against the log, it shows a gallery that was put back.
    """

    change: int = 0
    act: str = ""
    generation: int = 0


class Database:
    """One connection to the database of a gallery; `act` names who changes it in the log."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.db = connection
        self.act = ""

    @classmethod
    def create(cls, path: Path, fingerprint: str) -> Self:
        """Make the database of a new gallery."""
        path.touch(mode=0o600, exist_ok=False)
        store = cls(_connect(path))
        with store.transaction():
            for statement in _SCHEMA.split(";\n"):
                store.db.execute(statement)
            store.set_meta(fingerprint=fingerprint, generation="0", high_water="0")
            store.db.execute(f"PRAGMA application_id={APPLICATION_ID}")
            store.db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        return store

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an existing database; GalleryMissing or GalleryDamaged otherwise."""
        if not path.exists():
            raise GalleryMissing(f"There is no gallery at {path.parent}.")
        try:
            store = cls(_connect(path))
            version = store.db.execute("PRAGMA user_version").fetchone()[0]
            application = store.db.execute("PRAGMA application_id").fetchone()[0]
        except sqlite3.Error as trouble:
            raise translated(trouble) from trouble
        except UnicodeDecodeError as trouble:
            raise GalleryDamaged(f"The database {path} cannot be read: {trouble}.") from trouble
        if (application, version) != (APPLICATION_ID, SCHEMA_VERSION):
            raise GalleryDamaged(f"{path} is not a gallery of schema {SCHEMA_VERSION}.")
        return store

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; on disk when the block ends."""
        with _translated():
            self.db.execute("BEGIN IMMEDIATE")
            before = self.db.total_changes
            try:
                yield
                if self.act and self.db.total_changes != before:
                    self.set_meta(change=str(self.state().change + 1), act=self.act)
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
            self.db.execute("COMMIT")

    def state(self) -> State:
        """Where the gallery stands."""
        with _translated():
            found = dict(self.db.execute("SELECT key, value FROM meta").fetchall())
        try:
            number = int(found["generation"])
            return State(int(found.get("change", 0)), found.get("act", ""), number)
        except (KeyError, ValueError):
            raise GalleryDamaged("The gallery does not say where it stands.") from None

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Every read of the block sees the same state of the gallery."""
        with _translated():
            self.db.execute("BEGIN")
            try:
                yield
            finally:
                self.db.execute("COMMIT")

    def meta(self, key: str) -> str:
        """One setting of the gallery."""
        with _translated():
            row = self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise GalleryDamaged(f"The gallery lacks its setting {key!r}.")
        return str(row[0])

    def set_meta(self, **values: str) -> None:
        """Set settings of the gallery."""
        self.db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    def scrub(self, patience: float = 30.0) -> None:
        """Empty the write-ahead log, which otherwise keeps deleted bytes.

        A reader in the middle of a search holds it for a moment; GalleryLocked when one still
        does after `patience` seconds.
        """
        deadline = time.monotonic() + patience
        while self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() > deadline:
                raise GalleryLocked(
                    "Readers keep the write-ahead log open, so deleted rows are still in it; "
                    "nobody finds them, and their key is destroyed.",
                    hint="Run the same command again when they have ended.",
                )
            time.sleep(0.05)

    def close(self) -> None:
        """Close the connection."""
        self.db.close()


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=10, isolation_level=None)
    for pragma in (
        "journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON",
        "trusted_schema=OFF", "cell_size_check=ON", "temp_store=MEMORY", "mmap_size=0",
    ):  # fmt: skip
        db.execute(f"PRAGMA {pragma}")
    return db


#: What SQLite says where a folder is read-only or its disk is full.
_UNWRITABLE = ("disk is full", "readonly", "disk I/O error", "unable to open")


def translated(trouble: sqlite3.Error) -> FrError:
    """What an error of SQLite means for the gallery."""
    if "locked" in str(trouble) or "busy" in str(trouble):
        return GalleryLocked(f"The gallery's database stayed locked: {trouble}.", hint="Try again.")
    if any(word in str(trouble) for word in _UNWRITABLE):
        return GalleryUnwritable(f"The gallery's database cannot be written: {trouble}.")
    return GalleryDamaged(f"The gallery's database failed: {trouble}.")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as trouble:
        raise translated(trouble) from trouble
