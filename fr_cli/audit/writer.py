"""What may be done under the lock of the log: resuming, repair after a crash, durable appending.

Every check against what is on disk is made anew for each holder of the lock; what another holder
has noted saves reading and checking again, where the file is byte for byte what the note is of.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

from fr_cli.audit.caching import FILE, Notes, State, digest
from fr_cli.audit.entry import CLOSING, JSON, Draft, parse
from fr_cli.audit.line import MAX_LINE, Line, lines, read_line, signed_line
from fr_cli.audit.merkle import Frontier, leaf_hash
from fr_cli.audit.rotation import PHASE as ROTATION
from fr_cli.audit.rotation import claim, in_force, rotation_in
from fr_cli.audit.storage import Tail, read_tail, release
from fr_cli.audit.syncing import Pending, alone, cut_back
from fr_cli.disk import sync_folder
from fr_cli.errors import AuditBroken, AuditUnwritable
from fr_cli.keys import SigningKey
from fr_cli.records import Head

LOG = "audit.jsonl"


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


class Writer:
    """What a process may do while it holds the lock of the log.

    Call `begin`, or `resume` and `repair`, first, and `settle` last. OSErrors go to the caller
    as they are.
    """

    def __init__(
        self, handle: int, notes: Notes, folder: Path, signer: SigningKey, origin: str
    ) -> None:
        self._handle = handle
        self._notes = notes
        self.folder = folder
        self.signer = signer
        self._origin = origin
        self._file = os.fstat(handle).st_ino
        self.frontier = Frontier()
        self.end = 0
        self.last = b""
        self.rebooted = False
        self._settled = True
        self._unrepaired: Tail | None = None

    def begin(self, genesis: Draft) -> None:
        """Write the first entry, durable; AuditUnwritable if there is or was a log."""
        if os.fstat(self._handle).st_size or not self._notes.empty():
            raise AuditUnwritable(
                f"There is an audit log in {self.folder} already.", hint="It is never begun anew."
            )
        try:
            self.append(genesis)
            self.settle()
        except BaseException:
            os.ftruncate(self._handle, 0)
            (self.folder / FILE).unlink()
            raise
        sync_folder(self.folder)

    def resume(self) -> None:
        """Take up the log where its last whole line ends; no line is written yet.

        AuditBroken if the file is not what was signed, or shorter than it once was.
        """
        if self._notes.in_doubt():
            cut_back(self._handle, self._notes, chain([self.signer], self.signer.others()))
        length = os.fstat(self._handle).st_size
        tip = self._notes.tip(self.signer)
        untouched = tip and (tip.file, tip.end) == (self._file, length) and tip.held(self._handle)
        if tip and untouched:
            # Whoever noted it has found all of this right.
            self.frontier, self.end, self.last = tip.frontier, length, untouched
        else:
            self._read(length)

    def _read(self, length: int) -> None:
        """Take up the log from the file, checking its last line."""
        tail = self._unrepaired = read_tail(self._handle, length)
        last = last_line(tail)
        self.signer = key_in_force(last, self.signer, self._origin)
        tip, durable = self._notes.tip(self.signer), self._notes.durable(self.signer)
        if durable and durable.frontier.size > last.size:
            raise AuditBroken(
                f"The audit log was cut: it had {durable.frontier.size} entries and has "
                f"{last.size}.",
                hint=self._hint(),
            )
        self.end, self.last = tail.end, tail.text
        # Without a note, or where it is not of these bytes, the whole file is read.
        replayed = any(
            known.end <= tail.end
            and known.held(self._handle)
            and self._replay(known.frontier.copy(), known.end, last)
            for known in (tip, durable)
            if known
        )
        if not (replayed or self._replay(Frontier(), 0, last, durable)):
            raise AuditBroken("The entries of the audit log are not those that were signed.")

    def repair(self) -> None:
        """Set aside what a crash tore off, and record it."""
        if self._unrepaired:  # else the log is as its last writer left it
            if self._unrepaired.length > self.end:
                self._set_aside(self._unrepaired)
            self._record_torn()
            self._unrepaired = None

    def _hint(self) -> str:
        return (
            "If it was restored on purpose, compare it with a head kept elsewhere and then "
            f"remove {self.folder / FILE}."
        )

    def _replay(
        self, frontier: Frontier, offset: int, last: Line, durable: State | None = None
    ) -> bool:
        """Bring a frontier from the offset to the end; False if that is not the signed root.

        AuditBroken if it is, but what was durable once is another past.
        """
        rotation = rotation_in(last)
        same = True
        try:
            for text in self.lines(offset):
                # What the new key says that it has taken over must be what is there.
                at = rotation if rotation and rotation.seq == frontier.size else None
                if at and frontier.root() != base64.b64decode(at.root):
                    return False
                frontier.append(read_line(text).leaf)
                if durable and frontier.size == durable.frontier.size:
                    same = frontier == durable.frontier
        except ValueError:
            return False
        if (frontier.size, frontier.root()) != (last.size, base64.b64decode(last.root)):
            return False
        if not same:
            raise AuditBroken(
                "The audit log was rewritten: it is signed, but its earlier entries were others.",
                hint=self._hint(),
            )
        self.frontier = frontier
        return True

    def lines(self, offset: int) -> Iterator[bytes]:
        """The whole lines from an offset on."""
        with os.fdopen(os.dup(self._handle), "rb") as file:
            file.seek(offset)
            yield from lines(file, self.end)

    def unfinished(self, req: str, offset: int) -> dict[str, JSON] | None:
        """The last entry of an intent that nothing has closed; None if it is closed or absent.

        The offset says where to look first; it may be out of date.
        """
        found = self._entries(req, offset) or self._entries(req, 0)
        return found[-1] if found and found[-1]["ph"] not in CLOSING else None

    def _entries(self, req: str, offset: int) -> list[dict[str, JSON]]:
        found = []
        for text in self.lines(offset):
            if f'"req":"{req}"'.encode() in text:
                with suppress(ValueError):  # half a line, where the offset is out of date
                    found.append(parse(read_line(text).body or b"{}"))
        return [entry for entry in found if entry.get("req") == req]

    def append(self, entry: Draft) -> Head:
        """Write an entry; this is its signed head, durable once it is settled.

        OSError if it cannot be written: then the file is cut back to what it was.
        """
        head = self._write(entry)
        self._notes.set_tip(self._state(), self.signer)
        return head

    def _write(self, entry: Draft) -> Head:
        body = entry.body(self.frontier.size)
        frontier = self.frontier.copy()
        frontier.append(leaf_hash(body))
        root = base64.b64encode(frontier.root()).decode()
        line = signed_line(body, frontier.size, root, self.signer, self._origin)
        if len(line) > MAX_LINE:
            raise ValueError(f"a line of the log may have {MAX_LINE} bytes, and not more")
        try:
            if os.write(self._handle, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except BaseException:
            with suppress(OSError):
                os.ftruncate(self._handle, self.end)
            raise
        self.frontier = frontier
        self.end += len(line)
        self.last = line
        self._settled = False
        return Head(frontier.size, root)

    def release(self) -> None:
        """Let others append: what this process wrote may be settled without the lock."""
        release(self._handle)

    def settle(self) -> None:
        """Return when all that was appended is on disk; others may append meanwhile.

        OSError if it cannot be: it is not tried again, for the kernel may have dropped it.
        """
        if not self._settled:
            pending = Pending(self._handle, self.folder / LOG, self._state(), self.last)
            pending.settle(self._notes, self.signer)
            self._settled = True

    def _state(self) -> State:
        start, line = self.end - len(self.last), digest(self.last)
        return State(self._file, start, self.end, line, self.frontier)

    def _note(self) -> None:
        """Note that the log is durable as it is now."""
        with alone(self._notes):
            self._notes.set_tip(self._state(), self.signer)
            self._notes.set_durable(self._state(), self.signer)
        self._settled = True

    def rotate(self, new: SigningKey) -> Head:
        """Name a new key, which signs all that follows; on return this is on disk."""
        seq, root = self.frontier.size, base64.b64encode(self.frontier.root()).decode()
        # There is no tip of it under the old key, so that nobody can go on with that.
        head = self._write(
            Draft(
                cmd="key-rotate",
                act="administration",
                ph=ROTATION,
                req=secrets.token_hex(16),
                **claim(self._origin, seq, root, self.signer.public, new),
            )
        )
        self.settle()
        self.signer = new
        self._note()
        return head

    def move(self, handle: int, before: Frontier, offset: int) -> None:
        """Go on in another file of the same entries, durable; its last line begins at the offset.

        `before` is the tree before that line.
        """
        os.dup2(handle, self._handle, inheritable=False)
        there = os.fstat(handle)
        self._file, self.end = there.st_ino, there.st_size
        self.last = os.pread(handle, there.st_size - offset, offset)
        self._note()

    def forget(self) -> None:
        """Nothing is to be forgotten before the file is replaced: the notes name its inode."""

    def _set_aside(self, tail: Tail) -> None:
        torn = os.pread(self._handle, tail.length - tail.end, tail.end)
        name = f"{LOG}.torn-{tail.end}-{hashlib.sha256(torn).hexdigest()[:12]}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(self.folder / name, flags, 0o600), "wb") as copy:
            copy.write(torn)
            copy.flush()
            os.fsync(copy.fileno())
        sync_folder(self.folder)
        self._notes.remove_tip()  # else the log would be right for the next one, and unrecorded
        os.ftruncate(self._handle, tail.end)

    def _record_torn(self) -> None:
        # Found by name, so that a crash between the cut and its entry loses no trace either.
        offset = self.end
        start = f"{LOG}.torn-{offset}-"
        for name in sorted(name for name in os.listdir(self.folder) if name.startswith(start)):
            torn = (self.folder / name).read_bytes()
            found = Draft(
                cmd="recovery",
                act="administration",
                ph="recovery",
                req=secrets.token_hex(16),
                offset=offset,
                len=len(torn),
                sha256=hashlib.sha256(torn).hexdigest(),
            )
            self.append(found)
