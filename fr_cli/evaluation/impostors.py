"""Every comparison of a set of photographs, streamed: all mated ones, and of the non-mated a
histogram and the top.

Ten million or a hundred million cosines come out of a matrix product block by block; of those
between different people are kept their counts in narrow bins and the highest of them with the
two subjects of each, which is all that rates and a calibration need. Memory does not grow with
the number of non-mated comparisons.

A comparison is of two photographs (fusion "best", where several references of a subject count as
their best: a search meets each of them), or of a photograph with a person (fusion "mean": the
mean over that person's other photographs).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Fusion = Literal["best", "mean"]

#: Bins of the histogram over [low, high], for cosines [−1, 1]: 0.001 wide.
BINS = 2000

_ROWS, _COLUMNS = 1024, 4096  # of one block of cosines: 16 MB of float32
_LEFT_OUT = np.float32(-2.0)  # a cosine that no pair can have


@dataclass(frozen=True, eq=False)
class ImpostorSample:
    """The scores of comparisons of different subjects (non-mated).

    counts      (2000,) int64: how many scores lie in each bin, from `low` to `high`
    cosines     (m,) float64, falling: the m highest of them
    first, second  (m,) int64: the two subjects of each, as numbers 0 … S − 1
    images      (S,) int64: photographs of each subject
    excluded    (e, 2) int64: pairs of subjects that were not compared
    low, high   the ends of the histogram; −1 and 1 for cosines
    fusion      "best": pairs of photographs (i < j); "mean": photograph against person
    listed      (p, 3) int64: where not everything was compared with everything, every pair of
                subjects that was, with the number of its comparisons; else None
    """

    counts: NDArray[np.int64]
    cosines: NDArray[np.float64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    images: NDArray[np.int64]
    excluded: NDArray[np.int64]
    low: float = -1.0
    high: float = 1.0
    fusion: Fusion = "best"
    listed: NDArray[np.int64] | None = None

    @property
    def comparisons(self) -> int:
        """How many comparisons there were."""
        return int(self.counts.sum())

    @property
    def subject_pairs(self) -> int:
        """How many pairs of different subjects were compared at least once."""
        if self.listed is not None:
            return len(self.listed)
        subjects = self.images.size
        return subjects * (subjects - 1) // 2 - len(self.excluded)

    def weighted_comparisons(self, weights: NDArray[np.float64]) -> float:
        """The comparisons when subject s counts weights[s] times: Σ w_a w_b c_ab, a < b.

        c_ab is the number of comparisons of two subjects: n_a n_b of their photographs, or
        n_a + n_b of a photograph of one with the other.
        """
        if self.listed is not None:
            a, b, count = self.listed.T
            return float((weights[a] * weights[b] * count).sum())
        a, b = self.excluded.T
        if self.fusion == "mean":
            load = weights * self.images
            left_out = weights[a] * weights[b] * (self.images[a] + self.images[b])
            return float((load * (weights.sum() - weights)).sum() - left_out.sum())
        load = weights * self.images
        left_out = load[a] * load[b]
        return float((load.sum() ** 2 - (load**2).sum()) / 2.0 - left_out.sum())


@dataclass(frozen=True, eq=False)
class MatedSample:
    """The scores of comparisons within one subject (mated), in no order.

    cosines   (m,) float64
    subjects  (m,) int64: whose each is, numbered as in the ImpostorSample beside it
    """

    cosines: NDArray[np.float64]
    subjects: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Every comparison, 1:1: what FNMR is counted on, and what FMR is counted on."""

    mated: MatedSample
    nonmated: ImpostorSample


def compare_all(
    templates: NDArray[np.float32],
    subjects: NDArray[np.int64],
    excluded: Collection[tuple[int, int]] = (),
    *,
    fusion: Fusion = "best",
    tail_size: int = 100_000,
) -> Comparisons:
    """Compare every photograph with every other, but for excluded pairs of subjects.

    `templates` (n, d) are unit vectors, `subjects` (n,) says whose each is: any numbers, which
    the result numbers anew from 0 in their order. `excluded` names pairs of those numbers
    (either order) that label errors make mated, or that are kin. With fusion "mean" a photograph
    is compared with a person: the mean cosine over all of that person's other photographs.
    Raises ValueError for shapes that do not fit, templates that are not unit vectors, fewer
    than two subjects, tail_size < 1, or an excluded pair that is not of two known subjects.
    """
    people, whose, images = np.unique(subjects, return_inverse=True, return_counts=True)
    if templates.ndim != 2 or subjects.shape != (len(templates),) or people.size < 2:
        raise ValueError("needed: templates (n, d) and subjects (n,) of at least two subjects")
    lengths = np.sqrt(np.einsum("ij,ij->i", templates, templates, dtype=np.float64))
    if not np.allclose(lengths, 1.0, atol=1e-3):  # catches NaN too
        raise ValueError("templates must be unit vectors")
    if tail_size < 1:
        raise ValueError(f"tail_size must be at least 1, not {tail_size}")
    pairs = _numbered(excluded, people)
    blocks = _by_photograph if fusion == "best" else _by_person
    top, counts = _Top(tail_size), np.zeros(BINS, dtype=np.int64)
    mated: list[tuple[NDArray[np.float32], NDArray[np.intp]]] = []
    for cosines, rows, columns, own, own_subjects in blocks(templates, whose, images, pairs):
        mated.append((own, own_subjects))
        counts += _histogram(cosines)
        top.add(cosines, rows, columns)
    values, first, second = top.sorted()
    return Comparisons(
        MatedSample(
            np.concatenate([cosines for cosines, _ in mated]).astype(np.float64),
            np.concatenate([subjects for _, subjects in mated]).astype(np.int64),
        ),
        ImpostorSample(
            counts, values, first, second, images.astype(np.int64), pairs, fusion=fusion
        ),
    )


#: A block of cosines with what is not non-mated set to _LEFT_OUT, the subjects of its rows and
#: columns; and the mated cosines taken from it, with the subject of each.
_Block = tuple[
    NDArray[np.float32],
    NDArray[np.intp],
    NDArray[np.intp],
    NDArray[np.float32],
    NDArray[np.intp],
]


def _by_photograph(
    templates: NDArray[np.float32],
    whose: NDArray[np.intp],
    images: NDArray[np.intp],
    pairs: NDArray[np.int64],
) -> Iterator[_Block]:
    """Pairs of photographs, each once."""
    rows_out, columns_out = _left_out(pairs, whose)
    for row in range(0, len(templates), _ROWS):
        for column in range(row, len(templates), _COLUMNS):
            cosines = templates[row : row + _ROWS] @ templates[column : column + _COLUMNS].T
            np.clip(cosines, -1.0, 1.0, out=cosines)
            high, wide = row + cosines.shape[0], column + cosines.shape[1]
            same = whose[row:high, None] == whose[None, column:wide]
            mine, other = np.nonzero(same)
            once = mine + row < other + column
            own = cosines[mine[once], other[once]]
            cosines[same] = _LEFT_OUT
            if column < high:  # the block touches the diagonal: each pair only once
                cosines[np.arange(row, high)[:, None] >= np.arange(column, wide)] = _LEFT_OUT
            here = (rows_out >= row) & (rows_out < high)
            here &= (columns_out >= column) & (columns_out < wide)
            cosines[rows_out[here] - row, columns_out[here] - column] = _LEFT_OUT
            yield cosines, whose[row:high], whose[column:wide], own, whose[row:high][mine[once]]


def _by_person(
    templates: NDArray[np.float32],
    whose: NDArray[np.intp],
    images: NDArray[np.intp],
    pairs: NDArray[np.int64],
) -> Iterator[_Block]:
    """Each photograph with each person; with its own subject only where that has another."""
    order = np.argsort(whose, kind="stable")
    templates, whose = templates[order], whose[order]
    starts = np.concatenate([[0], np.cumsum(images)[:-1]])
    people = np.arange(images.size)
    step = max(1, _ROWS * _COLUMNS // len(templates))
    for row in range(0, len(templates), step):
        cosines = templates[row : row + step] @ templates.T
        np.clip(cosines, -1.0, 1.0, out=cosines)
        mine = np.arange(len(cosines))
        rows = whose[row : row + step]
        itself = cosines[mine, row + mine]
        sums = np.add.reduceat(cosines, starts, axis=1)
        others = images[rows] - 1
        own = (sums[mine, rows] - itself)[others > 0] / others[others > 0]
        means = (sums / images).astype(np.float32)
        means[mine, rows] = _LEFT_OUT
        for a, b in pairs:
            means[rows == a, b] = means[rows == b, a] = _LEFT_OUT
        yield means, rows, people, own.astype(np.float32), rows[others > 0]


def _histogram(cosines: NDArray[np.float32]) -> NDArray[np.int64]:
    # What is left out (−2) lands in bin 0 of a count that starts one bin early.
    bins = ((cosines + np.float32(1.0)) * np.float32(BINS / 2) + np.float32(1.0)).astype(np.int32)
    np.clip(bins, 0, BINS, out=bins)
    return np.bincount(bins.ravel(), minlength=BINS + 1)[1:].astype(np.int64)


def _numbered(
    excluded: Collection[tuple[int, int]], people: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The excluded pairs as places in `people`, each once and the smaller first; shape (e, 2)."""
    number = {int(label): place for place, label in enumerate(people)}
    try:
        places = {(number[a], number[b]) for a, b in excluded}
    except KeyError as unknown:
        raise ValueError(f"an excluded pair names an unknown subject: {unknown}") from None
    if any(a == b for a, b in places):
        raise ValueError("an excluded pair names one subject twice")
    ordered = sorted({(min(pair), max(pair)) for pair in places})
    return np.array(ordered, dtype=np.int64).reshape(-1, 2)


def _left_out(
    pairs: NDArray[np.int64], whose: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column (row < column) of every pair of photographs that is excluded."""
    rows, columns = [np.empty(0, dtype=np.intp)], [np.empty(0, dtype=np.intp)]
    for a, b in pairs:
        one, other = np.meshgrid(np.flatnonzero(whose == a), np.flatnonzero(whose == b))
        rows.append(np.minimum(one, other).ravel())
        columns.append(np.maximum(one, other).ravel())
    return np.concatenate(rows), np.concatenate(columns)


class _Top:
    """The highest cosines so far: let grow to twice the size asked for, then cut back."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._cut = np.float32(-1.5)  # below every cosine, above what is left out
        self._values = np.empty(0, dtype=np.float32)
        self._first = np.empty(0, dtype=np.int64)
        self._second = np.empty(0, dtype=np.int64)

    def add(
        self, cosines: NDArray[np.float32], rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> None:
        row, column = np.nonzero(cosines > self._cut)
        if row.size == 0:
            return
        self._values = np.concatenate([self._values, cosines[row, column]])
        self._first = np.concatenate([self._first, rows[row]])
        self._second = np.concatenate([self._second, columns[column]])
        if self._values.size > 2 * self._size:
            self._keep(np.argpartition(self._values, -self._size)[-self._size :])
            # Ties at the cut are dropped from here on: the sample is full above it already.
            self._cut = self._values.min()

    def sorted(self) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
        self._keep(np.argsort(-self._values, kind="stable")[: self._size])
        return self._values.astype(np.float64), self._first, self._second

    def _keep(self, places: NDArray[np.intp]) -> None:
        self._values = self._values[places]
        self._first = self._first[places]
        self._second = self._second[places]
