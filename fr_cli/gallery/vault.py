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
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
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
#: Bytes of a wrapped key, at the beginning of a slot.
WRAPPED = 40
_NONCE = 12


class KeySlots:
    """A file of 64-byte slots: 40 bytes AES-KW (RFC 3394), 20 random, 4 of CRC-32.

    Slots are not reused, so that an old copy of the file can never open what came later. A
    destroyed slot holds random bytes.
    """

    def __init__(self, path: Path, wrapping: bytes | Callable[[], Sequence[bytes]]) -> None:
        """`wrapping` is the key that wraps, or tells which keys open a slot now, the newest first.

        It is asked again when a slot does not open: the keys may have been exchanged since.
        """
        self.path = path
        self._look = wrapping if callable(wrapping) else lambda: (wrapping,)
        self._keys: Sequence[bytes] = ()

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
            self._keys = self._look()
            self._refuse_mixture(handle, first)
            slots = b"".join(slot_of(key, self._keys[0]) for key in keys)
            _write_all(handle, slots, first * SLOT)
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
        if self._keys:
            with suppress(GalleryDamaged):
                return self._read(slots)
        self._keys = self._look()
        return self._read(slots)

    def _read(self, slots: Sequence[int]) -> list[bytes]:
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
                _write_all(handle, noise(), slot * SLOT)
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

    def _refuse_mixture(self, handle: int, count: int) -> None:
        """GalleryDamaged if the last slot that is whole is under another key.

        What is put beside it would be lost when that key is back.
        """
        for slot in reversed(range(count)):
            data = os.pread(handle, SLOT, slot * SLOT)
            if is_whole(data):
                self._unwrap(slot, data)
                return

    def _unwrap(self, slot: int, data: bytes) -> bytes:
        for key in self._keys if is_whole(data) else ():
            with suppress(InvalidUnwrap, ValueError):
                return aes_key_unwrap(key, data[:WRAPPED])
        raise GalleryDamaged(
            f"Key slot {slot} of {self.path.name} does not open: it was destroyed, damaged, "
            "or wrapped by another site key."
        )


def slot_of(key: bytes, wrapping: bytes) -> bytes:
    """A slot that holds a key, wrapped."""
    body = aes_key_wrap(wrapping, key) + secrets.token_bytes(20)
    return body + struct.pack("<I", zlib.crc32(body))


def noise() -> bytes:
    """What a destroyed slot holds."""
    while is_whole(data := secrets.token_bytes(SLOT)):
        pass
    return data


def is_whole(slot: bytes) -> bool:
    """Whether a slot is as it was written, under whatever key; a destroyed one is not."""
    return len(slot) == SLOT and zlib.crc32(slot[:-4]) == struct.unpack("<I", slot[-4:])[0]


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
