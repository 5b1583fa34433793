"""Every impostor comparison of a set of photographs, streamed: a histogram and the top.

Ten million or a hundred million cosines come out of a matrix product block by block; kept are
their counts in narrow bins and the highest of them with the two subjects of each, which is all
that a calibration needs. Memory does not grow with the number of comparisons.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Bins of the histogram over [−1, 1]: 0.001 wide.
BINS = 2000

_ROWS, _COLUMNS = 1024, 4096  # of one block of cosines: 16 MB of float32
_LEFT_OUT = np.float32(-2.0)  # a cosine that no pair can have


@dataclass(frozen=True, eq=False)
class ImpostorSample:
    """The cosines of pairs of photographs (i < j) of different subjects.

    counts      (2000,) int64: how many cosines lie in each bin, from −1 to 1
    cosines     (m,) float64, falling: the m highest of them
    first, second  (m,) int64: the two subjects of each, as numbers 0 … S − 1
    images      (S,) int64: photographs of each subject
    excluded    (e, 2) int64: pairs of subjects that were not compared
    """

    counts: NDArray[np.int64]
    cosines: NDArray[np.float64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    images: NDArray[np.int64]
    excluded: NDArray[np.int64]

    @property
    def comparisons(self) -> int:
        """How many pairs of photographs were compared."""
        return int(self.counts.sum())

    @property
    def subject_pairs(self) -> int:
        """How many pairs of different subjects were compared by at least one photograph."""
        subjects = self.images.size
        return subjects * (subjects - 1) // 2 - len(self.excluded)

    def weighted_comparisons(self, weights: NDArray[np.float64]) -> float:
        """The comparisons when subject s counts weights[s] times: Σ w_i w_j n_i n_j, i < j."""
        load = weights * self.images
        left_out = (load[self.excluded[:, 0]] * load[self.excluded[:, 1]]).sum()
        return float((load.sum() ** 2 - (load**2).sum()) / 2.0 - left_out)


def impostor_sample(
    templates: NDArray[np.float32],
    subjects: NDArray[np.int64],
    excluded: Collection[tuple[int, int]] = (),
    tail_size: int = 100_000,
) -> ImpostorSample:
    """Compare all photographs of different subjects, but for excluded pairs of subjects.

    `templates` (n, d) are unit vectors, `subjects` (n,) says whose each is; `excluded` names
    pairs of those numbers (either order) that label errors make mated, or that are kin.
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
    rows_out, columns_out = _left_out(pairs, whose)
    top = _Top(tail_size)
    counts = np.zeros(BINS, dtype=np.int64)
    for row in range(0, len(templates), _ROWS):
        for column in range(row, len(templates), _COLUMNS):
            cosines = templates[row : row + _ROWS] @ templates[column : column + _COLUMNS].T
            np.clip(cosines, -1.0, 1.0, out=cosines)
            high, wide = row + cosines.shape[0], column + cosines.shape[1]
            cosines[whose[row:high, None] == whose[None, column:wide]] = _LEFT_OUT
            if column < high:  # the block touches the diagonal: each pair only once
                cosines[np.arange(row, high)[:, None] >= np.arange(column, wide)] = _LEFT_OUT
            here = (rows_out >= row) & (rows_out < high)
            here &= (columns_out >= column) & (columns_out < wide)
            cosines[rows_out[here] - row, columns_out[here] - column] = _LEFT_OUT
            counts += _histogram(cosines)
            top.add(cosines, whose[row:high], whose[column:wide])
    values, first, second = top.sorted()
    return ImpostorSample(counts, values, first, second, images.astype(np.int64), pairs)


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
