"""Probe → nearest rows: one protocol, several engines.

An engine only shortlists; every score is then the exact cosine of the stored template, so the
choice of engine can lose a candidate but never change a score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fr_cli.gallery.approximate import Annoy
from fr_cli.gallery.exact import Exact
from fr_cli.gallery.generation import Packed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Up to here no generation has an index, and every template is scanned: more than anybody has, for
#: no size was found at which Annoy pays. To miss no more than one mate in a thousand it looks at a
#: third of a million templates, which takes longer than to scan a byte of each number of them all,
#: misses some, and costs minutes of each purge (tests/benchmarks/engines.py;
#: docs/explanation/cost.md, "Annoy and other indices").
EXACT_UP_TO = 100_000_000


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


def engine_for(packed: Packed, wanted: str = "auto") -> Engine:
    """The engine that is wanted, or under `auto` the index where the generation has one."""
    if packed.annoy and wanted != "exact":
        return Annoy(packed)
    return Exact(packed)
