"""Probe → nearest rows: one protocol, several engines.

An engine only shortlists; every score is then the exact cosine of the stored template, so the
choice of engine can lose a candidate but never change a score.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fr_cli.gallery.exact import Exact
from fr_cli.gallery.generation import Packed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Up to here an exact scan is used, which never misses. In a process that asks once, opening an
#: index costs more than the scan that it saves, at any size: at 150,000 of 128 dimensions 560 CPU
#: ms with it and 148 without (tests/benchmarks/opening.py). It may pay beyond this, where somebody
#: asks many times.
EXACT_UP_TO = 2_000_000
#: Share of true nearest neighbours that the approximate index must find on the gallery's own
#: templates, moved to a cosine of 0.6: the hard case near the threshold.
RECALL_TARGET = 0.999
TREES = 50


class Engine(Protocol):
    """Finds the rows of a generation that are most like a probe."""

    name: str

    def nearest(
        self, probe: NDArray[np.float32], count: int, allowed: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """Rows to compare exactly, in any order: the best of the `count` most alike subjects.

        More rows may be among them. `probe` is a unit vector of shape (dimension,), `allowed` a
        mask of shape (n,).
        """


class Annoy:
    """Asks an Annoy index, loaded from memory only: its file would hold templates in clear."""

    name = "annoy"

    def __init__(self, packed: Packed) -> None:
        # Annoy loads a truncated or altered file without an error and may crash later; these
        # bytes have passed authenticated decryption and the hash of a signed manifest.
        self._index = load_annoy(packed.annoy, packed.vectors.shape[1])
        self._search_k = packed.search_k
        self._subjects = packed.subjects
        self._exact = Exact(packed)

    def nearest(
        self, probe: NDArray[np.float32], count: int, allowed: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """A shortlist; a filter is answered exactly, because Annoy cannot filter."""
        import numpy as np

        if allowed is not None:
            return self._exact.nearest(probe, count, allowed)
        wanted = 4 * count + 16
        while True:
            found = self._index.get_nns_by_vector(probe, wanted, self._search_k)
            rows = np.asarray(found, np.int64)
            if len(set(self._subjects[rows].tolist())) >= count or wanted >= len(self._subjects):
                return rows
            # Several references of the same few subjects filled the list: ask for more.
            wanted *= 4


def engine_for(packed: Packed, wanted: str = "auto") -> Engine:
    """The engine that is wanted, or under `auto` the index where the generation has one."""
    if packed.annoy and wanted != "exact":
        return Annoy(packed)
    return Exact(packed)


def with_index(packed: Packed) -> Packed:
    """Add an Annoy index whose search effort reaches the recall target on these templates."""
    import annoy
    import numpy as np

    dimension = packed.vectors.shape[1]
    index = annoy.AnnoyIndex(dimension, "angular")
    index.set_seed(1)
    vectors = np.asarray(packed.vectors)
    for row, vector in enumerate(vectors):
        index.add_item(row, vector)
    # One job and a fixed seed: the same templates give the same index, byte for byte.
    index.build(TREES, n_jobs=1)
    search_k = _effort(index, vectors)
    handle = os.memfd_create("fr-annoy", os.MFD_CLOEXEC)
    try:
        index.save(f"/proc/self/fd/{handle}")
        # Not os.pread: one call returns at most 2 GiB, and Annoy would load the rest as it is.
        data = Path(f"/proc/self/fd/{handle}").read_bytes()
    finally:
        os.close(handle)
    return Packed(packed.pks, packed.subjects, vectors, data, search_k, packed.codes)


def load_annoy(data: bytes, dimension: int) -> Any:
    """An index from bytes, through a file that exists only in memory."""
    import annoy

    handle = os.memfd_create("fr-annoy", os.MFD_CLOEXEC)
    try:
        with os.fdopen(handle, "wb", closefd=False) as file:
            file.write(data)
        index = annoy.AnnoyIndex(dimension, "angular")
        index.load(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)  # the index keeps its own mapping of the memory
    return index


def _effort(index: Any, vectors: NDArray[np.float32], probes: int = 200) -> int:
    """The smallest doubling of search_k that reaches the recall target; at most every row."""
    import numpy as np

    count, dimension = vectors.shape
    random = np.random.default_rng(1)
    truth = random.choice(count, size=min(probes, count), replace=False)
    noise = random.standard_normal((len(truth), dimension)).astype(np.float32)
    base = vectors[truth]
    noise -= np.sum(noise * base, axis=1, keepdims=True) * base
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    moved = np.float32(0.6) * base + np.float32(0.8) * noise
    best = np.argmax(vectors @ moved.T, axis=0)
    effort = 1000
    while effort < count * TREES:
        found = [index.get_nns_by_vector(probe, 1, effort)[:1] for probe in moved]
        hits = sum(bool(rows) and rows[0] == row for rows, row in zip(found, best, strict=True))
        if hits >= RECALL_TARGET * len(truth):
            break
        effort *= 2
    return effort
