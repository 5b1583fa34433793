"""A subject's fresh key: what goes of them is noise in every copy, what stays is sealed anew.

A sealed template cannot be called back from a backup, and its subject's key opens all of theirs.
So when one goes and others stay, those that stay move to another key and the old one is
destroyed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fr_cli.gallery.photos import keep_photo, kept_photo
from fr_cli.gallery.rows import Sealed
from fr_cli.gallery.vault import seal, unseal
from fr_cli.gallery.view import bound

if TYPE_CHECKING:
    from fr_cli.gallery.gallery import Gallery


def move(gallery: Gallery, staying: Iterable[Sealed], subject: int, slot: int, key: bytes) -> None:
    """Seal what stays of a subject under a fresh key, in its slot; within a transaction."""
    for one in staying:
        old = gallery.subject_keys.read(one.slot)
        template = gallery.open_sealed(one).astype("<f4").tobytes()
        context = bound(one.uid, one.subject_id, gallery.fingerprint)
        gallery.store.reseal(one.pk, seal(key, template, context))
        photo = kept_photo(gallery.store, one, old)
        if photo is not None:
            keep_photo(gallery.store, one.pk, one.uid, one.subject_id, key, photo)
        _move_draft(gallery, one, old, key)
    gallery.store.move_to_slot(subject, slot)


def _move_draft(gallery: Gallery, one: Sealed, old: bytes, key: bytes) -> None:
    """The template that a migration under way has made of a reference."""
    row = gallery.store.db.execute(
        "SELECT sealed FROM drafts WHERE ref = ? AND trouble = ''", (one.pk,)
    ).fetchone()
    if row is not None:
        context = bound(one.uid, one.subject_id, gallery.store.meta("migrating"))
        draft = seal(key, unseal(old, row[0], context), context)
        gallery.store.db.execute("UPDATE drafts SET sealed = ? WHERE ref = ?", (draft, one.pk))


def leave_keys(gallery: Gallery, subjects: Iterable[int]) -> None:
    """Give subjects who lost a reference fresh keys, and list the old ones for `destroy_left`.

    Within the transaction that removes the references.
    """
    left = sorted(subjects)
    fresh = gallery.subject_keys.create(len(left)) if left else []
    for pk, (slot, key) in zip(left, fresh, strict=True):
        staying = gallery.store.references_of(pk)
        gallery.store.db.execute(
            "INSERT INTO dead_slots SELECT slot FROM subjects WHERE pk = ?", (pk,)
        )
        move(gallery, staying, pk, slot, key)


def destroy_left(gallery: Gallery) -> None:
    """Destroy the keys that subjects have left, also those of a command that was cut short."""
    store = gallery.store
    slots = [int(slot) for (slot,) in store.db.execute("SELECT slot FROM dead_slots")]
    if not slots:
        return
    gallery.subject_keys.destroy(slots)
    with store.transaction():
        store.db.execute("DELETE FROM dead_slots")
