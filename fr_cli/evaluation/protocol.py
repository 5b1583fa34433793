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

#: Cosines held at once: 256 MB of float32, whatever the size of the gallery.
_CELLS = 1 << 26
#: With fewer probes in a product than some hundred, the product is slower.
_PROBES = 512
#: Rows that are looked at together: as many as a byte can count.
_SLAB = 255
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
    members = [people.places(gallery) for gallery in galleries]
    rows = [_Rows(len(probes)) for _ in galleries]
    usable = [place for place, probe in enumerate(probes) if probe is not None]
    for block in blocks(usable, len(references)):
        templates = np.stack([probe for place in block if (probe := probes[place]) is not None])
        scores = people.scores(people.cosines(templates), fusion)
        for column, place in enumerate(block):
            scores[aliases.get(probe_subjects[place], []), column] = -np.inf
        for found, chosen in zip(rows, members, strict=True):
            position = np.full(len(people.place) + 1, -1)  # the last is that of nobody
            position[chosen] = np.arange(chosen.size)
            some = scores if len(rows) == 1 and chosen.size == len(scores) else scores[chosen]
            found.fill(block, some, position[own[block]])
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
        cosines = people.cosines(vectors[block])
        itself = people.row_of[block], np.arange(len(block))
        own = np.array([people.place[names[place]] for place in block], np.int64)
        scores = people.scores(cosines, fusion, without=itself, own=own)
        for column, place in enumerate(block):
            scores[aliases.get(names[place], []), column] = -np.inf
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
    """The references: the first of each subject, then the second of those who have one, and so on.

    So the best of a subject is the largest of rows that stand in blocks below each other, which
    is found at the speed of the memory. `place` numbers the subjects, who has most first.
    """

    def __init__(self, references: NDArray[np.float32], subjects: Sequence[str]) -> None:
        names, whose, counts = np.unique(
            np.array(subjects), return_inverse=True, return_counts=True
        )
        falling = np.argsort(-counts, kind="stable")
        self.place = {str(name): index for index, name in enumerate(names[falling])}
        self._counts = counts[falling]
        place = np.argsort(falling)[whose]  # of the subject of each reference
        grouped = np.argsort(place, kind="stable")
        starts = np.cumsum(self._counts) - self._counts
        turn = np.empty(len(place), np.int64)  # the how-manieth of its subject
        turn[grouped] = np.arange(len(place)) - np.repeat(starts, self._counts)
        order = np.lexsort((place, turn))
        self._turns = np.bincount(turn)
        self._references = references[order]
        self.row_of = np.argsort(order, kind="stable")
        self._room = np.empty(0, np.float32)

    def places(self, gallery: Collection[str]) -> NDArray[np.int64]:
        """The places of a gallery's subjects, of those that are enrolled."""
        places = [place for name, place in self.place.items() if name in gallery]
        return np.array(places, np.int64)

    def cosines(self, templates: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of probes (b, d): shape (n, b), in memory that the next call uses again."""
        cells = len(self._references) * len(templates)
        if self._room.size < cells:
            self._room = np.empty(cells, np.float32)
        out = self._room[:cells].reshape(-1, len(templates))
        return np.matmul(self._references, templates.T, out=out)

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
    ) -> NDArray[np.floating]:
        """Cosines (n, b), which are used up → scores of subjects (S, b); −inf where none is.

        `without` are places (row, column) of comparisons that do not count, one a column, and
        `own` the subject of each.
        """
        count = len(self._counts)
        if without is not None:
            cosines[without] = -np.inf if fusion == "best" else 0.0
        scores = cosines[:count] if fusion == "best" else cosines[:count].astype(np.float64)
        first = count
        for more in self._turns[1:].tolist():
            further = cosines[first : first + more]
            if fusion == "best":
                np.maximum(scores[:more], further, out=scores[:more])
            else:
                scores[:more] += further
            first += more
        if fusion == "mean":
            counts = np.repeat(self._counts[:, None], scores.shape[1], axis=1)
            if without is not None:
                counts[own, without[1]] -= 1
            scores = np.where(counts > 0, scores / np.maximum(counts, 1), -np.inf)
        return scores


class _Rows:
    """What the searches of one gallery found, filled block by block."""

    def __init__(self, count: int) -> None:
        self._mate, self._nonmate = np.full(count, -np.inf), np.full(count, -np.inf)
        self._rank = np.full(count, NO_RANK, np.int64)

    def fill(
        self, places: Sequence[int], scores: NDArray[np.floating], own: NDArray[np.int64]
    ) -> None:
        """Scores (S, b) of some probes, which are used up, and each one's row, −1 for none."""
        mated = np.flatnonzero(own >= 0)
        mate = np.full(scores.shape[1], -np.inf, scores.dtype)
        mate[mated] = scores[own[mated], mated]
        scores[own[mated], mated] = -np.inf
        most, before = np.full_like(mate, -np.inf), np.zeros(len(mate), np.int64)
        for first in range(0, len(scores), _SLAB):
            some = scores[first : first + _SLAB]
            np.maximum(most, some.max(axis=0), out=most)
            before += np.add.reduce((some >= mate).view(np.uint8), axis=0, dtype=np.uint8)
        self._nonmate[places] = most
        self._mate[places] = mate
        # A tie counts against the mate: a search could list it behind.
        self._rank[places] = np.where(np.isfinite(mate), 1 + before, NO_RANK)

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
