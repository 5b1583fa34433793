"""The log's file as the operating system has it: opening, locking, its end, durable names."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from fr_cli.audit.line import MAX_LINE

LOG = "audit.jsonl"
#: Seconds that an act waits for others to finish their appending.
PATIENCE = 10.0
#: How often an act opens the file again that was replaced while it waited.
REOPENINGS = 10

APPENDING = os.O_RDWR | os.O_APPEND
_SMALL = 4096
#: Seconds between two looks at a lock that another process holds: at first, and at most. Where many
#: wait, more looks would cost them more time on the processor than their writing does.
_PAUSE, _LONGEST_PAUSE = 0.0005, 0.016
_NOTHING_TO_SYNC = {errno.EINVAL, errno.EROFS}


@contextmanager
def locked(
    path: Path, flags: int = APPENDING, wait: Callable[[float], None] = time.sleep
) -> Iterator[int]:
    """A handle, alone with the file; TimeoutError after PATIENCE, or what `wait` raises.

    Where the file was replaced while this process waited (an erasure does so), the new one.
    """
    for _ in range(REOPENINGS):
        handle = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            lock(handle, fcntl.LOCK_EX, wait)
            if not os.path.samestat(os.fstat(handle), os.stat(path)):
                continue
            yield handle
            return
        finally:
            try:
                release(handle)
            finally:
                os.close(handle)
    raise OSError(errno.ESTALE, "it was replaced again and again while this process waited")


def release(handle: int) -> None:
    """Let others have the file; closing would not, if a child has a copy of the handle."""
    fcntl.flock(handle, fcntl.LOCK_UN)


def snapshot(path: Path) -> tuple[BinaryIO, int]:
    """The file for reading, and its length while nobody was in the middle of a line.

    So much is on disk for good, also where the writers of the last lines still wait for that: a
    head that is given out must not be lost to a power cut.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    # A process that hangs with the lock must not keep anyone from looking.
    with suppress(TimeoutError):
        lock(handle, fcntl.LOCK_SH)
    length = os.fstat(handle).st_size
    release(handle)
    try:
        os.fdatasync(handle)
    except OSError as trouble:
        if trouble.errno not in _NOTHING_TO_SYNC:
            os.close(handle)
            raise
    return os.fdopen(handle, "rb"), length


def lock(
    handle: int, kind: int = fcntl.LOCK_EX, wait: Callable[[float], None] = time.sleep
) -> None:
    """Wait for the lock of a file, each time for so many seconds; TimeoutError after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    pause = _PAUSE
    while not got(handle, kind):
        if time.monotonic() > deadline:
            raise TimeoutError(errno.ETIMEDOUT, "another process holds its lock")
        wait(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def got(handle: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Whether the lock of a file could be had at once."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Tail(NamedTuple):
    """The last whole line (empty if there is none), where it ends, and where the file ends."""

    text: bytes
    end: int
    length: int


def read_tail(handle: int, length: int) -> Tail:
    """Find the last whole line; bytes behind it were torn off by a crash."""
    # Most lines are far below a page, and this is read for every act.
    start = max(0, length - _SMALL)
    block = os.pread(handle, length - start, start)
    if length > start and block.endswith(b"\n") and block.count(b"\n", 0, -1):
        return Tail(block[block.rfind(b"\n", 0, -1) + 1 :], length, length)
    end, block = length, b""
    while end > 0 and b"\n" not in block:
        start = max(0, end - MAX_LINE)
        block, reached = os.pread(handle, end - start, start), end
        end = start
    if b"\n" not in block:
        return Tail(b"", 0, length)
    end = reached - len(block) + block.rindex(b"\n") + 1
    start = max(0, end - MAX_LINE - 1)
    before = os.pread(handle, end - start, start)
    return Tail(before[before.rfind(b"\n", 0, -1) + 1 :], end, length)
