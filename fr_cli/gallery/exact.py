"""The exact engine: every template is looked at, and none that could be a candidate is missed.

It reads int8 codes, a quarter of the bytes of the templates. What a code gets wrong is bounded
(gallery/codes.py), so those rows are known that may be among the most alike: they are few, and
only they are compared exactly, by whoever asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fr_cli.gallery.codes import Codes
from fr_cli.gallery.generation import Packed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Rows of the first step and of the longest. The first are all remembered, so they had better be
#: few; each step is twice as long, until its numbers would not stay in the processor's cache.
_FIRST, _LONGEST = 1 << 10, 1 << 16
#: More than float32 gets wrong in a cosine of codes and in its bounds.
_ROUNDING = 1e-6


class Exact:
    """Scans every template."""

    name = "exact"

    def __init__(self, packed: Packed) -> None:
        import numpy as np

        self._codes = packed.codes or Codes.of(np.asarray(packed.vectors))
        self._subjects = packed.subjects

    def nearest(
        self, probe: NDArray[np.float32], count: int, allowed: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """Every row that may be the best of one of the `count` most alike subjects."""
        import numpy as np
        import simsimd

        codes, asked = self._codes, Codes.of(probe[None])
        scale = asked.scales[0]
        length = np.float32(scale * np.linalg.norm(asked.values.astype(np.float64)))
        rows, lower, upper = np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.float32)
        floor = np.float32(-np.inf)
        first, step = 0, _FIRST
        while first < len(codes.values):
            some = slice(first, first + step)
            # Never with `out`: in simsimd 6.5.16 each such call takes a reference to None away,
            # and after some thousand Python 3.11 ends without a word.
            made = simsimd.cdist(codes.values[some], asked.values, "dot", out_dtype="float32")
            near = np.asarray(made)[:, 0]
            near *= codes.scales[some]
            near *= scale
            wrong = codes.errors[some] * length
            wrong += asked.errors[0] + np.float32(_ROUNDING)
            reach = near + wrong >= floor
            if allowed is not None:
                reach &= allowed[some]
            new = np.flatnonzero(reach)
            rows = np.concatenate([rows, new + first])
            lower = np.concatenate([lower, near[new] - wrong[new]])
            upper = np.concatenate([upper, near[new] + wrong[new]])
            floor = self._floor(rows, lower, count)
            still = upper >= floor
            rows, lower, upper = rows[still], lower[still], upper[still]
            first, step = first + step, min(2 * step, _LONGEST)
        return rows

    def _floor(self, rows: NDArray[np.int64], lower: NDArray[np.float32], count: int) -> np.float32:
        """What `count` subjects are sure to reach, each with its best row; else −∞."""
        import numpy as np

        falling = np.argsort(-lower)
        _, best = np.unique(self._subjects[rows[falling]], return_index=True)
        if len(best) < count:
            return np.float32(-np.inf)
        return np.float32(lower[falling[np.partition(best, count - 1)[count - 1]]])
