"""A generation kept in memory between searches, by a process that answers many.

Whoever destroys a generation waits until nobody has it in memory any more, so that a purge returns
only when a running service has dropped the subject too. The sign is a shared lock on the
generation's manifest: held as long as the templates are, and waited for after the file is gone.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fr_cli.errors import GalleryLocked

if TYPE_CHECKING:
    from fr_cli.gallery.generation import Generations, Packed

#: Seconds that whoever destroys a generation waits for those who have it in memory.
PATIENCE = 60.0


class Warm:
    """The one generation that a process keeps; call `look` often while nothing is asked."""

    def __init__(self) -> None:
        self._kept: tuple[Path, str, Packed] | None = None
        self._handle = -1

    def read(self, generations: Generations, number: int, fingerprint: str) -> Packed:
        """The same as `Generations.read`, from memory where it is there."""
        path = generations.manifest_path(number)
        self.look()
        if self._kept is not None and self._kept[:2] == (path, fingerprint):
            return self._kept[2]
        self.drop()
        try:
            self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            fcntl.flock(self._handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:  # it is being destroyed, or there is none: whoever reads it says so
            self.drop()
            return generations.read(number, fingerprint)
        try:
            packed = generations.read(number, fingerprint)
        except BaseException:
            self.drop()
            raise
        self._kept = (path, fingerprint, packed)
        return packed

    def look(self) -> None:
        """Drop what is kept if it is the generation of now no more."""
        if self._handle < 0:
            return
        with suppress(OSError):
            if self._kept and os.path.samestat(os.fstat(self._handle), os.stat(self._kept[0])):
                return
        self.drop()

    def drop(self) -> None:
        """Forget what is kept: overwritten first, for memory that is freed is not emptied."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept[2].wipe()
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)


def wait_for_others(manifest: int, patience: float = PATIENCE) -> None:
    """Return when no process has the generation of this manifest (open, unlinked) in memory.

    GalleryLocked if one still has it after `patience` seconds.
    """
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(manifest, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise GalleryLocked(
                    "A running service still has the generation of before in memory; nobody "
                    "finds in it who was purged, and its key is destroyed.",
                    hint="Restart the service: systemctl restart fr",
                ) from None
            time.sleep(0.02)
        else:
            return
