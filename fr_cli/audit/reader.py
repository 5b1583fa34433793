"""Reading a log as it was signed: every line, in order, and at the end the signed root over them.

Whoever shows, proves or hands out entries reads them here, so that none comes from a changed file.
Memory does not grow with the log. Nothing is written.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from fr_cli.audit.canonical import parse
from fr_cli.audit.line import Line, lines, read_line
from fr_cli.audit.note import Note, note_of
from fr_cli.audit.proof import Paths
from fr_cli.audit.receipt import Consistency, Inclusion
from fr_cli.audit.rotation import rotation_in
from fr_cli.audit.storage import Tail, read_tail, snapshot
from fr_cli.audit.trust import Keys, Trusted, changed, check_signed
from fr_cli.errors import AuditBroken, UsageProblem
from fr_cli.records import Listener, Silence

Chooser = Callable[[Line], bool]


@dataclass(frozen=True)
class Log:
    """A log file, and the key of its genesis; `origin` None takes that of its genesis."""

    path: Path
    public: bytes
    origin: str | None = None

    def head(self) -> Note:
        """The last signed head. All lines are read only if the key was changed since the first."""
        try:
            file, tail = self._opened()
            file.close()
            note = note_of(self.named, read_line(tail.text))
            check_signed(note, self.keys)
        except ValueError as trouble:
            raise AuditBroken(f"The last line of the audit log {trouble}.") from None
        except AuditBroken:
            return self.read().through().note
        return note

    @property
    def keys(self) -> Keys:
        """The key that is believed to begin with."""
        return (Trusted(self.public),)

    def read(
        self,
        *,
        upto: int | None = None,
        choose: Chooser = lambda line: False,
        listener: Listener = Silence(),  # noqa: B008  (it holds nothing)
    ) -> Reading:
        """Begin to read, up to the head of size `upto` or to the last; see Reading."""
        # One handle from here on: an erasure puts another file of other offsets in its place.
        file, tail = self._opened()
        return Reading(self, file, tail.end, upto, choose, listener)

    def _opened(self) -> tuple[BinaryIO, Tail]:
        try:
            file, length = snapshot(self.path)
        except OSError as trouble:
            raise AuditBroken(f"{self.path} cannot be read: {trouble.strerror}.") from trouble
        tail = read_tail(file.fileno(), length)
        if not tail.text:
            file.close()
            raise AuditBroken("The audit log holds no entry, not even its first.")
        return file, tail

    @cached_property
    def named(self) -> str:
        """The origin."""
        if self.origin is not None:
            return self.origin
        file, tail = self._opened()
        with file:
            first = next(lines(file, tail.end))
        try:
            return str(parse(read_line(first).body or b"{}")["origin"])
        except (ValueError, KeyError):
            raise AuditBroken("The first line of the log names no origin.") from None


class Reading:
    """One pass over a log: iterate it to the end, then ask for what was proven on the way.

    `choose` says of each line whether its inclusion is to be proven later. AuditBroken at the
    line that is wrong, or at the end if the lines are not those that were signed: believe
    nothing before that. `keys` and `changes` are the keys met so far, and the entries (by
    sequence number) that named the later ones.
    """

    def __init__(
        self,
        log: Log,
        file: BinaryIO,
        end: int,
        upto: int | None,
        choose: Chooser,
        listener: Listener,
    ) -> None:
        self._log = log
        self._file = file
        self._end = end
        self._upto = upto
        self._choose = choose
        self._listener = listener
        self._paths = Paths()
        self._chosen: dict[int, Line] = {}
        self._note: Note | None = None
        self.keys = log.keys
        self.changes: list[int] = []

    def __iter__(self) -> Iterator[Line]:
        last = None
        with self._file:
            texts = lines(self._file, self._end)
            for text in self._listener.track(texts, "Reading the audit log", self._upto):
                last = self._line(text)
                yield last
                if last.size == self._upto:
                    break
        self._finish(last)

    def _line(self, text: bytes) -> Line:
        number = self._paths.size + 1
        try:
            line = read_line(text)
        except ValueError as trouble:
            raise AuditBroken(f"Line {number} of the audit log {trouble}.") from None
        if line.size != number:
            raise AuditBroken(f"Line {number} of the audit log states the size {line.size}.")
        try:
            rotation = rotation_in(line)
        except ValueError as trouble:
            raise AuditBroken(f"Line {number} of the audit log {trouble}.") from None
        chosen = self._choose(line)
        before = self._paths.root() if rotation else b""
        self._paths.append(line.leaf, keep=chosen)
        if chosen or rotation:
            self._check_root(line)
        if chosen:
            self._chosen[number - 1] = line
        if rotation:
            self.keys = changed(self.keys, rotation, before, note_of(self._log.named, line))
            self.changes.append(number - 1)
        return line

    def _check_root(self, line: Line) -> None:
        if base64.b64encode(self._paths.root()).decode() != line.root:
            raise AuditBroken(
                f"The first {line.size} entries of the audit log are not those that were signed.",
                hint="See which with: fr audit verify",
            )

    def _finish(self, last: Line | None) -> None:
        if last is None or (self._upto and last.size < self._upto):
            raise UsageProblem(
                f"The log has {last.size if last else 0} entries, not {self._upto}.",
                hint="See how many there are with: fr audit head",
            )
        self._check_root(last)
        self._note = note_of(self._log.named, last)
        check_signed(self._note, self.keys)

    @property
    def note(self) -> Note:
        """The signed head that all lines read lead to."""
        assert self._note is not None, "read to the end first"
        return self._note

    def through(self) -> Reading:
        """Read to the end, for the proofs alone."""
        for _ in self:
            pass
        return self

    @property
    def chosen(self) -> list[int]:
        """The sequence numbers of the chosen lines."""
        return list(self._chosen)

    def inclusion(self, index: int) -> Inclusion:
        """The proof of a chosen line."""
        line = self._chosen[index]
        extra = line.leaf if line.body is None else line.body
        return Inclusion(index, extra, tuple(self._paths.inclusion(index)), self.note)

    def consistency(self, old: int) -> Consistency:
        """The proof from the head of size `old`, whose last line was chosen."""
        return Consistency(old, tuple(self._paths.consistency(old)), self.note)
