"""The templates of a generation as they were made, in memory or in their sealed file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from fr_cli.gallery.parts import Part

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Bytes of a block: what is decrypted to compare one row exactly.
BLOCK = 1 << 14


class Vectors(Protocol):
    """float32 of shape (n, dimension); an array, or what gives one: `numpy.asarray` all of it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, dimension)."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[np.float32]: ...

    def __array__(self, dtype: Any = None, /) -> NDArray[np.float32]: ...


def rows_a_block(dimension: int) -> int:
    """How many whole rows a block holds: at least one."""
    return max(1, BLOCK // (4 * max(1, dimension)))


class SealedVectors:
    """Vectors in a file, which is open: only the blocks of the rows asked for are decrypted."""

    def __init__(self, part: Part, shape: tuple[int, int]) -> None:
        self.shape = shape
        self._part = part

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[np.float32]:
        """These rows; GalleryDamaged unless their blocks are as they were written."""
        import numpy as np

        each = rows_a_block(self.shape[1])
        blocks, place = np.unique(np.asarray(rows) // each, return_inverse=True)
        out = np.empty((len(blocks) * each, self.shape[1]), "<f4")
        for number, index in enumerate(blocks.tolist()):
            last = min(each, self.shape[0] - index * each)
            here = out[number * each : number * each + last]
            self._part.block_into(index, here.data.cast("B"))
        wanted: NDArray[np.float32] = out[place * each + rows % each]
        return wanted

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.float32]:
        """All of them; GalleryDamaged unless every block is as it was written."""
        import numpy as np

        cells = self.shape[0] * self.shape[1]
        return np.frombuffer(self._part.whole(), "<f4", cells).reshape(self.shape)
