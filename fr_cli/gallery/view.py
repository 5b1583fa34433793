"""What is searched: one consistent state of the gallery, in memory.

The current generation, minus what was removed since it was built, plus what was enrolled since:
so that an enrolment is found, and a purge is not, from the moment that it returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fr_cli.gallery.generation import Generations, Packed
from fr_cli.gallery.rows import Sealed
from fr_cli.gallery.search import engine_for
from fr_cli.gallery.store import Store
from fr_cli.gallery.vault import KeySlots, unseal
from fr_cli.gallery.warm import Warm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class View:
    """A generation's rows and those beside it; `allowed` masks the former, None allows all."""

    generation: int
    rows: Packed
    side: Packed
    allowed: NDArray[np.bool_] | None = None

    @property
    def references(self) -> int:
        """How many references a search compares: N of the error rates."""
        built = len(self.rows.pks) if self.allowed is None else int(self.allowed.sum())
        return built + len(self.side.pks)

    @property
    def subjects(self) -> int:
        """How many people these are."""
        import numpy as np

        built = self.rows.subjects if self.allowed is None else self.rows.subjects[self.allowed]
        # They are small numbers of the database. Sorting a million takes longer than the search.
        seen = np.zeros(1 + max(built.max(initial=0), self.side.subjects.max(initial=0)), bool)
        seen[built] = seen[self.side.subjects] = True
        return int(np.count_nonzero(seen))

    @property
    def everything(self) -> Packed:
        """All rows that may be found, as the next generation will hold them."""
        import numpy as np

        built = self.rows if self.allowed is None else self.rows.keep(self.allowed)
        parts = [part for part in (built, self.side) if len(part.pks)] or [self.side]
        return Packed(
            np.concatenate([part.pks for part in parts]),
            np.concatenate([part.subjects for part in parts]),
            np.concatenate([np.asarray(part.vectors) for part in parts]),
        )

    def within(self, members: NDArray[np.int64]) -> View:
        """Only the references of these primary keys: a filter applies before the best are taken."""
        import numpy as np

        side = self.side.keep(np.isin(self.side.pks, members))
        allowed = np.isin(self.rows.pks, members)
        if self.allowed is not None:
            allowed &= self.allowed
        return View(self.generation, self.rows, side, allowed)

    def nearest(
        self, probe: NDArray[np.float32], count: int, engine: str
    ) -> tuple[list[tuple[int, float]], str]:
        """[(reference pk, cosine), …] of the `count` most alike subjects, best reference each.

        In falling order of cosine, ties by pk; and the name of the engine that shortlisted.
        """
        import numpy as np

        chosen, near = engine_for(self.rows, engine), np.empty(0, np.int64)
        if len(self.rows.pks):
            near = chosen.nearest(probe, count, self.allowed)
        beside = np.arange(len(self.side.pks))
        parts = [one for one in ((self.rows, near), (self.side, beside)) if len(one[1])]
        if not parts:
            return [], chosen.name
        pks = np.concatenate([part.pks[rows] for part, rows in parts])
        subjects = np.concatenate([part.subjects[rows] for part, rows in parts])
        cosines = np.concatenate([_cosines(part.vectors[rows], probe) for part, rows in parts])
        best: dict[int, tuple[int, float]] = {}
        for place in np.lexsort((pks, -cosines)).tolist():
            best.setdefault(int(subjects[place]), (int(pks[place]), float(cosines[place])))
            if len(best) == count:
                break
        return list(best.values()), chosen.name


def _cosines(vectors: NDArray[np.float32], probe: NDArray[np.float32]) -> NDArray[np.float64]:
    """Each row's, in double precision.

    A product of each row alone, never of a block of them: the last bit of a score must not depend
    on which other rows were on the shortlist.
    """
    import numpy as np

    return np.asarray(np.vecdot(vectors.astype(np.float64), probe.astype(np.float64)))


def load_view(
    store: Store,
    generations: Generations,
    subject_keys: KeySlots,
    fingerprint: str,
    *,
    generation: int | None = None,
    warm: Warm | None = None,
) -> View:
    """The state of the gallery; call it within a snapshot of the store.

    `generation` 0 stands for none: then every reference is unsealed under its subject's key.
    `warm` is what keeps a generation in memory from one search to the next.
    """
    import numpy as np

    number = int(store.meta("generation")) if generation is None else generation
    if warm is not None and number:
        packed = warm.read(generations, number, fingerprint)
    else:
        packed = generations.read(number, fingerprint)
    hidden, allowed = store.hidden(), None
    if hidden and len(packed.pks):
        # A mask, not a copy of what is left: at a million that is half a gigabyte.
        gone = np.isin(packed.pks, np.array(hidden))
        allowed = ~gone if gone.any() else None
    newer = store.newer_than(int(store.meta("high_water")) if number else 0)
    vectors = open_templates(newer, subject_keys, fingerprint)
    side = Packed(
        np.array([row.pk for row in newer], np.int64),
        np.array([row.subject for row in newer], np.int64),
        np.stack(vectors) if vectors else np.empty((0, packed.vectors.shape[1]), np.float32),
    )
    return View(number, packed, side, allowed)


def open_templates(
    rows: Sequence[Sealed], subject_keys: KeySlots, fingerprint: str
) -> list[NDArray[np.float32]]:
    """The templates of references; GalleryDamaged unless each is the one of that subject."""
    import numpy as np

    keys = subject_keys.read_many([one.slot for one in rows])
    return [
        np.frombuffer(unseal(key, one.sealed, bound(one.uid, one.subject_id, fingerprint)), "<f4")
        for key, one in zip(keys, rows, strict=True)
    ]


def bound(reference_uid: str, subject_id: str, fingerprint: str) -> str:
    """What a sealed template is bound to (ISO/IEC 24745: secure binding).

    With the subject's id in it, nobody can be named under whose name it was not sealed.
    """
    return f"template/{fingerprint}/{reference_uid}/{subject_id}"
