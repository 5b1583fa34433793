"""The audit log as the other rooms see it: an act is announced, done, and its outcome recorded.

    with log.act("identify", "consultation", why={"case": "CR/26/1"}) as act:
        …
        act.decide(result="no_candidate")

The intent is on disk before the body runs, the outcome before the block is left; so show results
only after the block. If either cannot be written, AuditUnwritable is raised and nothing may be
shown.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from fr_cli.audit import erasing
from fr_cli.audit.act import Act
from fr_cli.audit.caching import Notes
from fr_cli.audit.canonical import JSON
from fr_cli.audit.entry import KINDS, Draft
from fr_cli.audit.lease import Lease, Leases
from fr_cli.audit.reboot import cut_short
from fr_cli.audit.resuming import key_in_force, last_line
from fr_cli.audit.storage import APPENDING, LOG, locked, read_tail, snapshot
from fr_cli.audit.waiting import Inbox, Served, Turn
from fr_cli.audit.writer import Writer
from fr_cli.errors import AuditBroken, AuditUnwritable, ConfigurationError
from fr_cli.keys import SigningKey
from fr_cli.records import Head

__all__ = ["Act", "AuditLog"]


class AuditLog:
    """The log in the audit folder of a home, written with the home's signing key."""

    def __init__(
        self,
        folder: Path,
        signer: SigningKey,
        origin: str,
        asker: Mapping[str, JSON] | None = None,
    ) -> None:
        """`asker` is on whose behalf this process acts; None for whoever runs it."""
        self.path = folder / LOG
        self._folder = folder
        self.behalf: Mapping[str, JSON] = {"op": asker}
        self._leases = Leases(folder)
        self._inbox = Inbox()
        self._signer = signer
        self._origin = origin

    @classmethod
    def create(cls, folder: Path, signer: SigningKey, origin: str) -> AuditLog:
        """Begin a log with its genesis entry, which names the origin and the public key.

        ValueError unless the origin is a C2SP key name; AuditUnwritable if there is a log.
        """
        if not re.fullmatch(r"[!-*,-~]+", origin):
            raise ValueError("the origin must be printable ASCII without spaces and plus signs")
        log = cls(folder, signer, origin)
        genesis = Draft(
            cmd="init",
            act="administration",
            ph="genesis",
            req=secrets.token_hex(16),
            origin=origin,
            key=base64.b64encode(signer.public).decode(),
        )
        with log._locked(os.O_CREAT) as writer:
            writer.begin(genesis)
        return log

    @property
    def signer(self) -> SigningKey:
        """The key that signed what was written last; another process may have rotated it since."""
        return self._signer

    def head(self) -> Head:
        """The signed head of the file as it is now; writes nothing."""
        try:
            file, length = snapshot(self.path)
        except OSError as trouble:
            raise AuditBroken(f"{self.path} cannot be read: {trouble.strerror}.") from trouble
        with file:
            tail = read_tail(file.fileno(), length)
        last = last_line(tail)
        key_in_force(last, self._signer, self._origin)
        return Head(last.size, last.root)

    def act(self, command: str, kind: str, **intent: JSON) -> Act:
        """Put an intent on disk; the act is the context in which it is then carried out.

        `kind` is one of `entry.KINDS`. A `policy` (SHA-256) of the intent stands in every entry of
        the act. Acts whose processes died are closed as abandoned first.
        AuditUnwritable or AuditBroken: nothing may be done. TypeError for a float.
        """
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is not a kind of act")
        req = secrets.token_hex(16)
        drafted = Draft(cmd=command, act=kind, ph="intent", req=req, **self.behalf, **intent)
        # Looked for without the lock, for there may be many; judged with it.
        suspicious = self._leases.any_dead()
        lease = self._lease(req)
        try:
            if suspicious:
                with self._writer(suspicious=True):
                    pass
            self._record(drafted)
        except BaseException:
            lease.drop()
            raise
        return Act(self._record, command, kind, lease, {**self.behalf, **_policy_of(intent)})

    def rotate(
        self, new: SigningKey, keys: Path | None = None, passphrase: bytes | None = None
    ) -> Head:
        """Sign with a new key from here on; the head is of the entry that names it.

        `keys` is the folder where the home keeps its key (under the passphrase, if one is
        given): the new one is there before the log names it and takes the old one's place
        after, so a crash at any moment leaves a key with which the log goes on. Without `keys`
        the caller keeps the new key, durable before this is called. OSError cannot come:
        AuditUnwritable says that nothing was rotated, or that only the last renaming failed.
        """
        with self._writer() as writer:
            self._signer = writer.signer.install()  # else its file would be written over
            head = writer.rotate(new.stage(keys, passphrase) if keys else new)
            self._signer = writer.signer
            self._signer = writer.signer.install()
        return head

    def erase(self, seqs: Collection[int], reason: str) -> Head:
        """Erase the bodies of these entries, whole acts that are over; their hashes stay.

        The act that names them is written first. UsageProblem if one of them must stay.
        """
        wanted = frozenset(seqs)
        with self._writer() as writer:
            erasing.check(writer, wanted)
        names: list[JSON] = [*sorted(wanted)]
        with self.act(erasing.COMMAND, "erasure", erases=names, reason=reason) as act:
            with self._writer() as writer:
                erasing.strike(writer, wanted)
            act.decide(erased=len(wanted))
        return act.head

    def _lease(self, req: str) -> Lease:
        """The lease of an intent that is about to be written."""
        try:
            return self._leases.take(req, os.stat(self.path).st_size)
        except OSError as trouble:
            raise self._unwritable(trouble) from trouble

    def _record(self, draft: Draft) -> Head:
        """Put an entry on disk, or have it put there by another who writes at the moment."""
        turn = Turn(draft, self._folder, self._signer, self._inbox)
        try:
            with self._writer(turn.wait) as writer:
                return writer.found(turn) or writer.append(draft)
        except Served as served:
            return served.head

    @contextmanager
    def _writer(
        self, wait: Callable[[float], None] = time.sleep, *, suspicious: bool = False
    ) -> Iterator[Writer]:
        """The log for appending; when the block is left, all that it wrote is on disk.

        `suspicious`: acts whose processes are dead are looked for, and closed.
        """
        dead: list[Lease] = []
        try:
            with self._locked(wait=wait) as writer:
                self._resume(writer)
                if suspicious or writer.rebooted:
                    dead.extend(self._leases.dead())
                # After it is known who is dead: what they have left to be written comes first.
                writer.serve()
                for lease in dead:
                    _close_abandoned(writer, lease)
                yield writer
                writer.settle()
                writer.release()
            while dead:
                with suppress(OSError):  # what is left behind is judged once more, and is closed
                    dead.pop().end()
        except AuditUnwritable as trouble:
            # What a failed sync has left is cut off; if not now, then by whoever writes next.
            if isinstance(trouble.__cause__, OSError):
                with suppress(AuditUnwritable, AuditBroken), self._locked() as writer:
                    writer.resume()
            raise
        finally:
            for lease in dead:
                lease.drop()

    def _resume(self, writer: Writer) -> None:
        """Make the log ready for appending, whatever those before have left."""
        writer.resume()
        if writer.signer != self._signer:
            with suppress(OSError, ConfigurationError):
                # If not, it stays beside the old one, and is found there.
                writer.signer = writer.signer.install()
            self._signer = writer.signer
        if writer.rebooted:
            for req, offset in cut_short(writer.lines(0)).items():
                self._leases.revive(req, offset)
        writer.repair()

    @contextmanager
    def _locked(
        self, flags: int = 0, wait: Callable[[float], None] = time.sleep
    ) -> Iterator[Writer]:
        try:
            with locked(self.path, flags | APPENDING, wait) as handle:
                notes = Notes(self._folder)
                try:
                    yield Writer(handle, notes, self._folder, self._signer, self._origin)
                finally:
                    notes.close()
        except OSError as trouble:
            raise self._unwritable(trouble) from trouble

    def _unwritable(self, trouble: OSError) -> AuditUnwritable:
        if isinstance(trouble, FileNotFoundError):
            return AuditUnwritable(
                f"The audit log {self.path} is missing.",
                hint="Restore the folder from its backup; a log that was lost is not begun anew.",
            )
        return AuditUnwritable(
            f"The audit log {self.path} cannot be written: {trouble.strerror or trouble}.",
            hint="See whether the disk is full and who owns the folder.",
        )


def _close_abandoned(writer: Writer, lease: Lease) -> None:
    """Close what a dead process left open; the lease may end when that is on disk."""
    # A crash may have come before the intent, or after the outcome: then there is nothing to close.
    entry = writer.unfinished(*lease.intent)
    if entry:
        if unstruck := erasing.pending(entry):
            erasing.strike(writer, frozenset(unstruck))
        closing = Draft(
            cmd=entry["cmd"],
            act=entry["act"],
            ph="abandoned",
            req=lease.intent.req,
            **_policy_of(entry),
        )
        writer.append(closing)


def _policy_of(entry: Mapping[str, JSON]) -> dict[str, JSON]:
    return {"policy": entry["policy"]} if "policy" in entry else {}
