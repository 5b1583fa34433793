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

from fr_cli.evaluation.batched import People, Places, Scores, blocks
from fr_cli.evaluation.impostors import Fusion
from fr_cli.evaluation.rates import Probes

#: References and probes of a product: so few that its 2.6 MB stay in the cache while they are
#: counted, and so many that it is fast.
_ROWS, _PROBES = 1024, 640
#: Rows that are counted together: as many as a byte can count.
_SLAB = 255
#: The rank of a mate that is not in the gallery, because its reference failed to enrol.
NO_RANK = np.iinfo(np.int64).max

Vector = NDArray[np.float32]


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

    `references` has shape (n, d), unit rows; a probe is a unit vector (d,), or None where no
    template could be made. A gallery is the subjects that should be in it: a probe of one whose
    reference failed to enrol is a miss at every threshold; a probe of any other is non-mated.
    Every probe is compared with every reference once, however many galleries there are, but for
    the two subjects of an excluded pair. Raises ValueError without references.
    """
    if not reference_subjects:
        raise ValueError("there is no reference to compare with")
    people = People(references, reference_subjects, excluded, _ROWS)
    usable = [place for place, probe in enumerate(probes) if probe is not None]
    vectors = np.array([probes[place] for place in usable], np.float32)
    found = _search(people, vectors, [probe_subjects[place] for place in usable], galleries, fusion)
    acquired = np.array([probe is not None for probe in probes], bool)
    subjects = np.array(probe_subjects)
    return [
        one.probes(np.array([name in listed for name in probe_subjects], bool), acquired, subjects)
        for one, listed in zip(found, galleries, strict=True)
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
    vectors = np.array([templates[place] for place in usable], np.float32)
    people = People(vectors, names, excluded, _ROWS)
    (found,) = _search(people, vectors, names, [people.place], fusion, itself=people.row_of)
    whose = np.array(subjects)
    _, numbered, images = np.unique(whose, return_inverse=True, return_counts=True)
    mated = np.flatnonzero(images[numbered] > 1)
    photographs = np.concatenate([mated, np.arange(len(templates))])
    acquired = np.array([template is not None for template in templates], bool)
    is_mated = np.arange(photographs.size) < mated.size
    return found.probes(is_mated, acquired, whose, photographs), photographs


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


def _search(
    people: People,
    vectors: NDArray[np.float32],
    names: Sequence[str],
    galleries: Sequence[Collection[str]],
    fusion: Fusion,
    itself: Places | None = None,
) -> list[_Found]:
    """Search probes (n, d) of these names; `itself` as in `People.mates`."""
    own = people.own(names)
    mate = people.mates(vectors, own, fusion, itself)
    found = [_Found(people.places(gallery), own, mate) for gallery in galleries]
    for block in blocks(len(names), _PROBES):
        for first, scores in people.search(vectors[block], names[block], fusion):
            for one in found:
                one.add(block, first, scores)
    return found


class _Found:
    """What the searches of one gallery found, of the probes with a template; added up in chunks."""

    def __init__(self, members: Places, own: Places, mate: Scores) -> None:
        self._members = members
        self._mate = np.where(np.isin(own, members), mate, -np.inf)
        self._nonmate = np.full_like(mate, -np.inf)
        self._before = np.zeros(len(mate), np.int64)

    def add(self, block: slice, first: int, scores: Scores) -> None:
        """Scores (s, b) of a block of probes with the people from `first` on, −inf with its own."""
        here = slice(*np.searchsorted(self._members, [first, first + len(scores)]))
        chosen = self._members[here] - first
        some = scores if len(chosen) == len(scores) else scores[chosen]
        mate, most, before = self._mate[block], self._nonmate[block], self._before[block]
        for at in range(0, len(some), _SLAB):
            slab = some[at : at + _SLAB]
            np.maximum(most, slab.max(axis=0), out=most)
            # A tie counts against the mate: a search could list it behind.
            before += np.add.reduce((slab >= mate).view(np.uint8), axis=0, dtype=np.uint8)

    def probes(
        self,
        mated: NDArray[np.bool_],
        acquired: NDArray[np.bool_],
        subjects: NDArray[np.generic],
        places: NDArray[np.int64] | None = None,
    ) -> Probes:
        """All probes, or those at `places` (repeats allowed); `mated` is one a row of these."""
        nonmate, mate = np.full(acquired.size, -np.inf), np.full(acquired.size, -np.inf)
        rank = np.full(acquired.size, NO_RANK, np.int64)
        nonmate[acquired], mate[acquired] = self._nonmate, self._mate
        rank[acquired] = np.where(np.isfinite(self._mate), 1 + self._before, NO_RANK)
        chosen = np.arange(acquired.size) if places is None else places
        return Probes(
            mated, acquired[chosen], nonmate[chosen], mate[chosen], rank[chosen], subjects[chosen]
        )
