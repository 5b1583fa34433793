"""A purge, step by step. Cut short anywhere, the next command that takes the lock finishes it.

In this order, each step repeatable: marked and suppressed (nobody finds the subjects from here on,
and no feed brings them back), keys destroyed (the point of no return), next generation built
without them and the old one's key destroyed, all keys wrapped anew and the key that wrapped them
destroyed, photos and references overwritten, write-ahead log emptied, marked rows removed.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fr_cli.errors import GalleryDamaged, GalleryLocked
from fr_cli.gallery.lock import now
from fr_cli.gallery.photos import count_photos, empty_photos, has_photo
from fr_cli.gallery.rekeying import move
from fr_cli.gallery.rows import Subject
from fr_cli.gallery.selection import Going
from fr_cli.gallery.suppression import suppress

if TYPE_CHECKING:
    from fr_cli.gallery.gallery import Gallery


@dataclass(frozen=True)
class Purged:
    """What a purge removes of one subject: random ids, and a keyed hash for the id of the feed.

    `photos` of them were kept; `whole` is False where the subject keeps other references.
    """

    alias: str
    subject_uid: str
    reference_uids: tuple[str, ...]
    photos: int
    whole: bool = True


def planned(gallery: Gallery, going: Sequence[Going]) -> list[Purged]:
    """How these removals will be recorded."""
    return [
        Purged(
            gallery.alias(one.subject.subject_id),
            one.subject.uid,
            tuple(reference.uid for reference in one.references),
            sum(has_photo(gallery.store, reference.pk) for reference in one.references),
            one.whole,
        )
        for one in going
    ]


def purge(gallery: Gallery, going: Sequence[Going]) -> int:
    """Delete all of these for good, in one pass; returns the generation without them.

    Needs the write lock. Raises GalleryDamaged, before anything is changed, if what a subject
    keeps cannot be opened.
    """
    store, when = gallery.store, now()
    parts = sum(not one.whole for one in going)
    fresh = iter(gallery.subject_keys.create(parts) if parts else [])
    with store.transaction():
        for one in going:
            alias = gallery.alias(one.subject.subject_id)
            images = [reference.image_key for reference in one.references]
            suppress(store, alias, images, when, person=one.whole)
            if one.whole:
                store.mark(one.subject.uid, alias)
            else:
                _split(gallery, one, alias, *next(fresh))
    return _finish(gallery, store.marked())


def _split(gallery: Gallery, one: Going, alias: str, slot: int, key: bytes) -> None:
    """What goes keeps the old key, which will be destroyed; what stays is sealed under a new one.

    So the templates that go are noise in every backup too. They hang on a marked subject of
    their own until they are deleted, as those of a whole subject do.
    """
    store, part = gallery.store, secrets.token_hex(4)
    gone = {reference.pk for reference in one.references}
    staying = [row for row in store.references_of(one.subject.pk) if row.pk not in gone]
    move(gallery, staying, one.subject.pk, slot, key)
    name, uid = f"{alias}/{part}", f"{one.subject.uid}/{part}"
    store.move_references(gone, store.add_subject(name, uid, one.subject.slot, now()))
    store.mark(uid, name)


def finish_what_was_begun(gallery: Gallery) -> list[Purged]:
    """Finish the purges of commands that were cut short; needs the lock. Returns what they were."""
    marked = gallery.store.marked()
    if not marked:
        return []
    begun = [
        Purged(
            alias=one.subject_id.partition("/")[0],
            subject_uid=one.uid.partition("/")[0],
            reference_uids=gallery.store.reference_uids(one.pk),
            photos=count_photos(gallery.store, one.pk),
            whole="/" not in one.uid,
        )
        for one in marked
    ]
    # Another subject's damage must not keep anyone from purging that one too.
    with contextlib.suppress(GalleryDamaged):
        _finish(gallery, marked)
        return begun
    return []


def _finish(gallery: Gallery, marked: Sequence[Subject]) -> int:
    store = gallery.store
    gallery.subject_keys.destroy(subject.slot for subject in marked)
    try:
        generation = gallery.rebuild()
    except GalleryDamaged:
        generation = gallery.rebuild(from_store=True)
    gallery.wrapping.advance()
    empty_photos(store, [subject.pk for subject in marked])
    with store.transaction():
        for subject in marked:
            store.empty_references(subject.pk)
    store.scrub()
    with store.transaction():
        for subject in marked:
            store.delete_subject(subject.pk)
    # What was left of them is random ids; a reader may keep those for a moment.
    with contextlib.suppress(GalleryLocked):
        store.scrub(patience=1.0)
    return generation
