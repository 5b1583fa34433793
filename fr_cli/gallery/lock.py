"""One writer at a time: the lock file of a gallery."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fr_cli.errors import GalleryLocked, GalleryUnwritable
from fr_cli.records import utc

#: Seconds that a writer waits for another one.
PATIENCE = 30.0


@dataclass(frozen=True)
class Turn:
    """Who wants to change the gallery (a command), and how many seconds they wait for others.

    PATIENCE if `wait` is None; with 0 they look once.
    """

    command: str = ""
    wait: float | None = None


@contextlib.contextmanager
def locked(folder: Path, turn: Turn = Turn()) -> Iterator[None]:
    """Hold the lock file of a gallery; GalleryLocked, naming who has it, when the turn is over."""
    patience = PATIENCE if turn.wait is None else turn.wait
    try:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as trouble:
        raise GalleryUnwritable(f"{folder} cannot be written: {trouble.strerror}.") from trouble
    until = time.monotonic() + patience
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    holder = os.pread(handle, 500, 0).decode(errors="replace").strip()
                    raise GalleryLocked(
                        f"The gallery is being changed by {holder or 'another process'}; this "
                        f"command waited {patience:g} s.",
                        hint="Try again when it has ended, or wait longer with --wait SECONDS.",
                    ) from None
                time.sleep(0.05)
        os.ftruncate(handle, 0)
        os.pwrite(handle, _holder(turn).encode(), 0)
        yield
    finally:
        os.close(handle)


def _holder(turn: Turn) -> str:
    """The command's words only: what is given to it may name people."""
    uid = os.getuid()
    try:
        account = pwd.getpwuid(uid).pw_name
    except KeyError:
        account = str(uid)
    command = f" (fr {turn.command})" if turn.command else ""
    return f"process {os.getpid()}{command} of the account {account} since {now()}\n"


def now() -> str:
    """The time as it is stored: UTC, to the second."""
    return utc(datetime.now(UTC))
