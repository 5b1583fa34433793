"""Templates and labels → what each probe's search found, 1:N, by the protocol that is asked for.

ISO/IEC 19795-1:2021, identification: every probe is compared with every reference; a probe is
mated if its subject is in the gallery. Several references of a subject count as their best, or
as the mean of their comparison scores (`fusion`).

- open set: the manifest says which photographs are references and which are probes;
- random galleries: the same, with some of the subjects drawn as the gallery, again and again;
- leave one out: each photograph in turn is a probe, all others are the references.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from fr_cli.evaluation.impostors import Fusion
from fr_cli.evaluation.rates import Probes

#: Cosines held at once: 64 MB of float32, whatever the size of the gallery.
_CELLS = 1 << 24
_PROBES = 512
#: The rank of a mate that is not in the gallery, because its reference failed to enrol.
NO_RANK = np.iinfo(np.int64).max

Vector = NDArray[np.float32]


def search_all(
    references: NDArray[np.float32],
    reference_subjects: Sequence[str],
    probes: Sequence[Vector | None],
    probe_subjects: Sequence[str],
    *,
    listed: Collection[str],
    excluded: Collection[frozenset[str]] = (),
    fusion: Fusion = "best",
) -> Probes:
    """Search each probe in the references.

    `references` has shape (n, d), unit rows; a probe is a unit vector (d,), or None where no
    template could be made. `listed` are the subjects that should be in the gallery: a probe of
    one whose reference failed to enrol is a miss at every threshold. Comparisons between the
    two subjects of an excluded pair are left out. Raises ValueError without references.
    """
    (found,) = search_galleries(
        references, reference_subjects, probes, probe_subjects, [listed],
        excluded=excluded, fusion=fusion,
    )  # fmt: skip
    return found


def search_galleries(
    references: NDArray[np.float32],
    reference_subjects: Sequence[str],
    probes: Sequence[Vector | None],
    probe_subjects: Sequence[str],
    galleries: Sequence[Collection[str]],
    *,
    excluded: Collection[frozenset[str]] = (),
    fusion: Fusion = "best",
) -> list[Probes]:
    """Search each probe in each gallery: the references of a part of the subjects.

    Every probe is compared with every reference once, however many galleries there are.
    A probe is mated in the galleries that list its subject, non-mated in the others.
    """
    if not reference_subjects:
        raise ValueError("there is no reference to compare with")
    people = People(references, reference_subjects)
    aliases = people.aliases(excluded)
    own = np.array([people.place.get(name, -1) for name in probe_subjects], np.int64)
    columns = [people.columns(gallery) for gallery in galleries]
    rows = [_Rows(len(probes)) for _ in galleries]
    usable = [place for place, probe in enumerate(probes) if probe is not None]
    for block in blocks(usable, len(references)):
        templates = np.stack([probe for place in block if (probe := probes[place]) is not None])
        scores = people.scores(templates @ people.templates.T, fusion)
        for row, place in enumerate(block):
            scores[row, aliases.get(probe_subjects[place], [])] = -np.inf
        for found, chosen in zip(rows, columns, strict=True):
            position = np.full(len(people.place) + 1, -1)  # the last is that of nobody
            position[chosen] = np.arange(chosen.size)
            found.fill(block, scores[:, chosen], position[own[block]])
    acquired = np.array([probe is not None for probe in probes], bool)
    subjects = np.array(probe_subjects)
    return [
        found.probes(
            np.array([name in listed for name in probe_subjects], bool), acquired, subjects
        )
        for found, listed in zip(rows, galleries, strict=True)
    ]


def random_galleries(
    listed: Collection[str], size: int, count: int, seed: int
) -> list[frozenset[str]]:
    """`count` draws of `size` subjects without repeats within one; the same seed, the same draws.

    Raises ValueError unless 1 ≤ size ≤ number of subjects and count ≥ 1.
    """
    people = np.array(sorted(set(listed)))
    if not 1 <= size <= people.size or count < 1:
        raise ValueError(f"galleries of {size} cannot be drawn {count} times of {people.size}")
    rng = np.random.default_rng(seed)
    return [
        frozenset(map(str, rng.choice(people, size, replace=False, shuffle=False)))
        for _ in range(count)
    ]


def leave_one_out(
    templates: Sequence[Vector | None],
    subjects: Sequence[str],
    *,
    excluded: Collection[frozenset[str]] = (),
    fusion: Fusion = "best",
) -> tuple[Probes, NDArray[np.int64]]:
    """Search each photograph in all others.

    A photograph whose subject has another is asked about with those in the gallery (mated);
    every photograph is asked about with its whole subject taken out (non-mated), so that a set
    in which everybody has several photographs shows a false-positive rate too. Also returns the
    photograph of each row, shape (rows,). Raises ValueError if fewer than two subjects have a
    template.
    """
    usable = [place for place, template in enumerate(templates) if template is not None]
    names = [subjects[place] for place in usable]
    if len(set(names)) < 2:
        raise ValueError("photographs of at least two subjects are needed")
    vectors = np.stack([template for template in templates if template is not None])
    people = People(vectors, names)
    aliases = people.aliases(excluded)
    rows = _Rows(len(templates))
    for block in blocks(range(len(usable)), len(usable)):
        cosines = vectors[block] @ people.templates.T
        itself = np.arange(len(block)), people.row_of[block]
        own = np.array([people.place[names[place]] for place in block], np.int64)
        scores = people.scores(cosines, fusion, without=itself, own=own)
        for row, place in enumerate(block):
            scores[row, aliases.get(names[place], [])] = -np.inf
        rows.fill([usable[place] for place in block], scores, own)
    whose = np.array(subjects)
    _, numbered, images = np.unique(whose, return_inverse=True, return_counts=True)
    mated = np.flatnonzero(images[numbered] > 1)
    photographs = np.concatenate([mated, np.arange(len(templates))])
    acquired = np.array([template is not None for template in templates], bool)
    is_mated = np.arange(photographs.size) < mated.size
    return rows.probes(is_mated, acquired, whose, photographs), photographs


def part(probes: Probes, mask: NDArray[np.bool_] | NDArray[np.int64]) -> Probes:
    """The probes of a mask of shape (n,), or of row numbers: one group of people, say."""
    return Probes(
        probes.mated[mask],
        probes.acquired[mask],
        probes.nonmate[mask],
        probes.mate[mask],
        probes.rank[mask],
        probes.subjects[mask],
    )


class People:
    """The references, those of a subject side by side."""

    def __init__(self, references: NDArray[np.float32], subjects: Sequence[str]) -> None:
        order = np.argsort(np.array(subjects), kind="stable")
        names, self._starts, self._counts = np.unique(
            np.array(subjects)[order], return_index=True, return_counts=True
        )
        self.templates = references[order]
        self.row_of = np.argsort(order, kind="stable")
        self.place = {str(name): index for index, name in enumerate(names)}

    def columns(self, gallery: Collection[str]) -> NDArray[np.int64]:
        """The places of a gallery's subjects, of those that are enrolled."""
        places = [place for name, place in self.place.items() if name in gallery]
        return np.array(places, np.int64)

    def aliases(self, excluded: Collection[frozenset[str]]) -> dict[str, list[int]]:
        """For each subject of an excluded pair, the places of those it is not compared with."""
        places: dict[str, list[int]] = {}
        for pair in excluded:
            for name in pair:
                others = [self.place[other] for other in pair - {name} if other in self.place]
                places.setdefault(name, []).extend(others)
        return places

    def scores(
        self,
        cosines: NDArray[np.float32],
        fusion: Fusion,
        *,
        without: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
        own: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float64]:
        """Cosines (b, n) → scores against subjects (b, S), float64; −inf where none was compared.

        `without` are places (row, column) of comparisons that do not count, one a row, and
        `own` the subject of each.
        """
        counts = np.broadcast_to(self._counts, (len(cosines), self._counts.size))
        if without is not None:
            rows = without[0]
            cosines[without] = -np.inf if fusion == "best" else 0.0
            counts = counts.copy()
            counts[rows, own] -= 1
        if fusion == "best":
            return np.maximum.reduceat(cosines, self._starts, axis=1).astype(np.float64)
        sums = np.add.reduceat(cosines, self._starts, axis=1, dtype=np.float64)
        return np.where(counts > 0, sums / np.maximum(counts, 1), -np.inf)


class _Rows:
    """What the searches of one gallery found, filled block by block."""

    def __init__(self, count: int) -> None:
        self._mate, self._nonmate = np.full(count, -np.inf), np.full(count, -np.inf)
        self._rank = np.full(count, NO_RANK, np.int64)

    def fill(
        self, places: Sequence[int], scores: NDArray[np.float64], own: NDArray[np.int64]
    ) -> None:
        """Scores (b, S) of some probes, with the column of each one's subject, −1 for none."""
        rows = np.flatnonzero(own >= 0)
        mate = np.full(len(scores), -np.inf)
        mate[rows] = scores[rows, own[rows]]
        scores[rows, own[rows]] = -np.inf
        self._nonmate[places] = scores.max(axis=1, initial=-np.inf)
        self._mate[places] = mate
        # A tie counts against the mate: a search could list it behind.
        rank = 1 + np.count_nonzero(scores >= mate[:, None], axis=1)
        self._rank[places] = np.where(np.isfinite(mate), rank, NO_RANK)

    def probes(
        self,
        mated: NDArray[np.bool_],
        acquired: NDArray[np.bool_],
        subjects: NDArray[np.generic],
        places: NDArray[np.int64] | None = None,
    ) -> Probes:
        """All of them, or those at `places` (repeats allowed); `mated` is one a row of these."""
        chosen = np.arange(acquired.size) if places is None else places
        return Probes(
            mated, acquired[chosen], self._nonmate[chosen], self._mate[chosen],
            self._rank[chosen], subjects[chosen],
        )  # fmt: skip


def blocks(places: Sequence[int], references: int) -> list[list[int]]:
    """The places in blocks small enough that their cosines fit into memory."""
    step = min(_PROBES, max(1, _CELLS // references))
    return [list(places[first : first + step]) for first in range(0, len(places), step)]
