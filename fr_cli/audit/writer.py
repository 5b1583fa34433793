"""What may be done under the lock of the log: appending, for others too, and repair after a crash.

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
from pathlib import Path

from fr_cli.audit import waiting
from fr_cli.audit.caching import FILE, Notes, State, digest
from fr_cli.audit.canonical import JSON, parse
from fr_cli.audit.entry import CLOSING, Draft
from fr_cli.audit.line import MAX_LINE, read_line, signed_line
from fr_cli.audit.merkle import Frontier, leaf_hash
from fr_cli.audit.resuming import lines_of, same_boot, sync, take_up
from fr_cli.audit.rotation import PHASE as ROTATION
from fr_cli.audit.rotation import claim
from fr_cli.audit.storage import LOG, Tail, release
from fr_cli.disk import sync_folder
from fr_cli.errors import AuditUnwritable
from fr_cli.keys import SigningKey
from fr_cli.records import Head


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
        self._served: dict[str, tuple[waiting.Request, Head]] = {}

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
        """Take up the log where its last whole line ends; raises as `take_up`."""
        place = take_up(self._handle, self._notes, self.signer, self._origin)
        self.signer, self.frontier, self.end, self.last, self._unrepaired = place
        self.rebooted = not same_boot(self.last)

    def repair(self) -> None:
        """Set aside what a crash tore off, and record it."""
        if self._unrepaired:  # else the log is as its last writer left it
            if self._unrepaired.length > self.end:
                self._set_aside(self._unrepaired)
            self._record_torn()
            self._unrepaired = None

    def lines(self, offset: int) -> Iterator[bytes]:
        """The whole lines from an offset on."""
        return lines_of(self._handle, offset, self.end)

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

    def serve(self) -> None:
        """Write what others have left to be written, each once; they are told by `answer`."""
        requests = [
            one
            for one in waiting.taken(self.folder, self.signer)
            if one.file == self._file and self.end - waiting.FAR < one.seen <= self.end
        ]
        if requests:
            start = min(one.seen for one in requests)
            there = waiting.nonces(os.pread(self._handle, self.end - start, start))
            for one in requests:
                if one.draft.nonce not in there:
                    there.add(one.draft.nonce)
                    self._served[one.draft.nonce] = one, self.append(one.draft)

    def found(self, turn: waiting.Turn) -> Head | None:
        """The head of an entry that was left to be written, if somebody has done that."""
        nonce, left = turn.draft.nonce, turn.request
        if nonce in self._served:
            return self._served[nonce][1]
        if left:
            same = left.file == self._file and left.seen <= self.end
            for text in self.lines(left.seen if same else 0):
                if nonce in waiting.nonces(text):
                    line = read_line(text)
                    return Head(line.size, line.root)
        return None

    def settle(self) -> None:
        """Return when all that was appended is on disk; raises as `sync`."""
        if not self._settled:
            sync(self._handle, self._notes)
            self._note()

    def release(self) -> None:
        """Let others have the log, those who wait and those who were served; all is settled."""
        release(self._handle)
        waiting.wake(self.folder)
        waiting.answer(self._served.values())

    def _note(self) -> None:
        """Note that all of the log is on disk."""
        start, line = self.end - len(self.last), digest(self.last)
        state = State(self._file, start, self.end, line, self.frontier)
        self._notes.set_state(state, self.signer)
        self._settled = True

    def rotate(self, new: SigningKey) -> Head:
        """Name a new key, which signs all that follows; on return this is on disk."""
        seq, root = self.frontier.size, base64.b64encode(self.frontier.root()).decode()
        head = self.append(
            Draft(
                cmd="key-rotate",
                act="administration",
                ph=ROTATION,
                req=secrets.token_hex(16),
                **claim(self._origin, seq, root, self.signer.public, new),
            )
        )
        # There is no note of it under the old key, so that nobody can go on with that.
        sync(self._handle, self._notes)
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
        self._notes.sync()  # else the log would be right for the next one, and unrecorded
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
