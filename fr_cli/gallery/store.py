"""The truth of the gallery: SQLite tables of subjects, references and provenance.

Templates enter sealed (vault.py); nothing here can read them. Everything that is searched is
derived from these rows and can be rebuilt.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from fr_cli.errors import FrError, GalleryDamaged, GalleryLocked, GalleryMissing
from fr_cli.records import Enrolment

SCHEMA_VERSION = 1
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
"""
#: What of an Enrolment is kept as provenance (watchlist has a column: searches filter by it).
_PROVENANCE = (
    "image", "source", "captured_at", "lawful_basis", "retention", "review_date", "extra",
)  # fmt: skip


@dataclass(frozen=True)
class NewReference:
    """A reference ready to be stored: sealed, with its keyed image hash."""

    uid: str
    subject_pk: int
    enrolment: Enrolment
    image_key: str
    sealed: bytes
    quality: Mapping[str, float]


@dataclass(frozen=True)
class Known:
    """What the store holds under one subject and image, or subject and reference id."""

    pk: int
    reference_id: str
    image_key: str
    watchlist: str
    provenance: str


class Store:
    """One connection to the database of a gallery."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.db = connection

    @classmethod
    def create(cls, path: Path, fingerprint: str) -> Store:
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
    def open(cls, path: Path) -> Store:
        """Open an existing database; GalleryMissing or GalleryDamaged otherwise."""
        if not path.exists():
            raise GalleryMissing(f"There is no gallery at {path.parent}.")
        try:
            store = cls(_connect(path))
            version = store.db.execute("PRAGMA user_version").fetchone()[0]
            application = store.db.execute("PRAGMA application_id").fetchone()[0]
        except (sqlite3.DatabaseError, UnicodeDecodeError) as trouble:
            raise GalleryDamaged(f"The database {path} cannot be read: {trouble}.") from trouble
        if (application, version) != (APPLICATION_ID, SCHEMA_VERSION):
            raise GalleryDamaged(f"{path} is not a gallery of schema {SCHEMA_VERSION}.")
        return store

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; on disk when the block ends."""
        with _translated():
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
            self.db.execute("COMMIT")

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

    def subject(self, subject_id: str) -> tuple[int, str, int] | None:
        """(pk, uid, key slot) of an active subject."""
        row = self.db.execute(
            "SELECT pk, uid, slot FROM subjects WHERE subject_id = ? AND state = 'active'",
            (subject_id,),
        ).fetchone()
        return None if row is None else (int(row[0]), str(row[1]), int(row[2]))

    def add_subject(self, subject_id: str, uid: str, slot: int, now: str) -> int:
        """Store a subject; returns its pk."""
        cursor = self.db.execute(
            "INSERT INTO subjects (uid, subject_id, slot, enrolled_at) VALUES (?, ?, ?, ?)",
            (uid, subject_id, slot, now),
        )
        return int(cursor.lastrowid or 0)

    def known(self, subject_id: str, image_key: str, reference_id: str) -> list[Known]:
        """References of the subject that have this image or this reference id."""
        rows = self.db.execute(
            "SELECT refs.pk, reference_id, image_key, watchlist, provenance FROM refs "
            "JOIN subjects ON subjects.pk = refs.subject "
            "WHERE subject_id = ? AND (image_key = ? OR reference_id = ?)",
            (subject_id, image_key, reference_id),
        )
        return [Known(*row) for row in rows]

    def others_with_image(self, subject_id: str, image_key: str) -> bool:
        """Whether the same image is enrolled under another subject."""
        row = self.db.execute(
            "SELECT 1 FROM refs JOIN subjects ON subjects.pk = refs.subject "
            "WHERE image_key = ? AND subject_id != ? LIMIT 1",
            (image_key, subject_id),
        ).fetchone()
        return row is not None

    def add_reference(self, new: NewReference, act: str, now: str) -> None:
        """Store a reference, replacing one of the same reference id."""
        old = self.db.execute(
            "SELECT pk FROM refs WHERE subject = ? AND reference_id = ?",
            (new.subject_pk, new.enrolment.reference_id),
        ).fetchall()
        self.remove_references(pk for (pk,) in old)
        self.db.execute(
            "INSERT INTO refs (uid, subject, reference_id, image_key, watchlist, provenance, "
            "quality, sealed, act, enrolled_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                new.uid, new.subject_pk, new.enrolment.reference_id, new.image_key,
                new.enrolment.watchlist, provenance(new.enrolment), json.dumps(new.quality),
                new.sealed, act, now,
            ),
        )  # fmt: skip

    def was_rejected(self, image_key: str) -> bool:
        """Whether an image of this keyed hash was refused before."""
        row = self.db.execute("SELECT 1 FROM rejects WHERE image_key = ?", (image_key,)).fetchone()
        return row is not None

    def remember_reject(self, image_key: str, reason: str) -> None:
        """Remember that an image was refused."""
        self.db.execute(
            "INSERT OR REPLACE INTO rejects VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))",
            (image_key, reason),
        )

    def describe_again(self, pk: int, enrolment: Enrolment) -> None:
        """Apply changed metadata to an unchanged image."""
        self.db.execute(
            "UPDATE refs SET reference_id = ?, watchlist = ?, provenance = ? WHERE pk = ?",
            (enrolment.reference_id, enrolment.watchlist, provenance(enrolment), pk),
        )

    def remove_references(self, pks: Iterable[int]) -> None:
        """Delete references, and mask them in the current generation."""
        for pk in pks:
            self.db.execute("DELETE FROM refs WHERE pk = ?", (pk,))
            self.db.execute("INSERT OR IGNORE INTO removed VALUES (?)", (pk,))

    def forget(self, subject_pk: int) -> None:
        """Delete a subject with all its references, of which the generation has none any more."""
        self.db.execute("DELETE FROM refs WHERE subject = ?", (subject_pk,))
        self.db.execute("DELETE FROM subjects WHERE pk = ?", (subject_pk,))

    def scrub(self, patience: float = 30.0) -> None:
        """Empty the write-ahead log, which otherwise keeps deleted bytes.

        A reader in the middle of a search holds it for a moment; GalleryLocked when one still
        does after `patience` seconds.
        """
        deadline = time.monotonic() + patience
        while self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() > deadline:
                raise GalleryLocked(
                    "Readers keep the write-ahead log open, so deleted rows are still in it.",
                    hint="Run the same command again when they have ended.",
                )
            time.sleep(0.05)

    def close(self) -> None:
        """Close the connection."""
        self.db.close()


def provenance(enrolment: Enrolment) -> str:
    """What is kept about a reference's origin, as canonical JSON."""
    everything = asdict(enrolment)
    return json.dumps({name: everything[name] for name in _PROVENANCE}, sort_keys=True)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=10, isolation_level=None)
    for pragma in (
        "journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON",
        "trusted_schema=OFF", "cell_size_check=ON", "temp_store=MEMORY", "mmap_size=0",
    ):  # fmt: skip
        db.execute(f"PRAGMA {pragma}")
    return db


def translated(trouble: sqlite3.Error) -> FrError:
    """What an error of SQLite means for the gallery."""
    if "locked" in str(trouble) or "busy" in str(trouble):
        return GalleryLocked(f"The gallery's database stayed locked: {trouble}.", hint="Try again.")
    return GalleryDamaged(f"The gallery's database failed: {trouble}.")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as trouble:
        raise translated(trouble) from trouble
