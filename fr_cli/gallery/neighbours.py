"""References against the whole gallery: which others are how alike to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fr_cli.gallery.reading import Reader
from fr_cli.gallery.rows import Sealed
from fr_cli.gallery.view import load_view

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Opened:
    """A reference with its template, opened under its subject's own key."""

    row: Sealed
    vector: NDArray[np.float32]


@dataclass(frozen=True)
class Neighbourhood:
    """A reference, those of other subjects from a cosine on, and the others of its subject."""

    one: Opened
    near: tuple[Opened, ...]
    own: tuple[Opened, ...]


def neighbourhoods(
    gallery: Reader, uids: Iterable[str], least: float
) -> tuple[int, Iterator[Neighbourhood]]:
    """Each of these references (by random id) against all; how many those are.

    Those that are gone by now are left out. One state of the gallery, as it was when it was asked.
    """

    wanted, store = [*uids], gallery.store
    with store.snapshot():
        everything = load_view(
            store, gallery.generations, gallery.subject_keys, gallery.fingerprint
        ).everything

    def opened(pks: NDArray[np.int64]) -> tuple[Opened, ...]:
        rows = [row for pk in pks if (row := store.reference(int(pk))) is not None]
        return tuple(Opened(row, gallery.open_sealed(row)) for row in rows)

    def each() -> Iterator[Neighbourhood]:
        for uid in wanted:
            row = store.reference_of_uid(uid)
            if row is None:
                continue
            one = Opened(row, gallery.open_sealed(row))
            cosines = everything.vectors @ one.vector
            same = everything.subjects == row.subject
            near = everything.pks[(cosines >= least) & ~same]
            own = everything.pks[same & (everything.pks != row.pk)]
            yield Neighbourhood(one, opened(near), opened(own))

    return len(everything.pks), each()
