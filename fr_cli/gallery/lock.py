"""One writer at a time: the lock file of a gallery."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fr_cli.errors import GalleryLocked

#: Seconds that a writer waits for another one.
PATIENCE = 30.0


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock file of a gallery, waiting up to PATIENCE for who has it."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + PATIENCE
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    holder = os.pread(handle, 200, 0).decode(errors="replace").strip()
                    raise GalleryLocked(
                        f"The gallery is being changed by {holder or 'another process'}.",
                        hint="Try again when it has ended.",
                    ) from None
                time.sleep(0.05)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} since {now()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def now() -> str:
    """The time as it is stored: UTC, to the second."""
    return before(0)


def before(days: int) -> str:
    """The time so many days ago, as it is stored."""
    then = datetime.now(UTC) - timedelta(days=days)
    return then.isoformat(timespec="seconds").replace("+00:00", "Z")
