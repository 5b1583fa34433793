"""Asking the gallery: who is most alike, whose templates are these, where did they come from."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, TypeVar

from fr_cli.errors import GalleryDamaged, GalleryMissing, OtherModel, SubjectUnknown
from fr_cli.gallery.database import translated
from fr_cli.gallery.generation import Generations
from fr_cli.gallery.photos import kept_photo
from fr_cli.gallery.rows import Sealed
from fr_cli.gallery.store import Store
from fr_cli.gallery.vault import KeySlots
from fr_cli.gallery.view import View, load_view, open_templates
from fr_cli.gallery.warm import Warm
from fr_cli.gallery.wrapping import GENERATIONS, SUBJECTS, Wrapping
from fr_cli.keys import SigningKey, SiteKey
from fr_cli.records import Compared, Hit, Origin
from fr_cli.site import Site

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")

#: Two ways to sum the same products of float32 differ by less than this.
_ROUNDING = 1e-5
#: How often a search begins anew because somebody it found was purged meanwhile.
_ANEW = 10


class Reader:
    """The gallery of one home, open for reading; a context manager."""

    def __init__(self, site: Site, site_key: SiteKey, store: Store) -> None:
        self.folder = site.gallery
        self.store = store
        self.fingerprint = store.meta("fingerprint")
        self.wrapping = Wrapping(site_key)
        self.subject_keys = KeySlots(site.keys / SUBJECTS, self.wrapping)
        generation_keys = KeySlots(site.keys / GENERATIONS, self.wrapping)
        # Not the log's key, which may be rotated: generations must open all the same.
        signer = SigningKey.from_secret(site_key.derive("manifest"))
        self.generations = Generations(site.gallery / "generations", generation_keys, signer)
        #: Set where one process answers many searches.
        self.warm: Warm | None = None

    def search(
        self,
        probe: NDArray[np.float32],
        *,
        count: int,
        watchlists: Collection[str] = (),
        engine: str = "auto",
    ) -> tuple[list[Hit], Compared]:
        """The `count` most alike subjects, best reference each, in falling order of cosine.

        `probe` is a unit vector of shape (dimension,). Only references on these watchlists
        are compared, if any is named. Raises GalleryMissing if nothing is left to compare, and
        NotAllowed for a watchlist that has expired or is closed.
        """

        def read() -> View:
            import numpy as np

            with self.store.snapshot():
                view = self._view()
                if not watchlists:
                    return view
                from fr_cli.gallery.watchlists import watched

                today = datetime.now(UTC).date()
                return view.within(np.array(watched(self.store, watchlists, today), np.int64))

        for _ in range(_ANEW):
            view = _patiently(read)
            if not view.references:
                raise GalleryMissing("Nobody is enrolled.")
            nearest, used = view.nearest(probe, count, engine)
            named = [self._named(pk, probe, cosine) for pk, cosine in nearest]
            hits = [hit for hit in named if hit]
            # Where somebody was purged meanwhile, the next most alike is to take the place.
            if len(hits) == len(named):
                return hits, Compared(view.references, view.subjects, view.generation, used)
        raise GalleryDamaged(
            "The generation holds references that the database does not know.",
            hint="Build it anew with: fr gallery rebuild",
        )

    def templates_of(self, subject_id: str) -> list[tuple[str, str, NDArray[np.float32]]]:
        """[(reference id, reference uid, vector), …] of one subject, for comparing one to one."""

        def read() -> list[tuple[str, str, NDArray[np.float32]]]:
            with self.store.snapshot():
                self._same_model()
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
                self._same_model()
                rows = self.store.newer_than(0)
                if not rows:
                    raise GalleryMissing("Nobody is enrolled.")
                vectors = open_templates(rows, self.subject_keys, self.fingerprint)
            return [row.subject_id for row in rows], np.stack(vectors)

        return _patiently(read)

    def origins(self, uids: Iterable[str]) -> dict[str, Origin]:
        """Where these references came from, by random id; without those that are gone by now."""

        def read() -> dict[str, Origin]:
            return {uid: origin for uid in wanted if (origin := self.store.origin(uid))}

        wanted = tuple(uids)
        return _patiently(read)

    def photos(self, uids: Iterable[str]) -> dict[str, tuple[bytes, NDArray[np.float32]]]:
        """The photos of references, by random id, each with the template that was made of it.

        Without those of which no photo is kept, or that are gone by now.
        """

        def read() -> dict[str, tuple[bytes, NDArray[np.float32]]]:
            found = {}
            with self.store.snapshot():
                for uid in wanted:
                    one = self.store.reference_of_uid(uid)
                    photo = None if one is None else self.photo_of(one)
                    if one is not None and photo is not None:
                        found[uid] = (photo, self.open_sealed(one))
            return found

        wanted = tuple(uids)
        return _patiently(read)

    def photo_of(self, one: Sealed) -> bytes | None:
        """The photo of a reference, None if none is kept; GalleryDamaged unless it is theirs."""
        return kept_photo(self.store, one, self.subject_keys.read(one.slot))

    def photo_at(self, pk: int) -> tuple[bytes | None] | None:
        """The photo of a reference by pk, as `photo_of`; None if the reference is gone."""

        def read() -> tuple[bytes | None] | None:
            with self.store.snapshot():
                one = self.store.reference(pk)
                return None if one is None else (self.photo_of(one),)

        return _patiently(read)

    def open_sealed(self, one: Sealed) -> NDArray[np.float32]:
        """The template of a reference; GalleryDamaged unless it is the one of that subject."""
        return open_templates([one], self.subject_keys, self.fingerprint)[0]

    def count(self, table: Literal["refs", "subjects"]) -> int:
        """How many references or subjects are enrolled."""
        row = self.store.db.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
        return int(row[0])

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

    def _view(self, generation: int | None = None) -> View:
        self._same_model()
        return load_view(
            self.store,
            self.generations,
            self.subject_keys,
            self.fingerprint,
            generation=generation,
            warm=self.warm if generation is None else None,
        )

    def _same_model(self) -> None:
        """OtherModel if a migration has ended since this gallery was opened."""
        if self.store.meta("fingerprint") != self.fingerprint:
            raise OtherModel(
                "The gallery was migrated to another model a moment ago.",
                hint="Run the same command again.",
            )

    def close(self) -> None:
        """Close the database."""
        self.store.close()

    def __enter__(self) -> Self:
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
