"""A lease says that an intent's process still lives: a lock that it holds for as long as it does.

The leases of a log are one file, `running`, in slots. An act names its intent in a slot that names
none, and holds the lock of just these bytes; at its end the slot names none again. The kernel frees
the lock with the process, however that ends, so a slot that names an intent and can be locked is of
an act that was cut short. Judge slots only while holding the lock of the log.

The locks are of the open file (F_OFD_SETLK in fcntl(2)): those of a process would all go as soon
as any part of it closes the file. A file for each act, made and removed, costs more than writing
its entries does.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fr_cli.audit.entry import boot_id
from fr_cli.disk import sync_folder

FILE = "running"
#: Slots of other acts that a new act looks at.
LOOKED_AT = 4
#: Bytes of a slot. They are within a page, so that a killed process leaves none half written.
_SIZE = 256
#: Slots at most: as many acts are never open at once, so somebody keeps others from working.
_MOST = 10_000
_FREE = b"\n".rjust(_SIZE)
_NAMED = ord("{")


class Intent(NamedTuple):
    """What a slot names: an intent's id, and from where on it is in the log, bytes."""

    req: str
    offset: int


@dataclass(frozen=True)
class Lease:
    """A slot that this process has locked for an intent."""

    intent: Intent
    slot: int
    leases: Leases

    def end(self) -> None:
        """Have it name nothing: its intent is closed."""
        try:
            self.leases.write(self.slot, _FREE)
        finally:
            self.drop()

    def drop(self) -> None:
        """Leave it behind unlocked, for the next act to judge."""
        self.leases.unlock(self.slot)


class Leases:
    """The leases of a log, by its folder."""

    def __init__(self, audit: Path) -> None:
        self._path = audit / FILE
        self._process = 0  # that opened it
        self._handle = -1
        self._mine: set[int] = set()

    def __del__(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)

    def take(self, req: str, offset: int) -> Lease:
        """Take one for a new intent, to be looked for from the offset (bytes) on.

        OSError if the file cannot be written.
        """
        self._open(os.O_CREAT)
        lease = Lease(Intent(req, offset), self._free(), self)
        note = {**lease.intent._asdict(), "boot": boot_id(), "pid": os.getpid()}
        try:
            self.write(lease.slot, json.dumps(note).encode().ljust(_SIZE - 1) + b"\n")
            if not boot_id():
                self._sync()  # after a power cut nothing else would tell that it is dead
        except BaseException:
            lease.drop()
            raise
        return lease

    def revive(self, req: str, offset: int) -> None:
        """Leave a lease that nobody holds for an intent that has none; durable."""
        lease = self.take(req, offset)
        try:
            self._sync()
        finally:
            lease.drop()

    def any_dead(self) -> bool:
        """Whether an act was cut short; needs no lock, and only `dead` can tell for certain.

        Where many acts run at once, each new one looks at some of them, so that all together find
        a dead one soon and none spends its time on it.
        """
        try:
            self._open()
            others = sorted(self._named() - self._mine)
            first = secrets.randbelow(max(1, len(others) - LOOKED_AT + 1))
            return not all(map(self._held, others[first : first + LOOKED_AT]))
        except FileNotFoundError:  # it is not made yet
            return False
        except OSError:
            return True

    def dead(self) -> Iterator[Lease]:
        """Those of acts that were cut short, each locked by this process now: end or drop them."""
        self._open(os.O_CREAT)
        for slot in sorted(self._named() - self._mine):
            if (there := self._locked(slot)) is not None:
                lease = Lease(_intent(there), slot, self)
                if lease.intent.req:
                    yield lease
                else:  # it was ended a moment ago, or something else is at fault
                    lease.end()

    def open(self) -> list[str]:
        """The ids of the acts that are open, or were cut short and wait to be closed."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return []
        return [_intent(data[slot * _SIZE :][:_SIZE]).req for slot in sorted(_named(data))]

    def write(self, slot: int, data: bytes) -> None:
        """Write a slot; OSError if it does not fit on the disk."""
        if os.pwrite(self._handle, data, slot * _SIZE) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def unlock(self, slot: int) -> None:
        """Let others have a slot."""
        fcntl.fcntl(self._handle, fcntl.F_OFD_SETLK, _lock(fcntl.F_UNLCK, slot))
        self._mine.discard(slot)

    def _free(self) -> int:
        """The first that names no intent and that nobody holds, locked."""
        named = self._named()
        for slot in range(_MOST):
            if slot not in named and (there := self._locked(slot)) is not None:
                if not there.startswith(b"{"):
                    return slot
                self.unlock(slot)  # another act has come first
        raise OSError(errno.ENOLCK, f"another process holds the locks of {FILE}")

    def _open(self, flags: int = 0) -> None:
        forked = self._process != os.getpid()  # then the locks are the parent's
        if self._handle >= 0 and (forked or not (self._mine or os.fstat(self._handle).st_nlink)):
            os.close(self._handle)
            self._handle, self._mine = -1, set()
        if self._handle < 0:
            flags |= os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
            self._handle, self._process = os.open(self._path, flags, 0o600), os.getpid()

    def _named(self) -> set[int]:
        return _named(os.pread(self._handle, os.fstat(self._handle).st_size, 0))

    def _locked(self, slot: int) -> bytes | None:
        """What is in a slot, if that could be locked; one of its own cannot."""
        if slot in self._mine:
            return None
        try:
            fcntl.fcntl(self._handle, fcntl.F_OFD_SETLK, _lock(fcntl.F_WRLCK, slot))
        except (BlockingIOError, PermissionError):  # the standard allows both
            return None
        self._mine.add(slot)
        try:
            return os.pread(self._handle, _SIZE, slot * _SIZE)
        except BaseException:
            self.unlock(slot)
            raise

    def _held(self, slot: int) -> bool:
        """Whether another holds it."""
        found = fcntl.fcntl(self._handle, fcntl.F_OFD_GETLK, _lock(fcntl.F_WRLCK, slot))
        return found[:2] != _lock(fcntl.F_UNLCK, slot)[:2]

    def _sync(self) -> None:
        os.fsync(self._handle)
        sync_folder(self._path.parent)


def _lock(kind: int, slot: int) -> bytes:
    """A `struct flock` of a slot's bytes, as 64-bit Linux has it."""
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, slot * _SIZE, _SIZE, 0)


def _named(data: bytes) -> set[int]:
    """The slots that name an intent."""
    return {slot for slot, first in enumerate(data[::_SIZE]) if first == _NAMED}


def _intent(note: bytes) -> Intent:
    """What a slot names; of no intent at all if it cannot be read."""
    try:
        read = json.loads(note)
        return Intent(str(read["req"]), max(0, int(read["offset"])))
    except (ValueError, LookupError, TypeError, OverflowError):
        return Intent("", 0)
