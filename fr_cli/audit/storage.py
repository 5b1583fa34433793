"""The log's file as the operating system has it: opening, locking, its end, durable names."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from fr_cli.audit.line import MAX_LINE

#: Seconds that an act waits for others to finish their appending.
PATIENCE = 10.0
#: How often an act opens the file again that was replaced while it waited.
REOPENINGS = 10

_SMALL = 4096
_APPENDING = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


@contextmanager
def locked(path: Path, flags: int) -> Iterator[int]:
    """A handle for appending, alone with the file; TimeoutError after PATIENCE.

    Where the file was replaced while this process waited (an erasure does so), the new one.
    """
    for _ in range(REOPENINGS):
        handle = os.open(path, flags | _APPENDING, 0o600)
        try:
            _lock(handle, fcntl.LOCK_EX)
            if not os.path.samestat(os.fstat(handle), os.stat(path)):
                continue
            yield handle
            return
        finally:
            try:
                fcntl.flock(handle, fcntl.LOCK_UN)  # closing would not, if a child has a copy
            finally:
                os.close(handle)
    raise OSError(errno.ESTALE, "it was replaced again and again while this process waited")


def snapshot(path: Path) -> tuple[BinaryIO, int]:
    """The file for reading, and its length while nobody was in the middle of a line."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    # A process that hangs with the lock must not keep anyone from looking.
    with suppress(TimeoutError):
        _lock(handle, fcntl.LOCK_SH)
    length = os.fstat(handle).st_size
    fcntl.flock(handle, fcntl.LOCK_UN)
    return os.fdopen(handle, "rb"), length


def _lock(handle: int, kind: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError(errno.ETIMEDOUT, "another process holds its lock") from None
            time.sleep(0.002)


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
