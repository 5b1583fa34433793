"""Making lines durable together: whoever comes first syncs all that is written, for others too.

A line is written under the lock of the log, and synced after that is free again, under the lock
of the notes, which say up to where the log is durable. A writer whose line is within that, and
still in its place in the log, needs no sync of its own. Locks are taken in this order: log, notes.

After a sync that failed, the kernel may have dropped any line that was not durable yet, and says
so only once. So the notes are marked: from then on no writer of such a line can succeed, and the
next one with the lock of the log cuts it back to what is durable before the mark is taken away.
Nothing here depends on the boot: what was noted as durable is so after a power cut, and a mark
that outlives one cuts off only what nobody was ever told is there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fr_cli.audit.caching import FILE, Notes, State
from fr_cli.audit.storage import lock, release
from fr_cli.errors import AuditUnwritable
from fr_cli.keys import SigningKey


class Pending:
    """The last line that a process wrote, until it is durable.

    `log` is the handle by which it was written: its errors are heard by that.
    """

    def __init__(self, log: int, path: Path, state: State, line: bytes) -> None:
        self._log = log
        self._path = path
        self._state = state
        self._line = line

    def settle(self, notes: Notes, signer: SigningKey) -> None:
        """Return when the line is on disk, with all before it; OSError if that cannot be."""
        # While one syncs, many come to wait; each looks whether that has served it.
        if not lock(notes.handle, served=lambda: self._durable(notes, signer)):
            return
        try:
            if not self._durable(notes, signer):
                self._sync(notes, signer)
        finally:
            release(notes.handle)

    def _durable(self, notes: Notes, signer: SigningKey) -> bool:
        mine, durable = self._state, notes.durable(signer)
        # Looked at after the note, for this may be without the lock (a note that is just being
        # written is as none); and what was cut off is never there again: each line has a nonce.
        if os.pread(self._log, len(self._line), mine.start) != self._line:
            raise OSError(errno.EIO, "it was cut back, because a sync of it had failed")
        if durable and durable.file == mine.file and durable.end >= mine.end:
            return True
        if notes.in_doubt():
            raise OSError(errno.EIO, "a sync of it has just failed")
        return False

    def _sync(self, notes: Notes, signer: SigningKey) -> None:
        if os.stat(self._path).st_ino != self._state.file:
            # An erasure has put a new file in its place, with this line in it, and synced that.
            return os.fdatasync(self._log)
        state = self._state
        if os.fstat(self._log).st_size > state.end:  # others have written behind this line
            tip = notes.tip(signer)
            if tip and tip.file == state.file and tip.end > state.end and tip.held(self._log):
                state = tip
        try:
            os.fdatasync(self._log)
        except OSError:
            notes.doubt()
            raise
        notes.set_durable(state, signer)


def cut_back(log: int, notes: Notes, signers: Iterable[SigningKey]) -> None:
    """Take from the log what a failed sync has left in doubt; call it with the log's lock.

    One of the keys must be that of the note.
    """
    with alone(notes):
        if not notes.in_doubt():
            return
        for signer in signers:
            if durable := notes.durable(signer):
                break
        else:
            raise AuditUnwritable(
                "The disk has failed to sync the audit log, and it is not known from where on.",
                hint="See to the disk, check the log with `fr audit verify` and a head kept "
                f"elsewhere, and then remove {FILE} beside the log.",
            )
        there = os.fstat(log)
        if there.st_ino == durable.file and there.st_size > durable.end:
            os.ftruncate(log, durable.end)
        notes.set_durable(durable, signer)
        os.fsync(notes.handle)  # else a power cut could bring the mark back over durable lines


@contextmanager
def alone(notes: Notes) -> Iterator[None]:
    """Nobody else syncs meanwhile; TimeoutError if another does not come to an end."""
    lock(notes.handle)
    try:
        yield
    finally:
        release(notes.handle)
