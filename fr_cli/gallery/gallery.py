"""Changing the gallery: enrol, build the next generation; a purge is in purging.py."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from fr_cli.errors import GalleryUnwritable, OtherModel
from fr_cli.gallery.generation import Packed
from fr_cli.gallery.lock import Turn, locked, now
from fr_cli.gallery.photos import keep_photo
from fr_cli.gallery.reading import Reader
from fr_cli.gallery.rows import NewReference, Subject, natives
from fr_cli.gallery.search import EXACT_UP_TO
from fr_cli.gallery.store import Store
from fr_cli.gallery.vault import KeySlots, seal
from fr_cli.gallery.view import bound
from fr_cli.gallery.wrapping import GENERATIONS, Wrapping
from fr_cli.keys import SiteKey
from fr_cli.records import Enrolment, Template
from fr_cli.site import Site

# What changes the gallery imports more where it needs it: a search opens it too.
if TYPE_CHECKING:
    from fr_cli.gallery.purging import Purged

#: New references stand beside the generation until there are a tenth of it, but at least and at
#: most these many; then the next one is built. Each of them costs an opening 10 µs (measured:
#: tests/benchmarks/opening.py), so the most is a tenth of a second.
SIDE_LIMIT, SIDE_MOST = 1000, 10_000


@dataclass(frozen=True)
class Stored:
    """The random ids of a new reference, of its subject, and of those that it replaced."""

    reference_uid: str
    subject_uid: str
    replaced: tuple[str, ...]


class Gallery(Reader):
    """The gallery of one home, for one model; a context manager."""

    def __init__(
        self,
        site: Site,
        site_key: SiteKey,
        store: Store,
        turn: Turn = Turn(),  # noqa: B008  (it is frozen)
    ) -> None:
        super().__init__(site, site_key, store)
        self.turn = turn
        self._hash_secret = site_key.derive("image")
        self._alias_secret = site_key.derive("suppression")

    @classmethod
    def open(
        cls,
        site: Site,
        site_key: SiteKey,
        *,
        fingerprint: str | None,
        create: bool = False,
        turn: Turn = Turn(),  # noqa: B008  (it is frozen)
    ) -> Gallery:
        """Open the gallery; make it first if `create` and there is none.

        Raises GalleryMissing, GalleryDamaged, or OtherModel if it was enrolled with a model of
        another fingerprint.
        """
        path = site.database
        if create and fingerprint and not path.exists():
            with locked(site.gallery, turn), _writable(site.gallery):
                _create(site, site_key, path, fingerprint)
        gallery = cls(site, site_key, Store.open(path), turn)
        if fingerprint is not None and gallery.fingerprint != fingerprint:
            gallery.close()
            raise OtherModel(
                f"The gallery was enrolled with the model {gallery.fingerprint[:12]}, the probe's "
                f"model is {fingerprint[:12]}: their scores cannot be compared.",
                hint="Take the gallery to the model: fr gallery migrate. Or use the gallery's own.",
            )
        return gallery

    @contextlib.contextmanager
    def writing(self) -> Iterator[list[Purged]]:
        """Hold the write lock, after finishing what a crash left half done.

        Yields the purges of earlier commands that were finished. GalleryLocked, naming the
        holder, if another process keeps the lock for longer than this turn waits;
        GalleryUnwritable if the disk is full or does not let itself be written.
        """
        from fr_cli.gallery.purging import finish_what_was_begun
        from fr_cli.gallery.rekeying import destroy_left
        from fr_cli.gallery.restoring import finish_restoring

        with locked(self.folder, self.turn), _writable(self.folder):
            self._same_model()
            self.wrapping.settle()
            finish_restoring(self)
            destroy_left(self)
            finished = finish_what_was_begun(self)
            self.keep_only_current()
            yield finished

    def keep_only_current(self) -> None:
        """Destroy all generations but the one that is searched; needs the lock."""
        current = int(self.store.meta("generation"))
        for number in self.generations.numbers():
            if number != current:
                self.generations.destroy(number)

    def image_key(self, image: bytes) -> str:
        """The keyed hash by which an image is known again; says nothing without the site key."""
        return hmac.new(self._hash_secret, image, hashlib.sha256).hexdigest()

    def has_image(self, image: bytes) -> bool:
        """Whether this very photo is enrolled, as whoever it may be."""
        return self.store.has_image(self.image_key(image))

    def alias(self, subject_id: str) -> str:
        """What stands for the id of a subject whose purge has begun: found again, not read."""
        mac = hmac.new(self._alias_secret, subject_id.encode(), hashlib.sha256)
        return "purged:" + mac.hexdigest()

    def enrol(
        self,
        batch: Sequence[tuple[Enrolment, str, Template]],
        act: str,
        photos: Mapping[str, bytes] = MappingProxyType({}),
    ) -> list[Stored]:
        """Seal and store references (enrolment, image key, template) in one transaction.

        Returns what was stored in the order of the batch. A reference of the same subject and
        reference id is replaced, and its template dies with its key. `act` names the audit intent
        under which this happens; `photos` holds, by image key, the photos that are to be kept.
        Needs the write lock.
        """
        from fr_cli.gallery.rekeying import destroy_left, leave_keys

        when = now()
        ids = dict.fromkeys(enrolment.subject_id for enrolment, _, _ in batch)
        known = {name: self.store.subject(name) for name in ids}
        fresh = [name for name in ids if known[name] is None]
        slots = dict(zip(fresh, self.subject_keys.create(len(fresh)), strict=True))
        stored, losing = [], set()
        with self.store.transaction():
            subjects: dict[str, tuple[Subject, bytes]] = {}
            for name, found in known.items():
                if found is None:
                    (slot, key), uid = slots[name], secrets.token_hex(16)
                    pk = self.store.add_subject(name, uid, slot, when)
                    subjects[name] = (Subject(pk, uid, slot, name), key)
                else:
                    subjects[name] = (found, self.subject_keys.read(found.slot))
            for enrolment, image_key, template in batch:
                subject, key = subjects[enrolment.subject_id]
                uid = secrets.token_hex(16)
                context = bound(uid, subject.subject_id, self.fingerprint)
                sealed = seal(key, template.vector.astype("<f4").tobytes(), context)
                new = NewReference(
                    uid, subject.pk, enrolment, image_key, sealed, natives(template.quality)
                )
                pk, replaced = self.store.add_reference(new, act, when)
                if image_key in photos:
                    keep_photo(self.store, pk, uid, subject.subject_id, key, photos[image_key])
                if replaced:
                    losing.add(subject.pk)
                stored.append(Stored(uid, subject.uid, tuple(replaced)))
            leave_keys(self, losing)
        destroy_left(self)
        return stored

    def keep_photos(self, photos: Mapping[int, bytes]) -> int:
        """Keep the photos of references (by pk) that are enrolled already; needs the lock.

        Returns how many of them are still there.
        """
        rows = [one for pk in photos if (one := self.store.reference(pk)) is not None]
        with self.store.transaction():
            for one in rows:
                key = self.subject_keys.read(one.slot)
                keep_photo(self.store, one.pk, one.uid, one.subject_id, key, photos[one.pk])
        return len(rows)

    def describe_again(
        self, changes: Sequence[tuple[int, Enrolment]]
    ) -> tuple[list[int], list[str]]:
        """Apply changed metadata to unchanged images (pk, what is said of it now); needs the lock.

        Returns the pks that changed, and their uids. A change is not made that would take its
        name from a reference on hold.
        """
        from fr_cli.gallery.describing import describe_again
        from fr_cli.gallery.rekeying import destroy_left, leave_keys

        with self.store.transaction():
            changed, losing = describe_again(self.store, changes)
            leave_keys(self, losing)
            uids = [uid for pk in changed if (uid := self.store.uid_of(pk)) is not None]
        destroy_left(self)
        return changed, uids

    def settle(self) -> None:
        """Build the next generation if something was removed from the current one, or much has
        been enrolled since; needs the lock.
        """
        built = self.count("refs")
        side = self.store.count_newer_than(int(self.store.meta("high_water")))
        limit = min(max(SIDE_LIMIT, (built - side) // 10), SIDE_MOST)
        if self.store.hidden() or side > limit:
            self.rebuild()

    def rebuild(self, *, from_store: bool = False) -> int:
        """Build and publish the next generation; needs the lock. Returns its number.

        Rows that the current generation has are taken from it, which is much cheaper than
        opening every subject's key; `from_store` opens them all, for a damaged generation.
        """
        with self.store.snapshot():
            number = int(self.store.meta("generation"))
            everything = self._view(generation=0 if from_store else number).everything
            high = self.store.newest()
        following = self.write_generation(everything, self.fingerprint)
        with self.store.transaction():
            self.store.set_meta(generation=str(following), high_water=str(high))
            self.store.clear_removed()
        self.generations.destroy(number)
        return following

    def write_generation(self, packed: Packed, fingerprint: str) -> int:
        """Write a generation, with an index if it is large; nobody reads it yet. Its number."""
        if len(packed.pks) > EXACT_UP_TO:
            from fr_cli.gallery.approximate import with_index

            packed = with_index(packed)
        return self.generations.write(packed, fingerprint)


@contextlib.contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as trouble:
        raise GalleryUnwritable(f"{folder} cannot be written: {trouble.strerror}.") from trouble


def _create(site: Site, site_key: SiteKey, path: Path, fingerprint: str) -> None:
    if path.exists():
        return  # another process was first
    (site.gallery / "generations").mkdir(mode=0o700, exist_ok=True)
    slots = KeySlots(site.keys / GENERATIONS, Wrapping(site_key))
    if not len(slots):
        slots.create(1)  # slot 0 belongs to the empty generation, which needs no key
    draft = path.with_name("gallery.new")
    for leftover in path.parent.glob("gallery.new*"):
        leftover.unlink()
    Store.create(draft, fingerprint).close()
    draft.replace(path)
