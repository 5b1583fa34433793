"""The truth of the gallery: tables of subjects, references and provenance.

Templates enter sealed (vault.py); nothing here can read them. Everything that is searched is
derived from these rows and can be rebuilt.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from fr_cli.gallery.database import Database
from fr_cli.gallery.rows import Known, NewReference, Sealed, Subject, provenance
from fr_cli.records import Origin

#: What of its provenance is shown beside a candidate: not the path of the image, nor free columns.
_ORIGIN = ("source", "captured_at", "lawful_basis", "retention", "review_date")

#: The columns of `Sealed`, of subjects that a search may return.
_SEALED = (
    "SELECT refs.pk, refs.subject, subject_id, subjects.uid, reference_id, refs.uid, slot, sealed "
    "FROM refs JOIN subjects ON subjects.pk = refs.subject WHERE state = 'active'"
)


class Store(Database):
    """The rows of a gallery."""

    # -- subjects --------------------------------------------------------------------------

    def subject(self, subject_id: str) -> Subject | None:
        """An active subject."""
        row = self.db.execute(
            "SELECT pk, uid, slot, subject_id FROM subjects "
            "WHERE subject_id = ? AND state = 'active'",
            (subject_id,),
        ).fetchone()
        return None if row is None else Subject(*row)

    def mark(self, uid: str, alias: str) -> None:
        """Mark a subject as being purged: no search returns it, no watchlist holds it, and its id
        is replaced.
        """
        self.db.execute(
            "DELETE FROM members WHERE subject = (SELECT pk FROM subjects WHERE uid = ?)", (uid,)
        )
        self.db.execute(
            "UPDATE subjects SET state = 'purging', subject_id = ? WHERE uid = ?", (alias, uid)
        )

    def marked(self) -> list[Subject]:
        """Subjects whose purge has begun and not ended."""
        rows = self.db.execute(
            "SELECT pk, uid, slot, subject_id FROM subjects WHERE state = 'purging'"
        )
        return [Subject(*row) for row in rows]

    def delete_subject(self, pk: int) -> None:
        """Delete a subject, with what is left of their references."""
        self.db.execute("DELETE FROM refs WHERE subject = ?", (pk,))
        self.db.execute("DELETE FROM subjects WHERE pk = ?", (pk,))

    def add_subject(self, subject_id: str, uid: str, slot: int, now: str) -> int:
        """Store a subject; returns its pk."""
        cursor = self.db.execute(
            "INSERT INTO subjects (uid, subject_id, slot, enrolled_at) VALUES (?, ?, ?, ?)",
            (uid, subject_id, slot, now),
        )
        return int(cursor.lastrowid or 0)

    def move_to_slot(self, pk: int, slot: int) -> None:
        """Give a subject another key, under which all of their references must be sealed."""
        self.db.execute("UPDATE subjects SET slot = ? WHERE pk = ?", (slot, pk))

    def move_references(self, pks: Iterable[int], subject: int) -> None:
        """Hang references on another subject."""
        for pk in pks:
            self.db.execute("UPDATE refs SET subject = ? WHERE pk = ?", (subject, pk))

    # -- references ------------------------------------------------------------------------

    def reseal(self, pk: int, sealed: bytes) -> None:
        """Store a reference's template as sealed anew."""
        self.db.execute("UPDATE refs SET sealed = ? WHERE pk = ?", (sealed, pk))

    def known(self, subject_id: str, image_key: str) -> Known | None:
        """The subject's reference of this image."""
        row = self.db.execute(
            "SELECT refs.pk, reference_id, watchlist, provenance FROM refs "
            "JOIN subjects ON subjects.pk = refs.subject "
            "WHERE subject_id = ? AND image_key = ?",
            (subject_id, image_key),
        ).fetchone()
        return None if row is None else Known(*row)

    def others_with_image(self, subject_id: str, image_key: str) -> bool:
        """Whether the same image is enrolled under another subject."""
        row = self.db.execute(
            "SELECT 1 FROM refs JOIN subjects ON subjects.pk = refs.subject "
            "WHERE image_key = ? AND subject_id != ? LIMIT 1",
            (image_key, subject_id),
        ).fetchone()
        return row is not None

    def has_image(self, image_key: str) -> bool:
        """Whether an image of this keyed hash is enrolled."""
        row = self.db.execute("SELECT 1 FROM refs WHERE image_key = ? LIMIT 1", (image_key,))
        return row.fetchone() is not None

    def named(self, subject_id: str, reference_id: str) -> Known | None:
        """The subject's reference of this id."""
        row = self.db.execute(
            "SELECT refs.pk, reference_id, watchlist, provenance FROM refs "
            "JOIN subjects ON subjects.pk = refs.subject "
            "WHERE subject_id = ? AND reference_id = ?",
            (subject_id, reference_id),
        ).fetchone()
        return None if row is None else Known(*row)

    def add_reference(self, new: NewReference, act: str, now: str) -> tuple[int, list[str]]:
        """Store a reference; its pk, and the uid of the one of the same reference id it replaces.

        The template of the replaced one is only gone when its subject's key is (rekeying.py).
        """
        old = self.db.execute(
            "SELECT pk, uid FROM refs WHERE subject = ? AND reference_id = ?",
            (new.subject_pk, new.enrolment.reference_id),
        ).fetchall()
        self.remove_references(pk for pk, _ in old)
        cursor = self.db.execute(
            "INSERT INTO refs (uid, subject, reference_id, image_key, watchlist, provenance, "
            "quality, sealed, act, enrolled_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                new.uid, new.subject_pk, new.enrolment.reference_id, new.image_key,
                new.enrolment.watchlist, provenance(new.enrolment), json.dumps(new.quality),
                new.sealed, act, now,
            ),
        )  # fmt: skip
        return int(cursor.lastrowid or 0), [str(uid) for _, uid in old]

    def remove_references(self, pks: Iterable[int]) -> None:
        """Delete references, and mask them in the current generation."""
        for pk in pks:
            self.db.execute("DELETE FROM refs WHERE pk = ?", (pk,))
            self.db.execute("INSERT OR IGNORE INTO removed VALUES (?)", (pk,))

    def empty_references(self, subject: int) -> None:
        """Overwrite a subject's references, of which the generation has none any more.

        Their random ids stay until the subject goes, for the record of a purge that is cut short.
        """
        self.db.execute(
            "UPDATE refs SET reference_id = uid, image_key = uid, watchlist = '', provenance = '', "
            "quality = '', sealed = x'', act = '', enrolled_at = '' WHERE subject = ?",
            (subject,),
        )

    def reference_uids(self, subject: int) -> tuple[str, ...]:
        """The random ids of a subject's references."""
        rows = self.db.execute("SELECT uid FROM refs WHERE subject = ? ORDER BY pk", (subject,))
        return tuple(str(uid) for (uid,) in rows)

    def references_of(self, subject: int) -> list[Sealed]:
        """The references of an active subject."""
        rows = self.db.execute(f"{_SEALED} AND refs.subject = ? ORDER BY refs.pk", (subject,))
        return [Sealed(*row) for row in rows]

    def uid_of(self, pk: int) -> str | None:
        """The random id of a reference; None if it is gone."""
        row = self.db.execute("SELECT uid FROM refs WHERE pk = ?", (pk,)).fetchone()
        return None if row is None else str(row[0])

    def reference_id(self, pk: int) -> str | None:
        """The feed's id of a reference; None if it is gone."""
        row = self.db.execute("SELECT reference_id FROM refs WHERE pk = ?", (pk,)).fetchone()
        return None if row is None else str(row[0])

    def reference(self, pk: int) -> Sealed | None:
        """A reference of an active subject; None if it is gone."""
        row = self.db.execute(f"{_SEALED} AND refs.pk = ?", (pk,)).fetchone()
        return None if row is None else Sealed(*row)

    def reference_of_uid(self, uid: str) -> Sealed | None:
        """A reference of an active subject by its random id; None if it is gone."""
        row = self.db.execute(f"{_SEALED} AND refs.uid = ?", (uid,)).fetchone()
        return None if row is None else Sealed(*row)

    def origin(self, uid: str) -> Origin | None:
        """Where the reference of this random id came from; None if it is gone."""
        row = self.db.execute(
            "SELECT provenance, watchlist, enrolled_at FROM refs WHERE uid = ?", (uid,)
        ).fetchone()
        if row is None:
            return None
        kept = json.loads(row[0])
        said = {name: kept[name] for name in _ORIGIN}
        return Origin(**said, watchlist=row[1], enrolled_at=row[2])

    # -- what a search looks at ------------------------------------------------------------

    def hidden(self) -> list[int]:
        """References that the current generation may hold and no search may return."""
        rows = self.db.execute(
            "SELECT pk FROM removed UNION "
            "SELECT refs.pk FROM refs JOIN subjects ON subjects.pk = refs.subject "
            "WHERE state = 'purging'"
        )
        return [int(pk) for (pk,) in rows]

    def clear_removed(self) -> None:
        """Forget what was masked: the new generation has none of it."""
        self.db.execute("DELETE FROM removed")

    def newer_than(self, pk: int, most: int = -1) -> list[Sealed]:
        """References of active subjects that a generation up to `pk` does not hold.

        In the order of their pks, the first of them if only so many are asked for.
        """
        rows = self.db.execute(f"{_SEALED} AND refs.pk > ? ORDER BY refs.pk LIMIT ?", (pk, most))
        return [Sealed(*row) for row in rows]

    def count_newer_than(self, pk: int) -> int:
        """How many references these are."""
        return int(self.db.execute("SELECT count(*) FROM refs WHERE pk > ?", (pk,)).fetchone()[0])

    def newest(self) -> int:
        """The highest pk of a reference, 0 if there is none."""
        return int(self.db.execute("SELECT max(pk) FROM refs").fetchone()[0] or 0)
