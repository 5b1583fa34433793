"""The database file of a gallery: settings that deletion rests on, transactions, its schema."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fr_cli.errors import (
    ConfigurationError,
    FrError,
    GalleryDamaged,
    GalleryLocked,
    GalleryMissing,
    GalleryUnwritable,
)
from fr_cli.gallery.schema import APPLICATION_ID, NEW, OLDEST, STEPS, VERSION


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
            for statement in NEW:
                store.db.execute(statement)
            store.set_meta(fingerprint=fingerprint, generation="0", high_water="0")
            store.db.execute(f"PRAGMA application_id={APPLICATION_ID}")
            store.db.execute(f"PRAGMA user_version={VERSION}")
        return store

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an existing database.

        GalleryMissing or GalleryDamaged if there is none, ConfigurationError if it is of another
        schema than this version of fr.
        """
        store = cls._open(path)
        version = store.version
        if version != VERSION:
            store.close()
            raise _other_schema(path, version)
        return store

    @classmethod
    def upgrade(cls, path: Path) -> list[int]:
        """Bring a database up to this version's schema, each step all or nothing.

        Returns the schemas that it went through, empty if there was nothing to do. Needs the
        write lock. Raises as `open` does.
        """
        store, went = cls._open(path), []
        with contextlib.closing(store):
            if not OLDEST <= store.version <= VERSION:
                raise _other_schema(path, store.version)
            for version in range(store.version + 1, VERSION + 1):
                with store.transaction():
                    for statement in STEPS[version]:
                        store.db.execute(statement)
                    store.db.execute(f"PRAGMA user_version={version}")
                went.append(version)
        return went

    @property
    def version(self) -> int:
        """The schema of the file."""
        return int(self.db.execute("PRAGMA user_version").fetchone()[0])

    @classmethod
    def _open(cls, path: Path) -> Self:
        if not path.exists():
            raise GalleryMissing(f"There is no gallery at {path.parent}.")
        try:
            store = cls(_connect(path))
            application = store.db.execute("PRAGMA application_id").fetchone()[0]
        except sqlite3.Error as trouble:
            raise translated(trouble) from trouble
        except UnicodeDecodeError as trouble:
            raise GalleryDamaged(f"The database {path} cannot be read: {trouble}.") from trouble
        if application != APPLICATION_ID:
            raise GalleryDamaged(f"{path} is not the database of a gallery.")
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
        value = self.setting(key)
        if value is None:
            raise GalleryDamaged(f"The gallery lacks its setting {key!r}.")
        return value

    def setting(self, key: str) -> str | None:
        """A setting that the gallery need not have."""
        with _translated():
            row = self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

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


def _other_schema(path: Path, version: int) -> ConfigurationError:
    if OLDEST <= version < VERSION:
        hint = "An older version of fr made it. Bring the home up with: fr upgrade"
    else:
        hint = "Another version of fr made it: use that version."
    return ConfigurationError(
        f"The gallery {path} is of schema {version}, this version of fr works with {VERSION}.",
        hint=hint,
    )


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
