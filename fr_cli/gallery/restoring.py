"""A gallery takes the place of another, all of it or nothing, while others read.

The database is copied into the one that is there, as one transaction of SQLite: a reader sees the
old gallery or the new one. The keys of its subjects move to new slots. A list of spare slots, in
the database, says at each moment which slots belong to the gallery that is not: those that were
made for the new one, until it is there, and all the old ones from then on. Whoever takes the lock
next destroys them. So no key outlives its purge in a slot that nobody knows of.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fr_cli.errors import GalleryDamaged, GalleryLocked
from fr_cli.gallery.lock import now
from fr_cli.gallery.store import Store
from fr_cli.gallery.suppression import suppress
from fr_cli.gallery.vault import unseal
from fr_cli.gallery.view import bound

if TYPE_CHECKING:
    from fr_cli.gallery.gallery import Gallery

#: The file into which a backup is opened, removed by whoever takes the lock.
STAGED = "restore.new"
_SPARE = "spare_slots"


@dataclass(frozen=True)
class Absent:
    """Who must not come back, by random id: whole subjects, or references of those who stay.

    A None for the references says that it is not known which; then all of that subject's.
    """

    subjects: Collection[str] = ()
    references: Mapping[str, Collection[str] | None] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftOut:
    """How many subjects and references a restored gallery lacks because they were purged."""

    subjects: int
    references: int


def leave_out(gallery: Gallery, staged: Store, absent: Absent) -> LeftOut:
    """Delete from a staged gallery who was purged, and suppress them as a purge does."""
    subjects = references = 0
    when = now()
    with staged.transaction():
        for marked in staged.marked():  # their purge had begun when the backup was made
            staged.delete_subject(marked.pk)
        for pk, uid, name in staged.db.execute(
            "SELECT pk, uid, subject_id FROM subjects"
        ).fetchall():
            whole = uid in absent.subjects
            if not whole and uid not in absent.references:
                continue
            rows = staged.db.execute(
                "SELECT pk, uid, image_key FROM refs WHERE subject = ?", (pk,)
            ).fetchall()
            named = None if whole else absent.references[uid]
            going = [row for row in rows if named is None or row[1] in named]
            images = [image for _, _, image in going]
            suppress(staged, gallery.alias(name), images, when, person=whole)
            staged.remove_references(row[0] for row in going)
            references += len(going)
            if len(going) == len(rows):
                staged.delete_subject(pk)
                subjects += 1
    return LeftOut(subjects, references)


def take_marks(staged: Store, gallery: Gallery, *, alone: bool) -> None:
    """Give a staged gallery the list of who may not come back that this one has; `alone` where it
    is the newest, so that what was lifted since the backup stays lifted.
    """
    marks = gallery.store.db.execute("SELECT mark, subject, purged_at FROM suppressed").fetchall()
    with staged.transaction():
        if alone:
            staged.db.execute("DELETE FROM suppressed")
        staged.db.executemany("INSERT OR IGNORE INTO suppressed VALUES (?, ?, ?)", marks)


def drop_damaged(staged: Store, keys: Mapping[int, bytes]) -> int:
    """Delete the references that do not open, so that they are enrolled again; how many.

    Raises GalleryDamaged if the staged database itself is not whole.
    """
    (said,) = staged.db.execute("PRAGMA integrity_check").fetchone()
    subjects = staged.db.execute("SELECT slot FROM subjects").fetchall()
    if said != "ok" or any(slot not in keys for (slot,) in subjects):
        raise GalleryDamaged("The gallery in this backup is not whole.")
    damaged, model = [], staged.meta("fingerprint")
    for one in staged.newer_than(0):
        try:
            unseal(keys[one.slot], one.sealed, bound(one.uid, one.subject_id, model))
        except GalleryDamaged:
            damaged.append(one.pk)
    with staged.transaction():
        staged.remove_references(damaged)
    return len(damaged)


def replace(gallery: Gallery, staged: Store, keys: Mapping[int, bytes], change: int) -> int:
    """Put the staged gallery in the place of this one; needs the lock. Returns its generation.

    `keys` are those of its subjects, by the slot that it names; `change` is how often the gallery
    was changed at least, by the log.
    """
    subjects = staged.db.execute("SELECT pk, slot FROM subjects ORDER BY pk").fetchall()
    store, first = gallery.store, len(gallery.subject_keys)
    with store.transaction():
        store.set_meta(**{_SPARE: f"{first} {first + len(subjects) + 1}"})
    slots = gallery.subject_keys.keep([keys[slot] for _, slot in subjects])
    with staged.transaction():
        staged.db.execute("UPDATE subjects SET slot = -1 - slot")  # out of the way of the new ones
        staged.db.executemany(
            "UPDATE subjects SET slot = ? WHERE pk = ?",
            [(slot, pk) for slot, (pk, _) in zip(slots, subjects, strict=True)],
        )
        staged.clear_removed()
        staged.db.execute("DELETE FROM dead_slots")  # numbers of slots in another file
        staged.db.execute("DELETE FROM drafts")  # a migration of that gallery begins anew
        staged.set_meta(
            generation="0",
            high_water="0",
            change=str(1 + max(change, store.state().change)),
            act=store.act,
            **{_SPARE: f"0 {slots.start}"},
        )
    staged.db.backup(store.db)
    finish_restoring(gallery)
    return int(store.meta("generation"))


def finish_restoring(gallery: Gallery) -> None:
    """Destroy the keys of the gallery that is not, and build what is searched; needs the lock."""
    for leftover in gallery.folder.glob(f"{STAGED}*"):
        leftover.unlink()
    store = gallery.store
    row = store.db.execute("SELECT value FROM meta WHERE key = ?", (_SPARE,)).fetchone()
    if row is None:
        return
    if gallery.subject_keys.path.exists():
        gallery.subject_keys.destroy(range(*map(int, row[0].split())))
    if store.meta("generation") == "0":
        gallery.rebuild(from_store=True)
    gallery.keep_only_current()
    with store.transaction():
        store.db.execute("DELETE FROM meta WHERE key = ?", (_SPARE,))
    # The old rows are sealed under keys that are gone; a reader may keep them for a moment.
    with contextlib.suppress(GalleryLocked):
        store.scrub(patience=1.0)
