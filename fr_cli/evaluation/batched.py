"""Many probes compared with all references, at little more than the cost of the matrix product.

The references lie in chunks of whole people. The cosines of a chunk with a block of probes stay
in the processor's cache while they are looked at; those of all together would not, and every look
would be at the speed of the memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fr_cli.evaluation.impostors import Fusion

#: Rows and columns of a product, at least. OpenBLAS reckons a smaller one in another order, to
#: other last bits: a copy of the mate's photograph under another name would no longer tie with it.
_LEAST = 128

Vectors = NDArray[np.float32]
Scores = NDArray[np.floating]
Places = NDArray[np.int64]


class _Chunk(NamedTuple):
    people: slice
    rows: slice
    #: How many of these people have a first reference, a second, a third …
    turns: list[int]


class People:
    """The references (n, d), unit rows, by person; `place` numbers the people, who has most first.

    In each chunk the first of each person lies above the second of those who have one, and so on:
    the best of a person is the largest of rows that lie in blocks below each other, which is found
    faster than the cosines are. A chunk has some `rows`, more only for a person who has more. The
    two subjects of an excluded pair are not compared.
    """

    def __init__(
        self,
        references: Vectors,
        subjects: Sequence[str],
        excluded: Collection[frozenset[str]],
        rows: int,
    ) -> None:
        names, whose, counts = np.unique(
            np.array(subjects), return_inverse=True, return_counts=True
        )
        falling = np.argsort(-counts, kind="stable")
        self.place = dict(zip(names[falling].tolist(), range(len(names)), strict=True))
        self._counts = counts[falling]
        self._starts = np.cumsum(self._counts) - self._counts
        place = np.argsort(falling)[whose]  # of the subject of each reference
        by_person = np.argsort(place, kind="stable")
        turn = np.empty(len(place), np.int64)  # the how-manieth of its subject
        turn[by_person] = np.arange(len(place)) - np.repeat(self._starts, self._counts)
        # Chunks of much the same length, that none is short.
        chunk = self._starts * -(-len(place) // rows) // len(place)
        order = np.lexsort((place, turn, chunk[place]))
        self._references = references[order]
        #: Where each reference lies.
        self.row_of = np.argsort(order)
        self._rows = self.row_of[by_person]
        firsts = [*np.flatnonzero(np.diff(chunk, prepend=-1)).tolist(), len(counts)]
        starts = [*self._starts.tolist(), len(place)]
        self._chunks = [
            _Chunk(slice(a, b), lie := slice(starts[a], starts[b]),
                   np.bincount(turn[order[lie]]).tolist())
            for a, b in pairwise(firsts)
        ]  # fmt: skip
        self._aliases: dict[str, list[int]] = {}
        for pair in excluded:
            for name in pair:
                others = [self.place[other] for other in pair - {name} if other in self.place]
                self._aliases.setdefault(name, []).extend(others)
        self._room = np.empty(0, np.float32)

    def own(self, names: Sequence[str]) -> Places:
        """The place of each name, −1 for who has no reference."""
        return np.array([self.place.get(name, -1) for name in names], np.int64)

    def places(self, gallery: Collection[str]) -> Places:
        """The places of a gallery's subjects, of those who have a reference."""
        inside = map(gallery.__contains__, self.place)
        return np.flatnonzero(np.fromiter(inside, bool, len(self.place)))

    def mates(
        self, probes: Vectors, own: Places, fusion: Fusion, itself: Places | None = None
    ) -> Scores:
        """The score of each probe (b, d) with its own subject (b,), −inf where that is −1.

        `itself` (b,) is the row of a reference of each that does not count. They come from products
        as large as the others', because a dot product by itself would have other last bits.
        """
        found: Scores = np.full(len(own), -np.inf, np.float32 if fusion == "best" else np.float64)
        # Probes of one person are taken together: they ask for the same rows.
        by_person = np.argsort(own, kind="stable")
        mated = by_person[np.searchsorted(own[by_person], 0) :]
        for first in range(0, len(mated), _LEAST):
            some = mated[first : first + _LEAST]
            counts = self._counts[own[some]]
            columns = np.repeat(np.arange(len(some)), counts)
            turns = np.arange(len(columns)) - np.repeat(np.cumsum(counts) - counts, counts)
            rows = self._rows[self._starts[own[some]][columns] + turns]
            if itself is not None:
                other = rows != itself[some][columns]
                rows, columns = rows[other], columns[other]
            needed, where = np.unique(rows, return_inverse=True)
            cosines = _padded(self._references[needed]) @ _padded(probes[some]).T
            scores = cosines[where, columns]
            best = np.full(len(some), -np.inf, found.dtype)
            if fusion == "best":
                np.maximum.at(best, columns, scores)
            else:  # added up one after the other, as in `search`
                compared = np.bincount(columns, minlength=len(some))
                np.divide(np.bincount(columns, scores, len(some)), compared, out=best,
                          where=compared > 0)  # fmt: skip
            found[some] = best
        return found

    def search(
        self, probes: Vectors, names: Sequence[str], fusion: Fusion
    ) -> Iterator[tuple[int, Scores]]:
        """The scores of probes (b, d) with everybody: some people at a time, the whole gallery.

        Yields the place of the first and scores (s, b), −inf for a probe's own subject and those
        that it is not compared with; in memory that the next ones use again.
        """
        places, columns = self._left_out(names)
        wide = np.ascontiguousarray(_padded(probes).T)  # what the product reads fastest
        for people, rows, turns in self._chunks:
            references = _padded(self._references[rows])
            cells = len(references) * wide.shape[1]
            if self._room.size < cells:
                self._room = np.empty(cells, np.float32)
            room = self._room[:cells].reshape(len(references), -1)
            cosines = np.matmul(references, wide, out=room)
            scores = self._fused(cosines[:, : len(probes)], turns, fusion)
            if fusion == "mean":
                scores /= self._counts[people, None]
            here = slice(*np.searchsorted(places, [people.start, people.stop]))
            scores[places[here] - people.start, columns[here]] = -np.inf
            yield people.start, scores

    def _left_out(self, names: Sequence[str]) -> tuple[Places, Places]:
        """Place and column of what does not count, by place."""
        own = self.own(names)
        columns = np.flatnonzero(own >= 0)
        aliases = [
            (place, column)
            for column, name in enumerate(names if self._aliases else ())
            for place in self._aliases.get(name, ())
        ]
        more = np.array(aliases, np.int64).reshape(-1, 2)
        places = np.concatenate([own[columns], more[:, 0]])
        order = np.argsort(places)
        return places[order], np.concatenate([columns, more[:, 1]])[order]

    @staticmethod
    def _fused(cosines: Vectors, turns: list[int], fusion: Fusion) -> Scores:
        """Of references → of people: the best, or the sum. The cosines are used up."""
        scores = cosines[: turns[0]] if fusion == "best" else cosines[: turns[0]].astype(np.float64)
        first = turns[0]
        for more in turns[1:]:
            further = cosines[first : first + more]
            if fusion == "best":
                np.maximum(scores[:more], further, out=scores[:more])
            else:
                scores[:more] += further
            first += more
        return scores


def blocks(probes: int, size: int) -> list[slice]:
    """So many probes in blocks; the last may be smaller."""
    return [slice(at, min(at + size, probes)) for at in range(0, probes, size)]


def _padded(vectors: Vectors) -> Vectors:
    short = _LEAST - len(vectors)
    return vectors if short <= 0 else np.pad(vectors, ((0, short), (0, 0)))
