"""A generation: all templates of one moment, packed and encrypted in one file for searching.

Derived from the store and never patched: a change makes the next generation beside it, and one
commit of the database makes it the current one. Its key lies in the slot of its number; when
that slot is destroyed, the file and every copy of it are noise.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import rfc8785
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fr_cli.disk import sync_folder
from fr_cli.errors import GalleryDamaged
from fr_cli.gallery.vault import KeySlots
from fr_cli.gallery.warm import wait_for_others
from fr_cli.keys import SigningKey

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK = 1 << 20
_TAG = 16


@dataclass(frozen=True, eq=False)
class Packed:
    """Templates in search order: row i is reference `pks[i]` of subject `subjects[i]`.

    `pks` and `subjects` are int64 of shape (n,), `vectors` float32 of shape (n, dimension);
    `annoy` is the approximate index over the same rows, empty where there is none.
    """

    pks: NDArray[np.int64]
    subjects: NDArray[np.int64]
    vectors: NDArray[np.float32]
    annoy: bytes = b""
    search_k: int = 0

    @classmethod
    def empty(cls) -> Packed:
        """No rows."""
        import numpy as np

        none = np.empty(0, np.int64)
        return cls(none, none, np.empty((0, 0), np.float32))

    def keep(self, mask: NDArray[np.bool_]) -> Packed:
        """The rows of the mask, without an index."""
        return Packed(self.pks[mask], self.subjects[mask], self.vectors[mask])


class Generations:
    """The folder of generations of one gallery."""

    def __init__(self, folder: Path, slots: KeySlots, signer: SigningKey) -> None:
        self.folder = folder
        self._slots = slots
        self._signer = signer

    def write(self, packed: Packed, fingerprint: str) -> int:
        """Write the next generation, synced; returns its number. Not yet the current one."""
        ((number, key),) = self._slots.create(1)
        parts = {"templates": b"".join(_pack(packed)), "annoy": packed.annoy}
        digests = {}
        for name, data in parts.items():
            sealed = b"".join(_seal_chunks(key, data, f"{number}/{name}"))
            self._put(f"{number:06d}.{name}", sealed)
            digests[name] = hashlib.sha256(sealed).hexdigest()
        manifest: dict[str, Any] = {
            "schema": "fr/generation/1",
            "generation": number,
            "fingerprint": fingerprint,
            "rows": len(packed.pks),
            "dimension": packed.vectors.shape[1],
            "search_k": packed.search_k,
            "sha256": digests,
        }
        body = rfc8785.dumps(manifest)
        self._put(f"{number:06d}.json", body + b"\n" + self._signer.sign(body).hex().encode())
        sync_folder(self.folder)
        return number

    def read(self, number: int, fingerprint: str) -> Packed:
        """Decrypt a generation into memory; GalleryDamaged unless every byte is as written.

        Number 0 is the empty generation of a new gallery.
        """
        if number == 0:
            return Packed.empty()
        manifest = self._manifest(number)
        if (manifest["generation"], manifest["fingerprint"]) != (number, fingerprint):
            raise GalleryDamaged(f"Generation {number} is not the one that its name says.")
        key = self._slots.read(number)
        parts = {name: self._part(number, name, manifest, key) for name in ("templates", "annoy")}
        return _unpack(parts["templates"], parts["annoy"], manifest)

    def destroy(self, number: int) -> None:
        """Destroy a generation's key, then its files; returns when nobody has it in memory.

        GalleryLocked if a running service keeps it there.
        """
        if 0 < number < len(self._slots):
            self._slots.destroy([number])
        with contextlib.ExitStack() as stack:
            manifest = -1
            with contextlib.suppress(FileNotFoundError):
                manifest = os.open(self.manifest_path(number), os.O_RDONLY | os.O_CLOEXEC)
                stack.callback(os.close, manifest)
            for path in self.folder.glob(f"{number:06d}.*"):
                path.unlink(missing_ok=True)
            sync_folder(self.folder)
            if manifest >= 0:
                wait_for_others(manifest)

    def manifest_path(self, number: int) -> Path:
        """The file that says what a generation is; without it there is none."""
        return self.folder / f"{number:06d}.json"

    def numbers(self) -> list[int]:
        """Generations of which files lie in the folder."""
        return sorted({int(path.name[:6]) for path in self.folder.glob("[0-9]" * 6 + ".*")})

    def _put(self, name: str, data: bytes) -> None:
        draft = self.folder / f"{name}.new"
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.folder / name)

    def _get(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except OSError as trouble:
            raise _unreadable(name, trouble) from trouble

    def _manifest(self, number: int) -> dict[str, Any]:
        body, _, signature = self._get(f"{number:06d}.json").partition(b"\n")
        try:
            Ed25519PublicKey.from_public_bytes(self._signer.public).verify(
                bytes.fromhex(signature.decode("ascii")), body
            )
        except (InvalidSignature, ValueError):
            raise GalleryDamaged(
                f"The manifest of generation {number} is not signed by this home."
            ) from None
        return dict(json.loads(body))

    def _part(self, number: int, name: str, manifest: dict[str, Any], key: bytes) -> bytearray:
        path = self.folder / f"{number:06d}.{name}"
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                data, found = _unseal_chunks(key, file, size, f"{number}/{name}")
        except OSError as trouble:
            raise _unreadable(path.name, trouble) from trouble
        if found != manifest["sha256"][name]:
            raise GalleryDamaged(f"{path.name} is not the file that its manifest names.")
        return data


def _unreadable(name: str, trouble: OSError) -> GalleryDamaged:
    return GalleryDamaged(f"{name} cannot be read: {trouble.strerror}.")


def _pack(packed: Packed) -> Iterator[bytes]:
    yield packed.pks.astype("<i8").tobytes()
    yield packed.subjects.astype("<i8").tobytes()
    yield packed.vectors.astype("<f4").tobytes()


def _unpack(data: bytearray, annoy: bytearray, manifest: dict[str, Any]) -> Packed:
    import numpy as np

    rows, dimension = int(manifest["rows"]), int(manifest["dimension"])
    if len(data) != rows * (16 + 4 * dimension):
        raise GalleryDamaged("A generation's templates do not have the size of its manifest.")
    return Packed(
        np.frombuffer(data, "<i8", rows),
        np.frombuffer(data, "<i8", rows, 8 * rows),
        np.frombuffer(data, "<f4", rows * dimension, 16 * rows).reshape(rows, dimension),
        bytes(annoy),
        int(manifest["search_k"]),
    )


def _seal_chunks(key: bytes, data: bytes, name: str) -> Iterator[bytes]:
    # One key a generation and part names that differ in their first four letters: no nonce is
    # used twice. The chunk count in the bound context makes a shortened file fail.
    cipher, total = AESGCM(key), -(-len(data) // CHUNK)
    for index in range(total):
        chunk = data[index * CHUNK : (index + 1) * CHUNK]
        yield cipher.encrypt(_nonce(name, index), chunk, f"{name}/{index}/{total}".encode())


def _unseal_chunks(key: bytes, file: BinaryIO, size: int, name: str) -> tuple[bytearray, str]:
    """What is sealed in a file, decrypted chunk by chunk, and the SHA-256 (hex) of the file."""
    cipher, step = AESGCM(key), CHUNK + _TAG
    total = -(-size // step)
    out = bytearray(max(0, size - total * _TAG))
    digest = hashlib.sha256()
    try:
        for index in range(total):
            part = file.read(step)
            digest.update(part)
            cipher.decrypt_into(
                _nonce(name, index), part, f"{name}/{index}/{total}".encode(),
                memoryview(out)[index * CHUNK : index * CHUNK + len(part) - _TAG],
            )  # fmt: skip
    except (InvalidTag, ValueError):
        raise GalleryDamaged(f"Generation file {name} has been altered.") from None
    return out, digest.hexdigest()


def _nonce(name: str, index: int) -> bytes:
    return name.rpartition("/")[2][:4].encode() + struct.pack(">Q", index)
