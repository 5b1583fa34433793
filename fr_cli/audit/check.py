"""The tree and its signed heads, line by line: what verification is made of."""

from __future__ import annotations

import base64
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from fr_cli.audit.canonical import parse
from fr_cli.audit.chunks import Examined, Terms
from fr_cli.audit.entry import check_fields
from fr_cli.audit.history import History
from fr_cli.audit.line import HeadVerifier, Line, read_line
from fr_cli.audit.merkle import Frontier
from fr_cli.audit.rotation import PHASE as ROTATION
from fr_cli.audit.rotation import Rotation
from fr_cli.records import Head

MAX_PROBLEMS = 20


class KeyRange(NamedTuple):
    """A public key (base64) and the lines that it has signed, counted from 1."""

    key: str
    first: int
    last: int


@dataclass(frozen=True)
class Verification:
    """What a log that verifies holds.

    `root` is the base64 tree head over all `entries`; `open_intents` are acts that still run, or
    whose process died since; the times are those of the first and the last entry, as written;
    `keys` are those that signed, in their order;
    `erased_entries` are the sequence numbers of those whose bodies are gone.
    """

    entries: int
    root: str
    erased: int
    open_intents: tuple[str, ...]
    abandoned: int
    recovered: int
    full: bool
    first_time: str
    last_time: str
    keys: tuple[KeyRange, ...] = ()
    erased_entries: tuple[int, ...] = ()


class Check:
    """The tree and its signed heads, line by line."""

    def __init__(
        self, public_key: bytes, origin: str | None, full: bool, witnessed: Collection[Head]
    ) -> None:
        self.problems: list[str] = []
        self.history = History(public_key, self.fault)
        self._public_key = public_key
        self._since = 1
        self._ranges: list[KeyRange] = []
        self._heads = HeadVerifier(public_key, origin) if origin is not None else None
        self._origin = origin
        self._full = full
        self._witnessed: dict[int, set[str]] = {}
        for head in witnessed:
            self._witnessed.setdefault(head.size, set()).add(head.root)
        self._frontier = Frontier()
        self._comparable = True
        self._number = 0
        self._size = 0
        self._last: Line | None = None
        self._rotation: Rotation | None = None

    def fault(self, what: str) -> None:
        """Note what is wrong with the line that is being read."""
        self.problems.append(f"line {self._number} {what}")

    def line(self, text: bytes) -> None:
        """Check one line, with its newline."""
        self._number += 1
        self._size += 1
        self._last = self._rotation = None
        try:
            line = read_line(text)
        except ValueError as trouble:
            self.fault(str(trouble))
            self._comparable = False
            return
        self._last = line
        if line.size != self._size:
            self.fault(f"states the size {line.size} in the place of {self._size}")
            self._size = line.size
            self._comparable = False
        rotation = self._rotation = self._entry(line)
        before = self._frontier.root() if rotation else b""
        self._tree(line)
        if self._heads and (self._full or rotation or not self._heads.names_key(line)):
            self._signature(line)
        if self._heads and rotation:
            self._rotate(rotation, base64.b64encode(before).decode())

    def terms(self) -> Terms | None:
        """By what lines can be checked elsewhere; None while nothing can, or after a fault."""
        if self.problems or self._origin is None or not self._comparable:
            return None
        return Terms(self._public_key, self._origin, self._full)

    def take(self, texts: list[bytes], chunk: Examined) -> bool:
        """Take over lines that were examined; False, and nothing done, if they need `line`."""
        if (
            self.problems
            or chunk.terms != self.terms()
            or chunk.size != self._size
            or chunk.first_time < self.history.last_time
            or any(self._size < size <= self._size + len(texts) for size in self._witnessed)
        ):
            return False
        frontier, leaves, roots = self._frontier.copy(), chunk.leaves, chunk.roots
        for at in range(0, 32 * len(texts), 32):
            frontier.append(leaves[at : at + 32])
            if frontier.root() != roots[at : at + 32]:
                return False
        self._frontier = frontier
        for phase, req in zip(chunk.phases, chunk.reqs, strict=True):
            self._number += 1
            self._size += 1
            self.history.examined(phase, req, self._size - 1)
        self.history.last_time = chunk.last_time or self.history.last_time
        self._last, self._rotation = read_line(texts[-1]), None
        return True

    def _entry(self, line: Line) -> Rotation | None:
        if line.body is None:
            self.history.erased_line(line.size - 1)
            return None
        try:
            entry = parse(line.body)
            check_fields(entry, line.size - 1)
            rotation = Rotation.of(entry) if entry["ph"] == ROTATION else None
        except ValueError as trouble:
            self.fault(f"holds an entry that {trouble}")
            return None
        if line.size == 1 and self._origin is None and isinstance(entry.get("origin"), str):
            self._origin = str(entry["origin"])
            self._heads = HeadVerifier(self._public_key, self._origin)
        self.history.entry(entry, self._number, self._origin)
        return rotation

    def _tree(self, line: Line) -> None:
        # After one wrong root all later ones are wrong too: the first is the one to name.
        if not self._comparable:
            return
        self._frontier.append(line.leaf)
        root = base64.b64encode(self._frontier.root()).decode()
        if root != line.root:
            self.fault("states another root than that of the entries up to it")
            self._comparable = False
        for seen in self._witnessed.get(line.size, set()) - {root}:
            self.fault(
                f"has another root than the witnessed head of this size ({seen} and not {root}): "
                "the log has two histories"
            )

    def _signature(self, line: Line) -> None:
        if self._heads is None:
            self.fault("cannot be checked: no genesis entry names the origin")
        elif not self._heads.signed(line):
            replaced = next((r for r in self._ranges if self._of(r).names_key(line)), None)
            also = f": the key it names was replaced at line {replaced.last}" if replaced else ""
            self.fault("is not signed by this key" + also)

    def _of(self, keys: KeyRange) -> HeadVerifier:
        return HeadVerifier(base64.b64decode(keys.key), str(self._origin))

    def _rotate(self, rotation: Rotation, root: str) -> None:
        old = base64.b64encode(self._public_key).decode()
        if rotation.old != old or (self._comparable and rotation.root != root):
            return self.fault("names a new key for another log than this")
        if rotation.key in {old, *(used.key for used in self._ranges)}:
            return self.fault("names a key that was in use before")
        if not rotation.proven(str(self._origin)):
            return self.fault("names a key whose owner has not signed that it takes over here")
        self._ranges.append(KeyRange(old, self._since, self._size))
        self._since = self._size + 1
        self._public_key = base64.b64decode(rotation.key)
        self._heads = HeadVerifier(self._public_key, str(self._origin))

    def end(self) -> None:
        """What can be said only when all lines were read."""
        heads, last = self._heads, self._last
        # The signature of a rotation was checked with the key before.
        checked = self._full or self._rotation
        if last and (not heads or (not checked and heads.names_key(last))):
            self._signature(last)
        if not self._number:
            self.problems.append("it holds no entry")
        longest = max(self._witnessed, default=0)
        if self._size < longest:
            self.problems.append(
                f"it has {self._size} entries and a witness saw {longest}: it was cut"
            )
        for seq in self.history.unexplained():
            self.problems.append(f"line {seq + 1} was erased and no erasure entry names it")
        del self.problems[MAX_PROBLEMS:]

    def verification(self) -> Verification:
        """What was found; call it when there are no problems."""
        root = base64.b64encode(self._frontier.root()).decode()
        history = self.history
        return Verification(
            entries=self._size,
            root=root,
            erased=len(history.erased),
            open_intents=tuple(history.open),
            abandoned=history.abandoned,
            recovered=history.recovered,
            full=self._full,
            first_time=history.first_time,
            last_time=history.last_time,
            keys=(*self._ranges, self._range()),
            erased_entries=tuple(sorted(history.erased)),
        )

    def _range(self) -> KeyRange:
        return KeyRange(base64.b64encode(self._public_key).decode(), self._since, self._size)
