"""What goes into a backup of a gallery: its database of one moment, and the keys of its subjects.

The database is all that is truth in the folder of the gallery; generations are built from it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fr_cli.errors import GalleryDamaged
from fr_cli.gallery.gallery import Gallery

_KEY = struct.Struct("<Q32s")
_PIECE = 1 << 20
#: How often a copy is taken anew because a purge destroyed keys while it was made.
_TRIES = 5


@dataclass(frozen=True)
class Copy:
    """The database of one moment, in a file without a name, and the key in each slot it names."""

    file: BinaryIO
    keys: dict[int, bytes]
    references: int
    identity: str

    def pieces(self) -> Iterator[bytes]:
        """All of it, as `unpacked` reads it again."""
        size = os.fstat(self.file.fileno()).st_size
        about = {"identity": self.identity, "keys": len(self.keys), "size": size}
        yield json.dumps(about).encode() + b"\n"
        yield b"".join(_KEY.pack(slot, key) for slot, key in self.keys.items())
        self.file.seek(0)
        while piece := self.file.read(_PIECE):
            yield piece


def identity(gallery: Gallery) -> str:
    """What only homes with the same site key have in common: marks of one mean something in it."""
    return gallery.image_key(b"identity of this gallery")


@contextlib.contextmanager
def copied(gallery: Gallery) -> Iterator[Copy]:
    """A copy of the gallery as it is, without its lock: others enrol, search and purge meanwhile.

    Raises GalleryDamaged if a subject's key cannot be read.
    """
    for last in (*[False] * (_TRIES - 1), True):
        with _nameless(gallery.folder) as (path, file):
            with gallery.store.snapshot():
                rows = gallery.store.db.execute(
                    "SELECT slot FROM subjects WHERE state = 'active' ORDER BY pk"
                )
                slots = [int(slot) for (slot,) in rows]
                references = gallery.count("refs")
                with contextlib.closing(sqlite3.connect(path)) as target:
                    # No file beside it, and no name: a crash leaves nothing behind.
                    target.execute("PRAGMA journal_mode=OFF")
                    path.unlink()
                    gallery.store.db.backup(target)
            try:
                keys = gallery.subject_keys.read_many(slots)
            except GalleryDamaged:
                if last:
                    raise
                continue  # of somebody who was purged since
            yield Copy(file, dict(zip(slots, keys, strict=True)), references, identity(gallery))
            return


@contextlib.contextmanager
def _nameless(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    path = folder / f"backup-{os.getpid()}.new"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    try:
        with path.open("rb") as file:
            yield path, file
    finally:
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Unpacked:
    """What a backup held beside the database."""

    identity: str
    keys: dict[int, bytes]


def unpacked(chunks: Iterator[bytes], write: Callable[[bytes], object]) -> Unpacked:
    """Take apart what `Copy.pieces` made; the database is written piece by piece.

    GalleryDamaged if anything is missing or too much; then forget what was written.
    """
    waiting = bytearray()

    def take(count: int) -> bytes:
        while len(waiting) < count:
            waiting.extend(next(chunks))
        taken = bytes(waiting[:count])
        del waiting[:count]
        return taken

    try:
        while b"\n" not in waiting:
            waiting += next(chunks)
        about = json.loads(take(waiting.index(b"\n") + 1))
        keys = dict(_KEY.iter_unpack(take(about["keys"] * _KEY.size)))
        left = about["size"] - len(waiting)
        write(bytes(waiting))
        for chunk in chunks:
            left -= len(chunk)
            write(chunk)
        if left:
            raise ValueError("of another size")
    except (StopIteration, ValueError, KeyError, TypeError, struct.error):
        raise GalleryDamaged("This backup does not hold what it says.") from None
    return Unpacked(str(about["identity"]), keys)
