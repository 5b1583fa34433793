"""The gallery as the operations see it: enrol, search, purge, check.

What is searched is the current generation, minus what was removed since, plus what was
enrolled since; so an enrolment is found, and a purge is not, from the moment that it returns.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import os
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from fr_cli.errors import GalleryDamaged, GalleryLocked, GalleryMissing, OtherModel, SubjectUnknown
from fr_cli.gallery.generation import Generations, Packed
from fr_cli.gallery.search import EXACT_UP_TO, engine_for, with_index
from fr_cli.gallery.store import NewReference, Store, translated
from fr_cli.gallery.vault import KeySlots, seal, unseal
from fr_cli.keys import SigningKey, SiteKey
from fr_cli.records import Compared, Enrolment, Hit, Template
from fr_cli.site import Site

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: New references are compared one by one beside the generation until there are this many, or
#: a tenth of it; then the next generation is built.
SIDE_LIMIT = 1000


@dataclass(frozen=True)
class Purged:
    """What a purge removed: the subject's random ids, never the id of the feed."""

    subject_uid: str
    reference_uids: tuple[str, ...]
    generation: int


class Gallery:
    """The gallery of one home, for one model; a context manager."""

    def __init__(self, site: Site, site_key: SiteKey, signer: SigningKey, store: Store) -> None:
        self.folder = site.gallery
        self.store = store
        self.fingerprint = store.meta("fingerprint")
        self._image_secret = site_key.derive("image")
        wrapping = site_key.derive("wrap")
        self.subject_keys = KeySlots(site.keys / "subjects.slots", wrapping)
        generation_keys = KeySlots(site.keys / "generations.slots", wrapping)
        self.generations = Generations(site.gallery / "generations", generation_keys, signer)

    @classmethod
    def open(
        cls,
        site: Site,
        site_key: SiteKey,
        signer: SigningKey,
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
            _create(site, site_key, path, fingerprint)
        gallery = cls(site, site_key, signer, Store.open(path))
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
    def writing(self) -> Iterator[None]:
        """Hold the gallery's write lock, after finishing what a crash left half done."""
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(handle, 200, 0).decode(errors="replace").strip()
                raise GalleryLocked(
                    f"The gallery is being changed by {holder or 'another process'}.",
                    hint="Try again when it has ended.",
                ) from None
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} since {_now()}\n".encode(), 0)
            self._finish_what_was_begun()
            yield
        finally:
            os.close(handle)

    def image_key(self, image: bytes) -> str:
        """The keyed hash by which an image is known again; says nothing without the site key."""
        return hmac.new(self._image_secret, image, hashlib.sha256).hexdigest()

    def enrol(
        self, batch: Sequence[tuple[Enrolment, str, Template]], act: str
    ) -> list[tuple[str, str]]:
        """Seal and store references (enrolment, image key, template) in one transaction.

        Returns [(reference uid, subject uid), …] in the order of the batch. `act` names the
        audit intent under which this happens. Needs the write lock.
        """
        now = _now()
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
                    subjects[name] = (self.store.add_subject(name, uid, slot, now), uid, key)
                else:
                    pk, uid, slot = found
                    subjects[name] = (pk, uid, self.subject_keys.read(slot))
            for enrolment, image_key, template in batch:
                pk, subject_uid, key = subjects[enrolment.subject_id]
                uid = secrets.token_hex(16)
                sealed = seal(key, template.vector.astype("<f4").tobytes(), self.bound(uid))
                quality = {
                    m.name: round(m.native, 4)
                    for m in template.quality.measures
                    if m.native is not None
                }
                self.store.add_reference(
                    NewReference(uid, pk, enrolment, image_key, sealed, quality), act, now
                )
                stored.append((uid, subject_uid))
        return stored

    def settle(self) -> None:
        """Build the next generation if enough has changed since the last; needs the lock."""
        built = self.count("refs")
        side = self.store.db.execute(
            "SELECT count(*) FROM refs WHERE pk > ?", (int(self.store.meta("high_water")),)
        ).fetchone()[0]
        if side > max(SIDE_LIMIT, (built - side) // 10):
            self.rebuild()

    def rebuild(self, *, from_store: bool = False) -> int:
        """Build and publish the next generation; needs the lock. Returns its number.

        Rows that the current generation has are taken from it, which is much cheaper than
        opening every subject's key; `from_store` opens them all, for a damaged generation.
        """
        import numpy as np

        with self.store.snapshot():
            number = int(self.store.meta("generation"))
            rows, side = self._rows(0 if from_store else number)
            high = self.store.db.execute("SELECT max(pk) FROM refs").fetchone()[0] or 0
        vectors = [part.vectors for part in (rows, side) if len(part.pks)]
        packed = Packed(
            np.concatenate([rows.pks, side.pks]),
            np.concatenate([rows.subjects, side.subjects]),
            np.concatenate(vectors) if vectors else np.empty((0, 0), np.float32),
        )
        if len(packed.pks) > EXACT_UP_TO:
            packed = with_index(packed)
        following = self.generations.write(packed, self.fingerprint)
        with self.store.transaction():
            self.store.set_meta(generation=str(following), high_water=str(high))
            self.store.db.execute("DELETE FROM removed")
        self.generations.destroy(number)
        return following

    def purge(self, subject_id: str) -> Purged | None:
        """Delete a subject for good; None if nobody of that id is enrolled. Needs the lock.

        In this order, each step repeatable: marked (nobody finds the subject from here on), key
        destroyed (the point of no return), next generation built without them and the old one's
        key destroyed, rows and with them the mark deleted, write-ahead log emptied.
        """
        found = self.store.subject(subject_id)
        if found is None:
            return None
        pk, uid, _ = found
        references = [
            str(row[0])
            for row in self.store.db.execute("SELECT uid FROM refs WHERE subject = ?", (pk,))
        ]
        with self.store.transaction():
            self.store.db.execute("UPDATE subjects SET state = 'purging' WHERE pk = ?", (pk,))
        generation = self._finish_purges()
        return Purged(uid, tuple(references), generation)

    def _finish_purges(self) -> int:
        marked = self.store.db.execute(
            "SELECT pk, slot FROM subjects WHERE state = 'purging'"
        ).fetchall()
        self.subject_keys.destroy(slot for _, slot in marked)
        try:
            generation = self.rebuild()
        except GalleryDamaged:
            generation = self.rebuild(from_store=True)
        with self.store.transaction():
            for pk, _ in marked:
                self.store.forget(pk)
        self.store.scrub()
        return generation

    def _finish_what_was_begun(self) -> None:
        if self.store.db.execute(
            "SELECT 1 FROM subjects WHERE state = 'purging' LIMIT 1"
        ).fetchone():
            # Another subject's damage must not keep anyone from purging that one too.
            with contextlib.suppress(GalleryDamaged):
                self._finish_purges()
        current = int(self.store.meta("generation"))
        for number in self.generations.numbers():
            if number != current:
                self.generations.destroy(number)

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
        import numpy as np

        number, rows, side, allowed = self._state(watchlist)
        compared = int(len(rows.pks) if allowed is None else allowed.sum()) + len(side.pks)
        if not compared:
            where = f" on the watchlist {watchlist!r}" if watchlist else ""
            raise GalleryMissing(f"Nobody is enrolled{where}.")
        chosen = engine_for(rows, engine)
        wanted = min(len(rows.pks), 4 * count + 16)
        while True:
            near = chosen.nearest(probe, wanted, allowed) if len(rows.pks) else np.empty(0, int)
            # One product a row, never a block of them: the last bit of a score must not
            # depend on which other rows were on the shortlist.
            cosines = np.array(
                [float(np.dot(v, probe)) for part in (rows.vectors[near], side.vectors)
                 for v in part]
            )  # fmt: skip
            pks = np.concatenate([rows.pks[near], side.pks])
            subjects = np.concatenate([rows.subjects[near], side.subjects])
            order = np.lexsort((pks, -cosines))
            _, first = np.unique(subjects[order], return_index=True)
            best = order[np.sort(first)][:count]
            if len(best) >= count or wanted >= len(rows.pks):
                break
            # Several references of the same few subjects filled the list: ask for more.
            wanted = min(len(rows.pks), 4 * wanted)
        found = [self._hit(int(pks[i]), float(cosines[i])) for i in best]
        # A subject purged since this search began has no row any more, and is not returned.
        hits = [hit for hit in found if hit is not None]
        persons = len(np.unique(np.concatenate([
            rows.subjects if allowed is None else rows.subjects[allowed], side.subjects
        ])))  # fmt: skip
        return hits, Compared(compared, persons, number, chosen.name)

    def templates_of(self, subject_id: str) -> list[tuple[str, str, NDArray[np.float32]]]:
        """[(reference id, reference uid, vector), …] of one subject, for comparing one to one."""
        import numpy as np

        found = self.store.subject(subject_id)
        if found is None:
            raise SubjectUnknown(f"Nobody is enrolled as {subject_id!r}.")
        pk, _, slot = found
        key = self.subject_keys.read(slot)
        rows = self.store.db.execute(
            "SELECT reference_id, uid, sealed FROM refs WHERE subject = ? ORDER BY pk", (pk,)
        )
        return [
            (name, uid, np.frombuffer(unseal(key, sealed, self.bound(uid)), "<f4"))
            for name, uid, sealed in rows
        ]

    def _state(self, watchlist: str | None) -> tuple[int, Packed, Packed, NDArray[np.bool_] | None]:
        """One consistent view; a generation that was replaced while it was opened is tried anew."""
        import numpy as np

        for attempt in range(5):
            number = int(self.store.meta("generation"))
            try:
                with self.store.snapshot():
                    number = int(self.store.meta("generation"))
                    rows, side = self._rows(number)
                    if not watchlist:
                        return number, rows, side, None
                    listed = self.store.db.execute(
                        "SELECT pk FROM refs WHERE watchlist = ?", (watchlist,)
                    ).fetchall()
            except GalleryDamaged:
                if attempt == 4 or int(self.store.meta("generation")) == number:
                    raise
                continue
            members = np.array([pk for (pk,) in listed], np.int64)
            return number, rows, side.keep(np.isin(side.pks, members)), np.isin(rows.pks, members)
        raise AssertionError("unreachable")

    def _rows(self, number: int) -> tuple[Packed, Packed]:
        """A generation without what was removed since, and what was enrolled since.

        For generation 0, which is empty, the latter is everything.
        """
        import numpy as np

        packed = self.generations.read(number, self.fingerprint)
        hidden = self.store.db.execute(
            "SELECT pk FROM removed UNION "
            "SELECT refs.pk FROM refs JOIN subjects ON subjects.pk = refs.subject "
            "WHERE state = 'purging'"
        ).fetchall()
        if hidden and len(packed.pks):
            gone = np.isin(packed.pks, np.array([pk for (pk,) in hidden]))
            packed = packed.keep(~gone) if gone.any() else packed
        newer = self.store.db.execute(
            "SELECT refs.pk, refs.subject, refs.uid, slot, sealed FROM refs "
            "JOIN subjects ON subjects.pk = refs.subject "
            "WHERE refs.pk > ? AND state = 'active' ORDER BY refs.pk",
            (int(self.store.meta("high_water")) if number else 0,),
        ).fetchall()
        keys = self.subject_keys.read_many([slot for *_, slot, _ in newer])
        vectors = [
            np.frombuffer(unseal(key, sealed, self.bound(uid)), "<f4")
            for key, (_, _, uid, _, sealed) in zip(keys, newer, strict=True)
        ]
        width = packed.vectors.shape[1]
        side = Packed(
            np.array([row[0] for row in newer], np.int64),
            np.array([row[1] for row in newer], np.int64),
            np.stack(vectors) if vectors else np.empty((0, width), np.float32),
        )
        return packed, side

    def _hit(self, pk: int, cosine: float) -> Hit | None:
        row = self.store.db.execute(
            "SELECT subject_id, reference_id, subjects.uid, refs.uid FROM refs "
            "JOIN subjects ON subjects.pk = refs.subject WHERE refs.pk = ? AND state = 'active'",
            (pk,),
        ).fetchone()
        if row is None:
            return None
        subject_id, reference_id, subject_uid, reference_uid = map(str, row)
        return Hit(subject_id, reference_id, subject_uid, reference_uid, cosine)

    def bound(self, reference_uid: str) -> str:
        """What a sealed template is bound to (ISO/IEC 24745: secure binding)."""
        return f"template/{reference_uid}/{self.fingerprint}"

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


def _create(site: Site, site_key: SiteKey, path: Path, fingerprint: str) -> None:
    (site.gallery / "generations").mkdir(mode=0o700, exist_ok=True)
    slots = KeySlots(site.keys / "generations.slots", site_key.derive("wrap"))
    if not len(slots):
        slots.create(1)  # slot 0 belongs to the empty generation, which needs no key
    draft = path.with_name("gallery.new")
    for leftover in path.parent.glob("gallery.new*"):
        leftover.unlink()
    Store.create(draft, fingerprint).close()
    draft.replace(path)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
