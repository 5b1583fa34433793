"""Photos of references, where the policy keeps them: sealed in the database beside the templates.

They are for people to look at (the candidate sheet) and for another model (migration.py). Each is
sealed under its subject's key before it is written, and so is gone when that key is. The bytes
are the feed's own, not a picture made of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from fr_cli.gallery.database import Database
from fr_cli.gallery.rows import Sealed
from fr_cli.gallery.vault import seal, unseal

#: Photos overwritten in one transaction: they all pass through the write-ahead log.
_AT_ONCE = 100


def keep_photo(
    store: Database, pk: int, uid: str, subject_id: str, key: bytes, photo: bytes
) -> None:
    """Seal the photo of a reference under its subject's key, in place of an earlier one."""
    sealed = seal(key, photo, _bound(uid, subject_id))
    store.db.execute("INSERT OR REPLACE INTO photos VALUES (?, ?)", (pk, sealed))


def kept_photo(store: Database, one: Sealed, key: bytes) -> bytes | None:
    """The photo of a reference, None if none is kept; GalleryDamaged unless it is theirs."""
    row = store.db.execute("SELECT sealed FROM photos WHERE ref = ?", (one.pk,)).fetchone()
    return None if row is None else unseal(key, row[0], _bound(one.uid, one.subject_id))


def has_photo(store: Database, pk: int) -> bool:
    """Whether the photo of a reference is kept."""
    row = store.db.execute("SELECT 1 FROM photos WHERE ref = ?", (pk,)).fetchone()
    return row is not None


def count_photos(store: Database, subject: int | None = None) -> int:
    """How many photos are kept, of everybody or of one subject."""
    statement = "SELECT count(*) FROM photos"
    if subject is not None:
        statement += " WHERE ref IN (SELECT pk FROM refs WHERE subject = ?)"
    return int(store.db.execute(statement, () if subject is None else (subject,)).fetchone()[0])


def empty_photos(store: Database, subjects: Iterable[int]) -> None:
    """Overwrite the photos of these subjects, some at a time; the empty rows go with theirs."""
    for subject in subjects:
        pks = [
            pk
            for (pk,) in store.db.execute(
                "SELECT ref FROM photos JOIN refs ON refs.pk = ref "
                "WHERE refs.subject = ? AND photos.sealed != x''",
                (subject,),
            )
        ]
        for first in range(0, len(pks), _AT_ONCE):
            with store.transaction():
                store.db.executemany(
                    "UPDATE photos SET sealed = x'' WHERE ref = ?",
                    [(pk,) for pk in pks[first : first + _AT_ONCE]],
                )


def _bound(reference_uid: str, subject_id: str) -> str:
    """Another word than a template's in front: neither can be put in the other's place."""
    return f"photo/{reference_uid}/{subject_id}"
