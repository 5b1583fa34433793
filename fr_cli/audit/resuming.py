"""Taking the log up where its last whole line ends: by its last writer's note, or from the file.

Within one boot the note is of the last line that anybody was told is on disk: it is written after
each sync, before anyone goes on. After a power cut it may be older than the log; then what is read
comes from the disk itself.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from fr_cli.audit.caching import DOUBT, FILE, REPAIR, Notes, State, digest
from fr_cli.audit.entry import boot_id
from fr_cli.audit.line import Line, lines, read_line
from fr_cli.audit.merkle import Frontier
from fr_cli.audit.rotation import in_force, rotation_in
from fr_cli.audit.storage import Tail, read_tail
from fr_cli.errors import AuditBroken, AuditUnwritable
from fr_cli.keys import SigningKey

_REMOVE = (
    f"If it was restored on purpose, compare it with a head kept elsewhere and then remove {FILE} "
    "beside the log."
)


class Place(NamedTuple):
    """Where the log ends, found right: what signs what follows, the tree, the last line.

    `tail` is what the file's end looked like, if that was read and nobody has repaired it since.
    """

    signer: SigningKey
    frontier: Frontier
    end: int
    last: bytes
    tail: Tail | None = None


def take_up(log: int, notes: Notes, signer: SigningKey, origin: str) -> Place:
    """Find where a log ends; no line is written yet. Call it with the log's lock.

    AuditBroken if the file is not what was signed, or shorter than it once was; AuditUnwritable
    if a sync of it has failed and what that left cannot be taken away.
    """
    if notes.mark() == DOUBT:
        _cut_back(log, notes, chain([signer], signer.others()))
    there = os.fstat(log)
    known = notes.state(signer)
    noted = known and notes.mark() != REPAIR and known.is_of(there.st_ino, there.st_size)
    if known and noted and (last := known.held(log)):
        # Whoever noted it has found all of this right.
        return Place(signer, known.frontier, known.end, last)
    place = _read(log, notes, signer, origin, there.st_size)
    known = notes.state(place.signer)
    noted = known and known.is_of(there.st_ino, place.end)
    if not noted and same_boot(place.last):
        sync(log, notes)  # its writer may have died before it could
    start = place.end - len(place.last)
    found = State(there.st_ino, start, place.end, digest(place.last), place.frontier)
    notes.set_state(found, place.signer, REPAIR)
    return place


def same_boot(last: bytes) -> bool:
    """Whether a line was written since the machine started; True where that cannot be told."""
    boot = boot_id()
    return not boot or f'"boot":"{boot}"'.encode() in last


def last_line(tail: Tail) -> Line:
    """The last line taken apart; AuditBroken if it is not right."""
    if not tail.text:
        raise AuditBroken("The audit log holds no entry, not even its first.")
    try:
        return read_line(tail.text)
    except ValueError as trouble:
        raise AuditBroken(f"The last line of the audit log {trouble}.") from None


def key_in_force(last: Line, signer: SigningKey, origin: str) -> SigningKey:
    """The home's key that signs what follows; AuditBroken if the last line is of none of them."""
    # Another process may have rotated the key, or died while it did: the files are looked at
    # again before anything is called broken.
    found = in_force(last, (signer,), origin) or in_force(last, signer.others(), origin)
    if found is None:
        raise AuditBroken("The last line of the audit log is not signed by this home's key.")
    return found


def lines_of(log: int, offset: int, end: int) -> Iterator[bytes]:
    """The whole lines from an offset to the end (bytes)."""
    with os.fdopen(os.dup(log), "rb") as file:
        file.seek(offset)
        yield from lines(file, end)


def _cut_back(log: int, notes: Notes, signers: Iterable[SigningKey]) -> None:
    """Take from the log what a failed sync has left in doubt: the kernel may have dropped it.

    One of the keys must be that of the note.
    """
    for signer in signers:
        if known := notes.state(signer):
            break
    else:
        raise AuditUnwritable(
            "The disk has failed to sync the audit log, and it is not known from where on.",
            hint="See to the disk, check the log with `fr audit verify` and a head kept "
            f"elsewhere, and then remove {FILE} beside the log.",
        )
    there = os.fstat(log)
    if there.st_ino == known.file and there.st_size > known.end:
        os.ftruncate(log, known.end)
    notes.set_state(known, signer, REPAIR)  # the record of a repair may have been cut off too
    notes.sync()  # else a power cut could bring the mark back over lines that are on disk


def sync(log: int, notes: Notes) -> None:
    """Return when all that is in the log is on disk.

    OSError if it cannot be: it is not tried again, for the kernel may have dropped any of it, and
    says so only once. So the notes are marked, and the next one with the lock cuts it back.
    """
    try:
        os.fdatasync(log)
    except OSError:
        notes.set_mark(DOUBT)
        raise


def _read(log: int, notes: Notes, signer: SigningKey, origin: str, length: int) -> Place:
    """Where the log ends by what is in the file, checking its last line."""
    tail = read_tail(log, length)
    last = last_line(tail)
    signer = key_in_force(last, signer, origin)
    known = notes.state(signer)
    if known and known.frontier.size > last.size:
        raise AuditBroken(
            f"The audit log was cut: it had {known.frontier.size} entries and has {last.size}.",
            hint=_REMOVE,
        )
    frontier = None
    if known and known.end <= tail.end and known.held(log):
        frontier = _replayed(log, known.frontier.copy(), known.end, tail.end, last)
    # Without a note, or where it is not of these bytes, the whole file is read.
    frontier = frontier or _replayed(log, Frontier(), 0, tail.end, last, known)
    if frontier is None:
        raise AuditBroken("The entries of the audit log are not those that were signed.")
    return Place(signer, frontier, tail.end, tail.text, tail)


def _replayed(
    log: int, frontier: Frontier, offset: int, end: int, last: Line, known: State | None = None
) -> Frontier | None:
    """The frontier brought from the offset to the end; None if that is not the signed root.

    AuditBroken if it is, but what was on disk once is another past.
    """
    rotation = rotation_in(last)
    same = True
    try:
        for text in lines_of(log, offset, end):
            # What the new key says that it has taken over must be what is there.
            at = rotation if rotation and rotation.seq == frontier.size else None
            if at and frontier.root() != base64.b64decode(at.root):
                return None
            frontier.append(read_line(text).leaf)
            if known and frontier.size == known.frontier.size:
                same = frontier == known.frontier
    except ValueError:
        return None
    if (frontier.size, frontier.root()) != (last.size, base64.b64decode(last.root)):
        return None
    if not same:
        raise AuditBroken(
            "The audit log was rewritten: it is signed, but its earlier entries were others.",
            hint=_REMOVE,
        )
    return frontier
