"""Templates in a quarter of the room: what a search scans, with a bound on what it gets wrong.

A row v is kept as s·c, c int8 with the largest component at ±127, and e = ‖v − s·c‖. So for two
unit vectors v ≈ s·c and q ≈ t·b

    v·q − s·t·(c·b) = v·(q − t·b) + (v − s·c)·t·b

and by Cauchy and Schwarz |v·q − s·t·(c·b)| ≤ ‖q − t·b‖ + e·‖t·b‖, where c·b is an exact integer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Rows that are rounded at once: double precision needs eight bytes a component for a while.
_AT_ONCE = 1 << 14


@dataclass(frozen=True, eq=False)
class Codes:
    """Row i is values[i]·scales[i], with an error of at most errors[i] in length.

    `values` is int8 of shape (n, dimension), within ±127; `scales` and `errors` are float32 (n,).
    """

    values: NDArray[np.int8]
    scales: NDArray[np.float32]
    errors: NDArray[np.float32]

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> Codes:
        """The codes of rows (n, dimension), finite; each row depends on its vector alone."""
        import numpy as np

        count = len(vectors)
        made = cls(np.empty(vectors.shape, np.int8), np.ones(count, np.float32),
                   np.zeros(count, np.float32))  # fmt: skip
        for first in range(0, count, _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            exact = vectors[some].astype(np.float64)
            largest = np.abs(exact).max(axis=1, initial=0.0)
            made.scales[some] = np.where(largest > 0, largest / 127, 1)
            scales = made.scales[some].astype(np.float64)[:, None]
            rounded = np.clip(np.rint(exact / scales), -127, 127)
            made.values[some] = rounded
            wrong = np.linalg.norm(exact - scales * rounded, axis=1).astype(np.float32)
            made.errors[some] = np.nextafter(wrong, np.float32(np.inf))
        return made

    def wipe(self) -> None:
        """Overwrite them: memory that is freed is not emptied."""
        for one in (self.values, self.scales, self.errors):
            one.fill(0)
