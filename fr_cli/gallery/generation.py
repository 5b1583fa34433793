"""A generation: all templates of one moment, packed and encrypted for searching.

Derived from the store and never patched: a change makes the next generation beside it, and one
commit of the database makes it the current one. Its key lies in the slot of its number; when
that slot is destroyed, the files and every copy of them are noise.

A search reads `codes`, a quarter of the bytes and whose they are, and of `templates` the blocks of
those few rows that it compares exactly.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fr_cli.disk import sync_folder, write_whole
from fr_cli.errors import GalleryDamaged
from fr_cli.gallery.codes import Codes
from fr_cli.gallery.parts import CHUNK, Part, unreadable
from fr_cli.gallery.vault import KeySlots
from fr_cli.gallery.vectors import SealedVectors, Vectors, rows_a_block
from fr_cli.gallery.warm import wait_for_others
from fr_cli.keys import SigningKey

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCHEMA, FIRST_SCHEMA = "fr/generation/2", "fr/generation/1"


@dataclass(frozen=True, eq=False)
class Packed:
    """Templates in search order: row i is reference `pks[i]` of subject `subjects[i]`.

    `pks` and `subjects` are int64 of shape (n,), `vectors` float32 of shape (n, dimension);
    `annoy` is the approximate index over the same rows, empty where there is none, and `codes` are
    what is scanned, None where they have still to be made. `vectors` of a generation that was read
    are in its file; `numpy.asarray` takes all of them into memory.
    """

    pks: NDArray[np.int64]
    subjects: NDArray[np.int64]
    vectors: Vectors
    annoy: bytes = b""
    search_k: int = 0
    codes: Codes | None = None

    @classmethod
    def empty(cls) -> Packed:
        """No rows."""
        import numpy as np

        none = np.empty(0, np.int64)
        return cls(none, none, np.empty((0, 0), np.float32))

    def keep(self, mask: NDArray[np.bool_]) -> Packed:
        """The rows of the mask, in memory, without an index."""
        import numpy as np

        return Packed(self.pks[mask], self.subjects[mask], np.asarray(self.vectors)[mask])

    def wipe(self) -> None:
        """Overwrite what a read generation has in memory of templates; it is of no use after."""
        import numpy as np

        if self.codes is not None:
            self.codes.wipe()
        if isinstance(self.vectors, np.ndarray):
            self.vectors.fill(0)


class Generations:
    """The folder of generations of one gallery."""

    def __init__(self, folder: Path, slots: KeySlots, signer: SigningKey) -> None:
        self.folder = folder
        self._slots = slots
        self._signer = signer

    def write(self, packed: Packed, fingerprint: str) -> int:
        """Write the next generation, synced; returns its number. Not yet the current one."""
        import numpy as np

        ((number, key),) = self._slots.create(1)
        vectors = np.ascontiguousarray(packed.vectors, "<f4")
        codes = packed.codes or Codes.of(vectors)
        manifest: dict[str, Any] = {
            "schema": SCHEMA,
            "generation": number,
            "fingerprint": fingerprint,
            "rows": len(vectors),
            "dimension": vectors.shape[1],
            "search_k": packed.search_k,
            "index": len(packed.annoy),
        }
        parts = _parts(manifest, key)
        contents = {
            "codes": np.concatenate(
                [_bytes(one) for one in (
                    packed.pks.astype("<i8"), packed.subjects.astype("<i8"),
                    codes.scales.astype("<f4"), codes.errors.astype("<f4"), codes.values,
                )]
            ),
            "templates": _bytes(vectors),
            "annoy": np.frombuffer(packed.annoy, np.uint8),
        }  # fmt: skip
        for name, part in parts.items():
            write_whole(self.folder / f"{number:06d}.{name}", part.seal(contents[name].data))
        body = rfc8785.dumps(manifest)
        signed = body + b"\n" + self._signer.sign(body).hex().encode()
        write_whole(self.manifest_path(number), [signed])
        return number

    def read(self, number: int, fingerprint: str) -> Packed:
        """Open a generation for searching: rows, codes and index in memory, templates in the file.

        GalleryDamaged unless what is read is as it was written; the blocks of templates are looked
        at when they are asked for. Number 0 is the empty generation of a new gallery.
        """
        if number == 0:
            return Packed.empty()
        manifest = self._manifest(number)
        if (manifest["generation"], manifest["fingerprint"]) != (number, fingerprint):
            raise GalleryDamaged(f"Generation {number} is not the one that its name says.")
        if manifest["schema"] not in (SCHEMA, FIRST_SCHEMA):
            raise GalleryDamaged(
                f"Generation {number} is of the schema {manifest['schema']}, which this version "
                "of fr does not know.",
                hint="Build it anew with: fr gallery rebuild",
            )
        key = self._slots.read(number)
        parts = {
            name: part.open(self.folder / f"{number:06d}.{name}")
            for name, part in _parts(manifest, key).items()
        }
        if manifest["schema"] == FIRST_SCHEMA:
            return _unpack_first(parts["templates"].whole(), manifest)
        return _unpack(parts, manifest)

    def check(self, number: int, fingerprint: str) -> Packed:
        """What `read` gives, when every block of the templates has opened."""
        import numpy as np

        packed = self.read(number, fingerprint)
        np.asarray(packed.vectors)
        return packed

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

    def _get(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except OSError as trouble:
            raise unreadable(name, trouble) from trouble

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


def _parts(manifest: dict[str, Any], key: bytes) -> dict[str, Part]:
    """What a generation of this manifest consists of, beside the manifest."""
    number, rows, dimension = (int(manifest[name]) for name in ("generation", "rows", "dimension"))
    if manifest["schema"] == FIRST_SCHEMA:
        sizes = {"templates": (rows * (16 + 4 * dimension), CHUNK)}
    else:
        sizes = {
            "codes": (rows * (24 + dimension), CHUNK),
            "templates": (4 * rows * dimension, 4 * max(1, dimension) * rows_a_block(dimension)),
            "annoy": (int(manifest["index"]), CHUNK),
        }
    return {name: Part(key, f"{number}/{name}", *size) for name, size in sizes.items()}


def _bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    import numpy as np

    return array.reshape(-1).view(np.uint8)


def _unpack(parts: dict[str, Part], manifest: dict[str, Any]) -> Packed:
    import numpy as np

    count, dimension = int(manifest["rows"]), int(manifest["dimension"])
    data = parts["codes"].whole()
    return Packed(
        np.frombuffer(data, "<i8", count),
        np.frombuffer(data, "<i8", count, 8 * count),
        SealedVectors(parts["templates"], (count, dimension)),
        parts["annoy"].whole().tobytes(),
        int(manifest["search_k"]),
        Codes(
            np.frombuffer(data, np.int8, count * dimension, 24 * count).reshape(count, dimension),
            np.frombuffer(data, "<f4", count, 16 * count),
            np.frombuffer(data, "<f4", count, 20 * count),
        ),
    )


def _unpack_first(data: NDArray[np.uint8], manifest: dict[str, Any]) -> Packed:
    """A generation of the first schema, which is replaced by the next that is built.

    It has no codes: they are made when it is read. An index that it has is not used.
    """
    import numpy as np

    count, dimension = int(manifest["rows"]), int(manifest["dimension"])
    vectors = np.frombuffer(data, "<f4", count * dimension, 16 * count).reshape(count, dimension)
    return Packed(
        np.frombuffer(data, "<i8", count),
        np.frombuffer(data, "<i8", count, 8 * count),
        vectors,
        codes=Codes.of(vectors),
    )
