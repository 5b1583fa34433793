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
from fr_cli.gallery.vault import seal
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
        # Of a migration under way: made again, under the new key.
        gallery.store.db.execute("DELETE FROM drafts WHERE ref = ?", (one.pk,))
    gallery.store.move_to_slot(subject, slot)


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
