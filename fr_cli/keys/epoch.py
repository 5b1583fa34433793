"""The key under which a home's key slots are wrapped, exchanged after each purge: `epoch.key`.

The file has two places, and one of them is in force. A new state is written to the other one and
synced, then the old one is overwritten and synced: at every moment a whole state is there, and no
file is ever replaced, so no old state is left in freed blocks by the file system's doing. A state
lies under the site key, or under two of them while that is being exchanged.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from fr_cli.disk import sync_folder
from fr_cli.errors import GalleryDamaged
from fr_cli.keys.files import write_private

EPOCH_KEY = "epoch.key"
#: The first one, until it is there as a whole.
EPOCH_DRAFT = "epoch.key.new"
#: Where the two places begin: in blocks of their own, each within one sector.
_PLACES = (0, 4096)
_PAYLOAD = struct.Struct("<Q32s32s")
_WRAPPED = _PAYLOAD.size + 8
_COUNTER = struct.Struct("<Q")
_BODY = _COUNTER.size + 2 * _WRAPPED
_PLACE = _BODY + 32
_NONE = bytes(32)


@dataclass(frozen=True)
class Epoch:
    """The key that wraps slots; and the one before, while slots may still be under that."""

    number: int
    key: bytes
    before: bytes | None = None

    def next(self) -> Epoch:
        """The epoch after this one."""
        return Epoch(self.number + 1, secrets.token_bytes(32), self.key)

    def alone(self) -> Epoch:
        """The same, when no slot is under the key before any more."""
        return Epoch(self.number, self.key)

    @property
    def keys(self) -> tuple[bytes, ...]:
        """What may open a slot, the newest first."""
        return (self.key,) if self.before is None else (self.key, self.before)


def read_epoch(folder: Path, opener: bytes) -> Epoch | None:
    """The epoch in force, opened by a key of the site key; None for a home that never had one.

    GalleryDamaged if the file is damaged, or of another site key.
    """
    path = folder / EPOCH_KEY
    for _ in range(20):
        try:
            found = _newest(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as trouble:
            raise GalleryDamaged(f"{path} cannot be read: {trouble.strerror}.") from trouble
        if found is not None:
            return _opened(path, found[1], opener)
        time.sleep(0.01)  # it was read while it was written
    raise GalleryDamaged(
        f"{path} is damaged: neither of its two places is whole.",
        hint="Restore keys/ as a whole from its backup.",
    )


def write_epoch(folder: Path, epoch: Epoch, *openers: bytes) -> None:
    """Put an epoch in force, durable, under one or two keys; the state before it is destroyed.

    OSError if it cannot be; then the state before it or this one is in force. Only one process
    at a time may do so.
    """
    path = folder / EPOCH_KEY
    payload = _PAYLOAD.pack(epoch.number, epoch.key, epoch.before or _NONE)
    wrapped = [aes_key_wrap(opener, payload) for opener in openers]
    wrapped += [secrets.token_bytes(_WRAPPED)] * (2 - len(wrapped))
    if not path.exists():
        _begin(path, b"".join(wrapped))
        return
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        found = _newest(os.pread(handle, _PLACES[-1] + _PLACE, 0))
        place, counter = (found[0], _COUNTER.unpack(found[1][:8])[0]) if found else (1, 0)
        _put(handle, 1 - place, _whole(counter + 1, b"".join(wrapped)))
        _put(handle, place, secrets.token_bytes(_PLACE))
    finally:
        os.close(handle)


def _begin(path: Path, wrapped: bytes) -> None:
    draft = path.with_name(EPOCH_DRAFT)
    draft.unlink(missing_ok=True)
    first = _whole(1, wrapped)
    write_private(draft, first + secrets.token_bytes(_PLACES[-1] + _PLACE - len(first)))
    draft.replace(path)
    sync_folder(path.parent)


def _put(handle: int, place: int, data: bytes) -> None:
    if os.pwrite(handle, data, _PLACES[place]) != len(data):
        raise OSError("a short write")  # of one sector that is there already: it does not happen
    os.fsync(handle)


def _whole(counter: int, wrapped: bytes) -> bytes:
    body = _COUNTER.pack(counter) + wrapped
    return body + hashlib.sha256(body).digest()


def _newest(data: bytes) -> tuple[int, bytes] | None:
    """The place that is in force and its body; None if neither is whole."""
    found = []
    for place, start in enumerate(_PLACES):
        body, digest = data[start : start + _BODY], data[start + _BODY : start + _PLACE]
        if len(digest) == 32 and hashlib.sha256(body).digest() == digest:
            found.append((_COUNTER.unpack(body[:8])[0], place, body))
    return max(found)[1:] if found else None


def _opened(path: Path, body: bytes, opener: bytes) -> Epoch:
    for start in (_COUNTER.size, _COUNTER.size + _WRAPPED):
        try:
            payload = aes_key_unwrap(opener, body[start : start + _WRAPPED])
        except InvalidUnwrap:
            continue
        number, key, before = _PAYLOAD.unpack(payload)
        return Epoch(number, key, None if before == _NONE else before)
    raise GalleryDamaged(
        f"{path} is not under this site key.",
        hint="Restore keys/ as a whole from its backup: its files belong together.",
    )
