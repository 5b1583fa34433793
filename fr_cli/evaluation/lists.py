"""The most alike other subjects of each non-mated probe: who would stand on a candidate list.

Two measures come from them without another search: how long a list of false candidates is
(`selectivity`), and how FPIR grows with the gallery (`growth`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fr_cli.evaluation.batched import People, Places, Scores, blocks
from fr_cli.evaluation.impostors import Fusion
from fr_cli.evaluation.protocol import Vector

#: Subjects that are kept of each probe.
LONGEST = 50
#: References and probes of a product, 13 MB: the more references at first, the fewer scores are
#: above a floor that comes of them.
_ROWS, _PROBES = 10_240, 320
#: Rows of a heap, of which only the highest is compared with the floor.
_HEAP = 8
#: Groups of heaps for each subject that is kept, from which the floor comes.
_GROUPS = 2


@dataclass(frozen=True, eq=False)
class Lists:
    """The best subjects of each non-mated probe, all rows falling; −inf and −1 past the end.

    scores      (n, k) float: of the k most alike subjects; −inf for probes not acquired
    subjects    (n, k) int: their numbers, 0 … `enrolled` − 1
    people      (n,) int64: whose the probe is
    enrolled    subjects in the gallery
    references  references in the gallery
    """

    scores: NDArray[np.float64]
    subjects: NDArray[np.int64]
    people: NDArray[np.int64]
    enrolled: int
    references: int

    def reaching(self, threshold: float) -> NDArray[np.int64]:
        """How many subjects reach the threshold, of each probe; at most k are known of; (n,)."""
        found: NDArray[np.int64] = (self.scores >= threshold).sum(axis=1)
        return found


def candidate_lists(
    references: NDArray[np.float32],
    reference_subjects: Sequence[str],
    probes: Sequence[Vector | None],
    probe_subjects: Sequence[str],
    *,
    excluded: Collection[frozenset[str]] = (),
    fusion: Fusion = "best",
) -> Lists:
    """Search each probe among all subjects but its own.

    `references` (n, d) and probes (d,) are unit vectors, a probe None where no template could be
    made. Raises ValueError without references.
    """
    if not reference_subjects:
        raise ValueError("there is no reference to compare with")
    people = People(references, reference_subjects, excluded, _ROWS)
    kept = min(LONGEST, len(people.place))
    scores = np.full((len(probes), kept), -np.inf)
    subjects = np.full((len(probes), kept), -1, np.int64)
    usable = np.array([place for place, probe in enumerate(probes) if probe is not None], np.int64)
    vectors = np.array([probes[place] for place in usable], np.float32)
    names = [probe_subjects[place] for place in usable]
    for block in blocks(len(usable), _PROBES):
        found = people.search(vectors[block], names[block], fusion)
        scores[usable[block]], subjects[usable[block]] = _best(found, kept)
    _, numbers = np.unique(np.array(probe_subjects), return_inverse=True)
    return Lists(
        scores, subjects, numbers.astype(np.int64), len(people.place), len(reference_subjects)
    )


def _best(found: Iterator[tuple[int, Scores]], kept: int) -> tuple[Scores, Places]:
    """The `kept` highest scores of each probe, falling, and whose they are: (b, kept) both.

    `found` is what `People.search` found. Ties by place; −inf and −1 past the end.
    """
    hits: list[tuple[Places, Places, Scores]] = []
    waiting = 0
    floor = None
    for start, scores in found:
        probes = scores.shape[1]
        heaps = len(scores) // _HEAP
        tops = scores[: _HEAP * heaps].reshape(_HEAP, heaps, probes).max(axis=0, initial=-np.inf)
        if floor is None or np.isneginf(floor).any():
            floor = _floor(tops, kept)
        for columns, rows, values in _above(scores, tops, floor):
            hits.append((columns, start + rows, values))
            waiting += len(rows)
        if waiting > 2 * kept * probes:
            values, places = _falling(hits, probes, kept)
            hits = [(np.repeat(np.arange(probes), kept), places.reshape(-1), values.reshape(-1))]
            waiting = places.size
            # A later one that is as high as the last would stand behind it.
            floor = values[:, -1].copy()
    return _falling(hits, probes, kept)


def _floor(tops: Scores, kept: int) -> Scores:
    """What the `kept` highest of each column are above: all others but some dozen are not."""
    # In groups of heaps, the `kept` highest are not below the lowest of the `kept` highest groups.
    groups = _GROUPS * kept
    lowest = np.full(tops.shape[1], -np.inf, tops.dtype)
    whole = len(tops) // groups * groups
    if not whole:
        return lowest
    highest = tops[:whole].reshape(-1, groups, tops.shape[1]).max(axis=0)
    floor: Scores = np.nextafter(np.partition(highest, -kept, axis=0)[-kept], lowest)
    return floor


def _above(scores: Scores, tops: Scores, floor: Scores) -> Iterator[tuple[Places, Places, Scores]]:
    """Columns, rows and scores of what is above the floor, the rows of a column rising.

    Heap i is the rows i, i + heaps, i + 2·heaps …, and `tops` are their highest.
    """
    heaps, probes = tops.shape
    promising = np.flatnonzero(tops > floor)
    heap = promising // probes
    column = promising - heap * probes
    for first in range(0, _HEAP * heaps, max(heaps, 1)):
        values = scores[first : first + heaps].reshape(-1)[promising]
        hit = np.flatnonzero(values > floor[column])
        yield column[hit], first + heap[hit], values[hit]
    rest = scores[_HEAP * heaps :]
    hit = np.flatnonzero(rest > floor)
    yield hit % probes, _HEAP * heaps + hit // probes, rest.reshape(-1)[hit]


def _falling(
    hits: list[tuple[Places, Places, Scores]], probes: int, kept: int
) -> tuple[Scores, Places]:
    """Columns, places and scores, by place → the scores (b, kept), falling, and their places."""
    columns, places, scores = map(np.concatenate, zip(*hits, strict=True))
    order = np.argsort(columns.astype(np.int16), kind="stable")  # short: counted, not compared
    counts = np.bincount(columns, minlength=probes)
    width = max(kept, counts.max())
    starts = np.arange(probes) * width - (np.cumsum(counts) - counts)
    at = np.arange(len(order)) + np.repeat(starts, counts)
    falling = np.full((probes, width), np.inf, scores.dtype)
    whose = np.full((probes, width), -1)
    falling.reshape(-1)[at], whose.reshape(-1)[at] = -scores[order], places[order]
    best = np.argsort(falling, axis=1)[:, : kept + 1]
    values = np.take_along_axis(falling, best, axis=1)
    tied = np.any((values[:, 1:] == values[:, :-1]) & np.isfinite(values[:, 1:]), axis=1)
    best[tied] = np.argsort(falling[tied], axis=1, kind="stable")[:, : kept + 1]
    return -values[:, :kept], np.take_along_axis(whose, best[:, :kept], axis=1)
