"""The approximate engine: an Annoy index, with a search effort that was found on its own templates.

What it saves and what it costs beside a scan is measured by tests/benchmarks/engines.py, and said
in docs/explanation/cost.md.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from fr_cli.gallery.exact import Exact
from fr_cli.gallery.generation import Packed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Twice as many cost twice the build, and at the effort that is needed they find no more: it counts
#: how many rows are looked at (search_k), more than from how many trees.
TREES = 25
#: Share of mates that must be on the shortlist when they are as unlike as STRANGERS says.
RECALL_TARGET = 0.99
#: The hard case is a mate no more alike than the nearest stranger of one person in so many: a
#: cosine that no threshold in use lies below, whatever the model and the size of the gallery. Not
#: rarer, for people who are enrolled twice look like strangers that are very alike.
STRANGERS = 10
#: Templates that the effort is tried on, and subjects that are asked for, as a search does.
PROBES, COUNT = 1000, 50
#: Rows that are compared at once while the hard case is looked for.
_AT_ONCE = 1 << 14

#: Loaded once for as long as a generation is in memory: copying the index costs more than asking.
_loaded: WeakKeyDictionary[Packed, Any] = WeakKeyDictionary()


class Annoy:
    """Asks an Annoy index, loaded from memory only: its file would hold templates in clear."""

    name = "annoy"

    def __init__(self, packed: Packed) -> None:
        """`packed` has an index. What it holds is not looked at: Annoy loads any bytes.

        It takes a truncated or altered file without an error and may crash later; these bytes
        have passed authenticated decryption under the key of a generation that is signed.
        """
        if packed not in _loaded:
            _loaded[packed] = load_annoy(packed.annoy, packed.vectors.shape[1])
        self._index, self._packed = _loaded[packed], packed

    def nearest(
        self, probe: NDArray[np.float32], count: int, allowed: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """A shortlist of at least `count` subjects, where there are so many.

        A filter is answered exactly, because Annoy cannot filter.
        """
        import numpy as np

        packed = self._packed
        if allowed is not None:
            return Exact(packed).nearest(probe, count, allowed)
        wanted = _rows_for(count)
        while True:
            found = self._index.get_nns_by_vector(probe, wanted, packed.search_k)
            rows = np.asarray(found, np.int64)
            people = len(set(packed.subjects[rows].tolist()))
            if people >= count or wanted >= len(packed.subjects):
                return rows
            # Several references of the same few subjects filled the list: ask for more.
            wanted *= 4


def with_index(packed: Packed) -> Packed:
    """Add an Annoy index whose search effort reaches the recall target on these templates.

    Takes 50 µs of one core a template, at a million, and more for the effort; the same templates
    give the same index.
    """
    import annoy
    import numpy as np

    vectors = np.asarray(packed.vectors)
    index = annoy.AnnoyIndex(vectors.shape[1], "angular")
    index.set_seed(1)
    for row, vector in enumerate(vectors):
        index.add_item(row, vector)
    # One job and a fixed seed: the same templates give the same index, byte for byte.
    index.build(TREES, n_jobs=1)
    probes, mates = hard_case(vectors, packed.subjects)
    wanted = _rows_for(COUNT)
    effort = TREES * wanted  # Annoy's own, where nothing is said
    while effort < TREES * len(vectors):
        missed, few = 0, int((1 - RECALL_TARGET) * len(probes))
        for probe, mate in zip(probes, mates.tolist(), strict=True):
            missed += mate not in index.get_nns_by_vector(probe, wanted, effort)
            if missed > few:
                break
        if missed <= few:
            break
        effort += effort // 2
    handle = os.memfd_create("fr-annoy", os.MFD_CLOEXEC)
    try:
        index.save(f"/proc/self/fd/{handle}")
        # Not os.pread: one call returns at most 2 GiB, and Annoy would load the rest as it is.
        data = Path(f"/proc/self/fd/{handle}").read_bytes()
    finally:
        os.close(handle)
    return replace(packed, annoy=data, search_k=effort)


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


def hard_case(
    vectors: NDArray[np.float32], subjects: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Probes (m, dimension) that are hard to find, at most PROBES, and their mates' rows (m,).

    A probe is a template moved away until the cosine is that of the nearest stranger of one
    person in STRANGERS. `vectors` are unit vectors (n, dimension), `subjects` whose they are. The
    direction is any: the differences between photos of one person have none that is preferred
    (of their variance half lies in the half of the space where people differ most; LFW, SFace).
    """
    import numpy as np

    random = np.random.default_rng(1)
    mates = random.choice(len(vectors), size=min(PROBES, len(vectors)), replace=False)
    base = vectors[mates]
    nearest = np.full(len(mates), -1, np.float32)
    for first in range(0, len(vectors), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        cosines = vectors[some] @ base.T
        cosines[subjects[some, None] == subjects[mates]] = -1
        np.maximum(nearest, cosines.max(axis=0), out=nearest)
    cosine = np.clip(np.quantile(nearest, 1 - 1 / STRANGERS), 0, 1)
    noise = random.standard_normal(base.shape, np.float32)
    noise -= np.sum(noise * base, axis=1, keepdims=True) * base
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    moved = cosine * base + np.sqrt(1 - cosine**2) * noise
    return np.asarray(moved, np.float32), np.asarray(mates, np.int64)


def _rows_for(count: int) -> int:
    """Rows asked for to have `count` subjects among them, as long as few have many references."""
    return 4 * count + 16
