"""A lease says that an intent's process still lives: a file locked for as long as it does.

The kernel frees the lock with the process, however that ends, so a lease that can be locked is
one whose act was cut short. Judge leases only while holding the lock of the log.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fr_cli.audit.entry import boot_id
from fr_cli.audit.storage import lock
from fr_cli.disk import sync_folder

#: Leases that a new act looks at.
LOOKED_AT = 2

_NAME = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Lease:
    """A lease that this process holds; `offset` is where its intent stands in the log, bytes."""

    path: Path
    handle: int
    offset: int

    @property
    def req(self) -> str:
        """The id of the intent."""
        return self.path.name

    def end(self) -> None:
        """Remove it: its intent is closed."""
        try:
            self.path.unlink(missing_ok=True)
        finally:
            os.close(self.handle)

    def drop(self) -> None:
        """Leave it behind unlocked, for the next act to judge."""
        try:
            fcntl.flock(self.handle, fcntl.LOCK_UN)  # closing would not, if a child has a copy
        finally:
            os.close(self.handle)


def take(folder: Path, req: str, offset: int) -> Lease:
    """Take the lease of a new intent, to be looked for from the offset (bytes) on.

    OSError if the folder cannot be written.
    """
    _make(folder)
    path = folder / req
    # O_CLOEXEC: a worker process must not keep the lease of its parent alive.
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(path, flags, 0o600)
    try:
        lock(handle)  # another act may be looking at it at this moment
        os.write(handle, _note(offset))
        if not boot_id():
            sync_folder(folder)  # after a power cut nothing else would tell that it is dead
        gone = not os.fstat(handle).st_nlink
    except BaseException:
        os.close(handle)
        raise
    if gone:  # it was found before it was locked, and taken for one of the dead
        os.close(handle)
        return take(folder, req, offset)
    return Lease(path, handle, offset)


def revive(folder: Path, req: str, offset: int) -> None:
    """Leave a lease that nobody holds for an intent that has none; durable."""
    _make(folder)
    if not (folder / req).exists():
        (folder / req).write_bytes(_note(offset))
        sync_folder(folder)


def any_dead(folder: Path) -> bool:
    """Whether a lease seems to be free; needs no lock, and only `dead` can tell for certain.

    Where many acts run at once, each new one looks at some of them, so that all together find a
    dead one soon and none spends its time on it.
    """
    try:
        names = os.listdir(folder)
        first = secrets.randbelow(max(1, len(names) - LOOKED_AT + 1))
        some = names[first : first + LOOKED_AT]
        return any(_seems_free(f"{folder}/{name}") for name in some if _NAME.fullmatch(name))
    except FileNotFoundError:  # the folder is not made yet
        return False
    except OSError:
        return True


def _seems_free(path: str) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def dead(folder: Path) -> Iterator[Lease]:
    """The leases whose processes are gone, each locked by this one now; end or drop them."""
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    for name in names:
        path = folder / name
        if not _NAME.fullmatch(name):
            continue
        try:
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        yield Lease(path, handle, _offset(os.read(handle, 1000)))


def _make(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700)
        sync_folder(folder.parent)


def _note(offset: int) -> bytes:
    return f'{{"boot":"{boot_id()}","offset":{offset},"pid":{os.getpid()}}}\n'.encode()


def _offset(note: bytes) -> int:
    # After a power cut the note may be empty; the search for the intent then begins at 0.
    try:
        return max(0, int(json.loads(note)["offset"]))
    except (ValueError, LookupError, TypeError, OverflowError):
        return 0
