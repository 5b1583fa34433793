"""A backup of a gallery: one file under a key of its own, which lies elsewhere and expires.

    fr gallery backup
    {"expires":…,"id":…,"made":…,"origin":…,"schema":"fr/backup/1"}
    chunks of 1 MiB, AES-256-GCM

The first two lines are in clear, and the key of the chunks is derived (HKDF, RFC 5869) from the
backup's key and them: change a letter, and nothing opens. The nonce of a chunk is its number and
whether it is the last (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015),
so no chunk can be left out, moved or added, and half a file is none.

Sealed are: a line of JSON about what follows, the key of each subject, and the database. The
generations are not in it, for they can be built. The keys of the home are not either.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import struct
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import rfc8785
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from fr_cli.disk import sync_folder
from fr_cli.errors import ConfigurationError, GalleryDamaged

MAGIC = b"fr gallery backup\n"
SCHEMA, KEY_SCHEMA = "fr/backup/1", "fr/backup-key/1"
CHUNK = 1 << 20
_TAG = 16
_LONGEST_HEADER = 10_000
_HINT = "Use another backup, or another copy of this one."


@dataclass(frozen=True)
class Header:
    """What a backup says of itself: a random id, the log's origin, times (UTC, ISO 8601)."""

    id: str
    origin: str
    made: str
    expires: str

    def line(self) -> bytes:
        """Canonical JSON and a newline."""
        return rfc8785.dumps({"schema": SCHEMA, **asdict(self)}) + b"\n"


@dataclass(frozen=True)
class BackupKey:
    """The 256-bit key of one backup, and where it lies."""

    header: Header
    secret: bytes
    path: Path

    @classmethod
    def create(cls, header: Header, path: Path) -> BackupKey:
        """Make a key and write it to a new file of mode 0600, durable."""
        key = cls(header, secrets.token_bytes(32), path)
        said = {"schema": KEY_SCHEMA, **asdict(header), "key": key.secret.hex()}
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _write_new(path, [rfc8785.dumps(said) + b"\n"])
        except OSError as trouble:
            raise ConfigurationError(
                f"The key of the backup {path} cannot be written: {trouble.strerror}.",
                hint="Choose a new file for --key, on another disk than the backup.",
            ) from trouble
        return key

    @classmethod
    def load(cls, path: Path) -> BackupKey:
        """Read the key of a backup; ConfigurationError if it is none."""
        try:
            said = json.loads(path.read_bytes())
            if said.pop("schema") != KEY_SCHEMA:
                raise ValueError
            secret = bytes.fromhex(said.pop("key"))
            header = Header(**{name: str(value) for name, value in said.items()})
        except OSError as trouble:
            raise ConfigurationError(
                f"The key of the backup {path} cannot be read: {trouble.strerror}.",
                hint="Name the file of the key with --key.",
            ) from trouble
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ConfigurationError(f"{path} is not the key of a backup.") from None
        if len(secret) != 32:
            raise ConfigurationError(f"{path} is not the key of a backup.")
        return cls(header, secret, path)

    def chunks(self, header: Header) -> AESGCM:
        """The cipher of the chunks behind this header."""
        info = MAGIC + header.line()
        return AESGCM(HKDFExpand(hashes.SHA256(), 32, info).derive(self.secret))

    def destroy(self) -> None:
        """Overwrite the file in place, sync, and remove it; ConfigurationError if it cannot be."""
        try:
            try:
                with self.path.open("r+b") as file:
                    file.write(secrets.token_bytes(os.fstat(file.fileno()).st_size))
                    file.flush()
                    os.fsync(file.fileno())
            finally:
                self.path.unlink(missing_ok=True)
            sync_folder(self.path.parent)
        except FileNotFoundError:
            return  # another command was quicker
        except OSError as trouble:
            raise ConfigurationError(
                f"The key {self.path} cannot be destroyed: {trouble.strerror}.",
                hint="Remove it by hand; its old bytes may be left on the disk.",
            ) from trouble


def write(path: Path, key: BackupKey, content: Iterable[bytes]) -> int:
    """Write a backup to a new file, durable under its name when it is whole; returns its bytes.

    ConfigurationError if it cannot be written, for example on a full disk; then nothing is left.
    """
    draft = path.with_name(f".{path.name}.new")
    try:
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        try:
            draft.unlink(missing_ok=True)  # of a run that was killed
            size = _write_new(draft, _sealed(key, content))
            draft.rename(path)
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as trouble:
        raise ConfigurationError(
            f"The backup {path} cannot be written: {trouble.strerror}.",
            hint="Choose a new file on a disk with room for it.",
        ) from trouble
    return size


def _write_new(path: Path, pieces: Iterable[bytes]) -> int:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        try:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        size = file.tell()
    sync_folder(path.parent)
    return size


def _sealed(key: BackupKey, content: Iterable[bytes]) -> Iterator[bytes]:
    yield MAGIC + key.header.line()
    cipher, waiting, number = key.chunks(key.header), bytearray(), 0
    for piece in content:
        waiting += piece
        while len(waiting) > CHUNK:
            yield cipher.encrypt(_nonce(number, last=False), bytes(waiting[:CHUNK]), None)
            del waiting[:CHUNK]
            number += 1
    yield cipher.encrypt(_nonce(number, last=True), bytes(waiting), None)


def read_header(file: BinaryIO) -> Header:
    """What the backup says of itself; nothing of it is proven before a chunk opens."""
    if file.readline(len(MAGIC)) != MAGIC:
        raise GalleryDamaged("This is not a backup of a gallery.", hint=_HINT)
    line = file.readline(_LONGEST_HEADER)
    try:
        said = json.loads(line)
        if said.pop("schema") != SCHEMA:
            raise ValueError
        header = Header(**{name: str(value) for name, value in said.items()})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise GalleryDamaged("The header of this backup cannot be read.", hint=_HINT) from None
    if header.line() != line:
        raise GalleryDamaged("The header of this backup was altered.", hint=_HINT)
    return header


def content(file: BinaryIO, header: Header, key: BackupKey) -> Iterator[bytes]:
    """What is sealed behind the header, chunk by chunk, each as it was written.

    GalleryDamaged at the first that is not, or that is missing: believe nothing before the end.
    """
    cipher, step = key.chunks(header), CHUNK + _TAG
    number, chunk = 0, file.read(step)
    while True:
        following = file.read(step)
        try:
            yield cipher.decrypt(_nonce(number, last=not following), chunk, None)
        except InvalidTag:
            raise GalleryDamaged(
                "This backup was altered or cut short, or the key is of another one.", hint=_HINT
            ) from None
        if not following:
            return
        number, chunk = number + 1, following


def _nonce(number: int, *, last: bool) -> bytes:
    return struct.pack(">IQ", last, number)
