"""Keys of the gallery, and what is sealed under them.

Every subject and every generation has a key of its own. The keys lie wrapped in fixed slots of
a file that is only ever overwritten in place: destroying a slot destroys what was sealed under
its key, in the database, in its write-ahead log and in every copy that lacks the slot file.
"""

from __future__ import annotations

import os
import secrets
import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap,
    aes_key_wrap,
)

from fr_cli.errors import GalleryDamaged

SLOT = 64
_WRAPPED = 40
_NONCE = 12


class KeySlots:
    """A file of 64-byte slots: 40 bytes AES-KW (RFC 3394), 20 random, 4 of CRC-32.

    Slots are not reused, so that an old copy of the file can never open what came later. A
    destroyed slot holds random bytes, and looks like one whose wrapping key is another.
    """

    def __init__(self, path: Path, wrapping_key: bytes) -> None:
        self.path = path
        self._wrapping_key = wrapping_key

    def __len__(self) -> int:
        return self.path.stat().st_size // SLOT if self.path.exists() else 0

    def create(self, count: int) -> list[tuple[int, bytes]]:
        """Make `count` keys in new slots, on disk when this returns: [(slot, key), …]."""
        keys = [secrets.token_bytes(32) for _ in range(count)]
        return list(zip(self.keep(keys), keys, strict=True))

    def keep(self, keys: Sequence[bytes]) -> range:
        """Put keys into new slots, on disk when this returns; which slots these are."""
        handle = self._open(os.O_RDWR | os.O_CREAT)
        try:
            # A crash may have left part of a slot at the end; start behind it.
            first = -(-os.fstat(handle).st_size // SLOT)
            _write_all(handle, b"".join(map(self._slot, keys)), first * SLOT)
            os.fsync(handle)
        finally:
            os.close(handle)
        return range(first, first + len(keys))

    def read(self, slot: int) -> bytes:
        """The key in a slot; GalleryDamaged if it was destroyed or altered."""
        return self.read_many([slot])[0]

    def read_many(self, slots: Sequence[int]) -> list[bytes]:
        """The keys in many slots, in their order."""
        if not slots:
            return []
        handle = self._open(os.O_RDONLY)
        try:
            return [self._unwrap(slot, os.pread(handle, SLOT, slot * SLOT)) for slot in slots]
        finally:
            os.close(handle)

    def destroy(self, slots: Iterable[int]) -> None:
        """Overwrite slots in place with random bytes, synced: the point of no return."""
        handle = self._open(os.O_RDWR)
        try:
            for slot in slots:
                _write_all(handle, secrets.token_bytes(SLOT), slot * SLOT)
            os.fsync(handle)
        finally:
            os.close(handle)

    def _open(self, flags: int) -> int:
        try:
            return os.open(self.path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as trouble:
            raise GalleryDamaged(
                f"The key slots {self.path} cannot be opened: {trouble.strerror}."
            ) from trouble

    def _slot(self, key: bytes) -> bytes:
        body = aes_key_wrap(self._wrapping_key, key) + secrets.token_bytes(20)
        return body + struct.pack("<I", zlib.crc32(body))

    def _unwrap(self, slot: int, data: bytes) -> bytes:
        try:
            if zlib.crc32(data[:-4]) != struct.unpack("<I", data[-4:])[0]:
                raise InvalidUnwrap
            return aes_key_unwrap(self._wrapping_key, data[:_WRAPPED])
        except (InvalidUnwrap, ValueError, struct.error):
            raise GalleryDamaged(
                f"Key slot {slot} of {self.path.name} does not open: it was destroyed, damaged, "
                "or wrapped by another site key."
            ) from None


def seal(key: bytes, data: bytes, bound_to: str) -> bytes:
    """Encrypt (AES-256-GCM, random 96-bit nonce, one message a key or few) bound to a context."""
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, data, bound_to.encode())


def unseal(key: bytes, sealed: bytes, bound_to: str) -> bytes:
    """Decrypt what `seal` made; GalleryDamaged if a byte or the context differs."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound_to.encode())
    except (InvalidTag, ValueError, TypeError):
        raise GalleryDamaged(f"What is sealed as {bound_to} has been altered.") from None


def _write_all(handle: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(handle, view, offset)
        view, offset = view[written:], offset + written
