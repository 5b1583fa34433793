"""A part of a generation: a file of sealed blocks, each of which is opened alone.

Block i of m is AES-256-GCM under the generation's key. Its nonce is the first four letters of the
part's name and i; it is bound to "<generation>/<part>/i/m". A generation has a key of its own and
writes each of its parts once, so no nonce is used twice. A block that was altered, moved or taken
from elsewhere does not open, and a file of another length is not read at all.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fr_cli.errors import GalleryDamaged

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Bytes of a block of what is only read as a whole.
CHUNK = 1 << 20
_TAG = 16


class Part:
    """`size` bytes in blocks of `block`, the last one shorter; `name` is "<generation>/<part>"."""

    def __init__(self, key: bytes, name: str, size: int, block: int = CHUNK) -> None:
        self._handle = -1
        self._room = bytearray()
        self._cipher, self._name, self._size, self._block = AESGCM(key), name, size, block
        self._total = -(-size // block)

    def seal(self, data: memoryview) -> Iterator[bytes]:
        """What stands in the file, block by block; `data` has `size` bytes."""
        for index in range(self._total):
            clear = data[index * self._block : (index + 1) * self._block]
            yield self._cipher.encrypt(self._nonce(index), clear, self._bound(index))

    def open(self, path: Path) -> Part:
        """Open the file for reading; GalleryDamaged if it is not there or of another length."""
        try:
            self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            length = os.fstat(self._handle).st_size
            self._room = bytearray(min(self._block, self._size) + _TAG)
        except OSError as trouble:
            raise unreadable(path.name, trouble) from trouble
        if length != self._size + self._total * _TAG:
            raise GalleryDamaged(f"{path.name} does not have the length that its manifest says.")
        return self

    def whole(self) -> NDArray[np.uint8]:
        """All of it."""
        import numpy as np

        # Not a bytearray: to have it filled with zeros takes longer than the decryption.
        out = np.empty(self._size, np.uint8)
        for index in range(self._total):
            self.block_into(index, out[index * self._block : (index + 1) * self._block].data)
        return out

    def block_into(self, index: int, out: memoryview) -> None:
        """One block, into memory of just its length; GalleryDamaged unless it is as written."""
        size = min(self._block, self._size - index * self._block)
        try:
            sealed = memoryview(self._room)[: size + _TAG]
            length = os.preadv(self._handle, [sealed], index * (self._block + _TAG))
            self._cipher.decrypt_into(self._nonce(index), sealed[:length], self._bound(index), out)
        except OSError as trouble:
            raise unreadable(f"Generation file {self._name}", trouble) from trouble
        except (InvalidTag, ValueError):
            raise GalleryDamaged(f"Generation file {self._name} has been altered.") from None

    def _nonce(self, index: int) -> bytes:
        return self._name.rpartition("/")[2][:4].encode() + struct.pack(">Q", index)

    def _bound(self, index: int) -> bytes:
        return f"{self._name}/{index}/{self._total}".encode()

    def __del__(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)


def unreadable(name: str, trouble: OSError) -> GalleryDamaged:
    """What is said of a file that the system does not give."""
    return GalleryDamaged(f"{name} cannot be read: {trouble.strerror}.")
