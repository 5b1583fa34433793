"""The tables of a gallery, as they are today and as each version made them."""

from __future__ import annotations

APPLICATION_ID = 0x66723031  # "fr01"
#: The oldest schema from which a gallery can be brought up (`fr upgrade`).
OLDEST = 2

_TWO = """
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
CREATE INDEX suppressed_subject ON suppressed (subject)
"""
_THREE = """
-- The photos of references, where the policy keeps them: sealed as the templates are (photos.py).
CREATE TABLE photos (
    ref INTEGER PRIMARY KEY REFERENCES refs (pk) ON DELETE CASCADE,
    sealed BLOB NOT NULL
) STRICT;
-- A migration to another model that is under way (migration.py): the new template of a
-- reference, or why there is none.
CREATE TABLE drafts (
    ref INTEGER PRIMARY KEY REFERENCES refs (pk) ON DELETE CASCADE,
    sealed BLOB NOT NULL,
    quality TEXT NOT NULL,
    trouble TEXT NOT NULL
) STRICT;
-- Which subjects a purge has marked, asked for by each search.
CREATE INDEX subjects_purging ON subjects (state) WHERE state = 'purging';
-- Key slots that nobody uses any more, until they are destroyed (enrolling.py).
CREATE TABLE dead_slots (slot INTEGER PRIMARY KEY) STRICT
"""
_FOUR = """
-- Watchlists that somebody made (watchlists.py); what the feed calls so is a column of refs.
CREATE TABLE watchlists (
    pk INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    purpose TEXT NOT NULL,
    authoriser TEXT NOT NULL,
    expires TEXT NOT NULL,
    size_limit INTEGER NOT NULL CHECK (size_limit BETWEEN 1 AND 10000),
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    closed_at TEXT NOT NULL DEFAULT ''
) STRICT;
-- Who stands on them, and why.
CREATE TABLE members (
    watchlist INTEGER NOT NULL REFERENCES watchlists (pk),
    subject INTEGER NOT NULL REFERENCES subjects (pk) ON DELETE CASCADE,
    reason TEXT NOT NULL,
    added_at TEXT NOT NULL,
    added_by TEXT NOT NULL,
    PRIMARY KEY (watchlist, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_subject ON members (subject)
"""


def statements(script: str) -> list[str]:
    """The statements of a script, one by one: SQLite commits before it runs a whole script."""
    return [statement for statement in script.split(";\n") if statement.strip()]


#: What brings a database of the version before up to each version.
STEPS: dict[int, list[str]] = {3: statements(_THREE), 4: statements(_FOUR)}
VERSION = 4
#: What makes the database of a new gallery.
NEW = [*statements(_TWO), *statements(_THREE), *statements(_FOUR)]
