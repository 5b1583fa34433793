"""The gallery as the operations see it: enrol, search; what a purge does is in purging.py."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, TypeVar

from fr_cli.errors import (
    GalleryDamaged,
    GalleryMissing,
    OtherModel,
    SubjectUnknown,
)
from fr_cli.gallery.database import translated
from fr_cli.gallery.generation import Generations, Packed
from fr_cli.gallery.lock import locked, now
from fr_cli.gallery.purging import Purged, finish_what_was_begun
from fr_cli.gallery.search import EXACT_UP_TO, with_index
from fr_cli.gallery.store import NewReference, Sealed, Store
from fr_cli.gallery.vault import KeySlots, seal, unseal
from fr_cli.gallery.view import View, bound, load_view
from fr_cli.keys import SigningKey, SiteKey
from fr_cli.records import Compared, Enrolment, Hit, Origin, Template
from fr_cli.site import Site

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")

#: New references are compared one by one beside the generation until there are this many, or
#: a tenth of it; then the next generation is built.
SIDE_LIMIT = 1000
#: Two ways to sum the same products of float32 differ by less than this.
_ROUNDING = 1e-5


@dataclass(frozen=True)
class Stored:
    """The random ids of a new reference, of its subject, and of those that it replaced."""

    reference_uid: str
    subject_uid: str
    replaced: tuple[str, ...]


class Gallery:
    """The gallery of one home, for one model; a context manager."""

    def __init__(self, site: Site, site_key: SiteKey, store: Store) -> None:
        self.folder = site.gallery
        self.store = store
        self.fingerprint = store.meta("fingerprint")
        self._hash_secret = site_key.derive("image")
        self._alias_secret = site_key.derive("suppression")
        wrapping = site_key.derive("wrap")
        self.subject_keys = KeySlots(site.keys / "subjects.slots", wrapping)
        generation_keys = KeySlots(site.keys / "generations.slots", wrapping)
        # Not the log's key, which may be rotated: generations must open all the same.
        signer = SigningKey.from_secret(site_key.derive("manifest"))
        self.generations = Generations(site.gallery / "generations", generation_keys, signer)

    @classmethod
    def open(
        cls,
        site: Site,
        site_key: SiteKey,
        *,
        fingerprint: str | None,
        create: bool = False,
    ) -> Gallery:
        """Open the gallery; make it first if `create` and there is none.

        Raises GalleryMissing, GalleryDamaged, or OtherModel if it was enrolled with a model of
        another fingerprint.
        """
        path = site.gallery / "gallery.db"
        if create and fingerprint and not path.exists():
            with locked(site.gallery):
                _create(site, site_key, path, fingerprint)
        gallery = cls(site, site_key, Store.open(path))
        if fingerprint is not None and gallery.fingerprint != fingerprint:
            gallery.close()
            raise OtherModel(
                f"The gallery was enrolled with the model {gallery.fingerprint[:12]}, the probe's "
                f"model is {fingerprint[:12]}: their scores cannot be compared.",
                hint="Use the model of the gallery, or enrol the photos again in a new home.",
            )
        return gallery

    # -- writing ---------------------------------------------------------------------------

    @contextlib.contextmanager
    def writing(self) -> Iterator[list[Purged]]:
        """Hold the write lock, after finishing what a crash left half done.

        Yields the purges of earlier commands that were finished. GalleryLocked, naming the
        holder, if another process keeps the lock for longer than PATIENCE.
        """
        with locked(self.folder):
            finished = finish_what_was_begun(self)
            current = int(self.store.meta("generation"))
            for number in self.generations.numbers():
                if number != current:
                    self.generations.destroy(number)
            yield finished

    def image_key(self, image: bytes) -> str:
        """The keyed hash by which an image is known again; says nothing without the site key."""
        return hmac.new(self._hash_secret, image, hashlib.sha256).hexdigest()

    def alias(self, subject_id: str) -> str:
        """What stands for the id of a subject whose purge has begun: found again, not read."""
        mac = hmac.new(self._alias_secret, subject_id.encode(), hashlib.sha256)
        return "purged:" + mac.hexdigest()

    def enrol(self, batch: Sequence[tuple[Enrolment, str, Template]], act: str) -> list[Stored]:
        """Seal and store references (enrolment, image key, template) in one transaction.

        Returns what was stored in the order of the batch. A reference of the same subject and
        reference id is replaced. `act` names the audit intent under which this happens. Needs
        the write lock.
        """
        when = now()
        ids = dict.fromkeys(enrolment.subject_id for enrolment, _, _ in batch)
        known = {name: self.store.subject(name) for name in ids}
        fresh = [name for name in ids if known[name] is None]
        slots = dict(zip(fresh, self.subject_keys.create(len(fresh)), strict=True))
        stored = []
        with self.store.transaction():
            subjects: dict[str, tuple[int, str, bytes]] = {}
            for name, found in known.items():
                if found is None:
                    (slot, key), uid = slots[name], secrets.token_hex(16)
                    subjects[name] = (self.store.add_subject(name, uid, slot, when), uid, key)
                else:
                    subjects[name] = (found.pk, found.uid, self.subject_keys.read(found.slot))
            for enrolment, image_key, template in batch:
                pk, subject_uid, key = subjects[enrolment.subject_id]
                uid = secrets.token_hex(16)
                sealed = seal(
                    key,
                    template.vector.astype("<f4").tobytes(),
                    bound(uid, enrolment.subject_id, self.fingerprint),
                )
                quality = {
                    m.name: round(m.native, 4)
                    for m in template.quality.measures
                    if m.native is not None
                }
                replaced = self.store.add_reference(
                    NewReference(uid, pk, enrolment, image_key, sealed, quality), act, when
                )
                stored.append(Stored(uid, subject_uid, tuple(replaced)))
        return stored

    def describe_again(self, changes: Sequence[tuple[int, Enrolment]]) -> list[str]:
        """Apply changed metadata to unchanged images (pk, what is said of it now); needs the lock.

        Returns the uids of the references that changed.
        """
        with self.store.transaction():
            self.store.describe_again(changes)
            return [uid for pk, _ in changes if (uid := self.store.uid_of(pk)) is not None]

    def settle(self) -> None:
        """Build the next generation if something was removed from the current one, or much has
        been enrolled since; needs the lock.
        """
        built = self.count("refs")
        side = self.store.count_newer_than(int(self.store.meta("high_water")))
        if self.store.hidden() or side > max(SIDE_LIMIT, (built - side) // 10):
            self.rebuild()

    def rebuild(self, *, from_store: bool = False) -> int:
        """Build and publish the next generation; needs the lock. Returns its number.

        Rows that the current generation has are taken from it, which is much cheaper than
        opening every subject's key; `from_store` opens them all, for a damaged generation.
        """
        import numpy as np

        with self.store.snapshot():
            number = int(self.store.meta("generation"))
            view = self._view(generation=0 if from_store else number)
            high = self.store.newest()
        vectors = [part.vectors for part in (view.rows, view.side) if len(part.pks)]
        packed = Packed(
            np.concatenate([view.rows.pks, view.side.pks]),
            np.concatenate([view.rows.subjects, view.side.subjects]),
            np.concatenate(vectors) if vectors else np.empty((0, 0), np.float32),
        )
        if len(packed.pks) > EXACT_UP_TO:
            packed = with_index(packed)
        following = self.generations.write(packed, self.fingerprint)
        with self.store.transaction():
            self.store.set_meta(generation=str(following), high_water=str(high))
            self.store.clear_removed()
        self.generations.destroy(number)
        return following

    # -- reading ---------------------------------------------------------------------------

    def search(
        self,
        probe: NDArray[np.float32],
        *,
        count: int,
        watchlist: str | None = None,
        engine: str = "auto",
    ) -> tuple[list[Hit], Compared]:
        """The `count` most alike subjects, best reference each, in falling order of cosine.

        `probe` is a unit vector of shape (dimension,). Only references of the watchlist are
        compared, if one is named. Raises GalleryMissing if nothing is left to compare.
        """

        def read() -> View:
            import numpy as np

            with self.store.snapshot():
                view = self._view()
                if watchlist is None:
                    return view
                return view.within(np.array(self.store.on_watchlist(watchlist), np.int64))

        view = _patiently(read)
        if not view.references:
            where = f" on the watchlist {watchlist!r}" if watchlist is not None else ""
            raise GalleryMissing(f"Nobody is enrolled{where}.")
        nearest, used = view.nearest(probe, count, engine)
        hits = [hit for pk, cosine in nearest if (hit := self._named(pk, probe, cosine))]
        return hits, Compared(view.references, view.subjects, view.generation, used)

    def templates_of(self, subject_id: str) -> list[tuple[str, str, NDArray[np.float32]]]:
        """[(reference id, reference uid, vector), …] of one subject, for comparing one to one."""

        def read() -> list[tuple[str, str, NDArray[np.float32]]]:
            with self.store.snapshot():
                found = self.store.subject(subject_id)
                if found is None:
                    raise SubjectUnknown(f"Nobody is enrolled as {subject_id!r}.")
                return [
                    (one.reference_id, one.uid, self.open_sealed(one))
                    for one in self.store.references_of(found.pk)
                ]

        return _patiently(read)

    def everyone(self) -> tuple[list[str], NDArray[np.float32]]:
        """Subject ids and templates (n, dimension) of all references, for an evaluation.

        Each is opened under its subject's key. Raises GalleryMissing if nobody is enrolled.
        """

        def read() -> tuple[list[str], NDArray[np.float32]]:
            import numpy as np

            with self.store.snapshot():
                rows = self.store.newer_than(0)
                keys = self.subject_keys.read_many([row.slot for row in rows])
            if not rows:
                raise GalleryMissing("Nobody is enrolled.")
            contexts = [bound(row.uid, row.subject_id, self.fingerprint) for row in rows]
            vectors = [
                np.frombuffer(unseal(key, row.sealed, context), "<f4")
                for row, key, context in zip(rows, keys, contexts, strict=True)
            ]
            return [row.subject_id for row in rows], np.stack(vectors)

        return _patiently(read)

    def has_image(self, image: bytes) -> bool:
        """Whether this very photo is enrolled, as whoever it may be."""
        return self.store.has_image(self.image_key(image))

    def origins(self, uids: Iterable[str]) -> dict[str, Origin]:
        """Where these references came from, by random id; without those that are gone by now."""

        def read() -> dict[str, Origin]:
            return {uid: origin for uid in wanted if (origin := self.store.origin(uid))}

        wanted = tuple(uids)
        return _patiently(read)

    def _named(self, pk: int, probe: NDArray[np.float32], cosine: float) -> Hit | None:
        """Whose reference this is, from the template sealed under that subject's id and key.

        None for a subject purged since the search began. GalleryDamaged if the database names
        somebody else than the template was sealed for, or the generation holds another template.
        """

        def read() -> Hit | None:
            one = self.store.reference(pk)
            if one is None:
                return None
            if abs(float(self.open_sealed(one) @ probe) - cosine) > _ROUNDING:
                raise GalleryDamaged("The generation holds another template than the database.")
            return Hit(one.subject_id, one.reference_id, one.subject_uid, one.uid, cosine)

        return _patiently(read)

    def open_sealed(self, one: Sealed) -> NDArray[np.float32]:
        """The template of a reference; GalleryDamaged unless it is the one of that subject."""
        import numpy as np

        key = self.subject_keys.read(one.slot)
        context = bound(one.uid, one.subject_id, self.fingerprint)
        return np.frombuffer(unseal(key, one.sealed, context), "<f4")

    def _view(self, generation: int | None = None) -> View:
        return load_view(
            self.store, self.generations, self.subject_keys, self.fingerprint, generation=generation
        )

    def count(self, table: Literal["refs", "subjects"]) -> int:
        """How many references or subjects are enrolled."""
        row = self.store.db.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
        return int(row[0])

    def close(self) -> None:
        """Close the database."""
        self.store.close()

    def __enter__(self) -> Gallery:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        trouble: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        if isinstance(trouble, sqlite3.Error):
            raise translated(trouble) from trouble


def _patiently(read: Callable[[], T]) -> T:
    """Read again after damage that may be a purge or a new generation passing by.

    A reader whose snapshot began before a purge finds rows whose key is gone. A new snapshot
    tells that apart from real damage, which stays.
    """
    for _ in range(4):
        with contextlib.suppress(GalleryDamaged):
            return read()
    return read()


def _create(site: Site, site_key: SiteKey, path: Path, fingerprint: str) -> None:
    if path.exists():
        return  # another process was first
    (site.gallery / "generations").mkdir(mode=0o700, exist_ok=True)
    slots = KeySlots(site.keys / "generations.slots", site_key.derive("wrap"))
    if not len(slots):
        slots.create(1)  # slot 0 belongs to the empty generation, which needs no key
    draft = path.with_name("gallery.new")
    for leftover in path.parent.glob("gallery.new*"):
        leftover.unlink()
    Store.create(draft, fingerprint).close()
    draft.replace(path)
