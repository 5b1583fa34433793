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
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Literal

from fr_cli.audit import erasing
from fr_cli.audit import lease as leases
from fr_cli.audit.caching import Notes
from fr_cli.audit.entry import JSON, KINDS, Draft, canonical
from fr_cli.audit.line import MAX_LINE
from fr_cli.audit.reboot import cut_short, same_boot
from fr_cli.audit.storage import APPENDING, locked, read_tail, snapshot
from fr_cli.audit.writer import LOG, Writer, key_in_force, last_line
from fr_cli.errors import (
    INTERRUPTED,
    AuditBroken,
    AuditUnwritable,
    ConfigurationError,
    FrError,
)
from fr_cli.keys import SigningKey
from fr_cli.records import Head

#: Bytes that the decision of an act may take; the rest of its line is for the stamp and the head.
MAX_DECISION = MAX_LINE - 4096


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
        self.behalf: Mapping[str, JSON] = {"op": asker}
        self._leases = folder / "leases"
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
        suspicious = leases.any_dead(self._leases)
        held = [self._lease(req)]
        try:
            with self._writer() as writer:
                if suspicious or writer.rebooted:
                    self._close_abandoned(writer, held)
                writer.append(drafted)
            while len(held) > 1:
                with suppress(OSError):  # what is left behind is judged once more, and is closed
                    held.pop().end()
        except BaseException:
            for lease in held:
                lease.drop()
            raise
        return Act(self, command, kind, held[0], {**self.behalf, **_policy_of(intent)})

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
        assert act.head is not None
        return act.head

    def _lease(self, req: str) -> leases.Lease:
        """The lease of an intent that is about to be written."""
        try:
            return leases.take(self._leases, req, os.stat(self.path).st_size)
        except OSError as trouble:
            raise self._unwritable(trouble) from trouble

    def _close_abandoned(self, writer: Writer, held: list[leases.Lease]) -> None:
        """Close what dead processes left open; the leases may end when that is on disk."""
        for lease in leases.dead(self._leases):
            held.append(lease)
            # A crash may have come before the intent, or after the outcome: then there is
            # nothing to close.
            entry = writer.unfinished(lease.req, lease.offset)
            if entry:
                if unstruck := erasing.pending(entry):
                    erasing.strike(writer, frozenset(unstruck))
                closing = Draft(
                    cmd=entry["cmd"], act=entry["act"], ph="abandoned", req=lease.req,
                    **_policy_of(entry),
                )  # fmt: skip
                writer.append(closing)

    @contextmanager
    def _writer(self) -> Iterator[Writer]:
        """The log for appending; when the block is left, all that it wrote is on disk."""
        try:
            with self._locked() as writer:
                writer.resume()
                if writer.signer != self._signer:
                    with suppress(
                        OSError, ConfigurationError
                    ):  # then it stays beside the old one, and is found there
                        writer.signer = writer.signer.install()
                    self._signer = writer.signer
                writer.rebooted = not same_boot(writer.last)
                if writer.rebooted:
                    for req, offset in cut_short(writer).items():
                        leases.revive(self._leases, req, offset)
                writer.repair()
                yield writer
                writer.release()
                writer.settle()
        except AuditUnwritable as trouble:
            # What a failed sync has left is cut off; if not now, then by whoever writes next.
            if isinstance(trouble.__cause__, OSError):
                with suppress(AuditUnwritable, AuditBroken), self._locked() as writer:
                    writer.resume()
            raise

    @contextmanager
    def _locked(self, flags: int = 0) -> Iterator[Writer]:
        try:
            with locked(self.path, flags | APPENDING) as handle:
                notes = Notes(self.path.parent)
                try:
                    yield Writer(handle, notes, self.path.parent, self._signer, self._origin)
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


def _policy_of(entry: Mapping[str, JSON]) -> dict[str, JSON]:
    return {"policy": entry["policy"]} if "policy" in entry else {}


class Act:
    """An intent that is being carried out; leaving the block writes its outcome.

    `exit_code` may be set to what the command will exit with (0, or 100 for some skipped).
    `head` is the signed head of the outcome, once that is on disk.
    """

    def __init__(
        self,
        log: AuditLog,
        command: str,
        kind: str,
        lease: leases.Lease,
        repeated: Mapping[str, JSON],
    ) -> None:
        """`repeated` is what every entry of the act says: on whose behalf, under which policy."""
        self.id = lease.req
        self.exit_code = 0
        self.head: Head | None = None
        self._log = log
        self.command = command
        self._kind = kind
        self._lease = lease
        self._repeated = repeated
        self._decision: dict[str, JSON] = {}

    def decide(self, **decision: JSON) -> None:
        """Add to what the outcome will record under `dec`.

        TypeError for a float, ValueError beyond MAX_DECISION: here, where the fault is, and not
        when the outcome is written.
        """
        decided = self._decision | decision
        if len(canonical(decided)) > MAX_DECISION:
            raise ValueError(f"a decision must be below {MAX_DECISION} bytes; use batches")
        self._decision = decided

    def batch(self, **body: JSON) -> None:
        """Record one part of the act, such as one transaction of many; durable on return."""
        drafted = self._draft("batch", body)
        with self._log._writer() as writer:
            writer.append(drafted)

    def _draft(self, phase: str, body: dict[str, JSON]) -> Draft:
        said = {**body, **self._repeated}
        return Draft(cmd=self.command, act=self._kind, ph=phase, req=self.id, **said)

    def __enter__(self) -> Act:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        trouble: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[False]:
        try:
            outcome = self._draft("outcome", self._outcome(trouble))
            with self._log._writer() as writer:
                head = writer.append(outcome)
            self.head = head
            self._lease.end()
        except BaseException as failure:
            if self.head is None:
                self._lease.drop()
            if isinstance(failure, AuditUnwritable) or not isinstance(failure, Exception):
                raise
            raise AuditUnwritable(
                f"The outcome of this act could not be written: {failure}",
                hint="Show nothing of it. The next act will record it as abandoned.",
            ) from failure
        return False

    def _outcome(self, trouble: BaseException | None) -> dict[str, JSON]:
        # The class of an error and never its message, which may hold personal data.
        if trouble is None:
            return {"exit": self.exit_code, "dec": self._decision}
        code = 1
        if isinstance(trouble, FrError):
            code = trouble.code
        elif isinstance(trouble, KeyboardInterrupt):
            code = INTERRUPTED
        failed: dict[str, JSON] = {"exit": code, "error": type(trouble).__name__}
        return failed | ({"dec": self._decision} if self._decision else {})
