"""Proofs as text files, which prove themselves to whoever has the log's public key.

Inclusion is c2sp.org/tlog-proof@v1, with the entry itself as its `extra` line:

    c2sp.org/tlog-proof@v1
    extra <base64 of the entry's bytes; of an erased entry, its leaf hash>
    index 41
    <base64 of each hash, from the leaf's sibling up>

    <signed head, as a note>

Consistency is what c2sp.org/tlog-witness asks of a log: `old 40`, hashes, an empty line, the note.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass

from fr_cli.audit.canonical import JSON, parse
from fr_cli.audit.entry import check_fields
from fr_cli.audit.line import MAX_LINE
from fr_cli.audit.merkle import leaf_hash, node_hash
from fr_cli.audit.note import MAX_NOTE, Note, read_note, strict_base64
from fr_cli.audit.proof import extends, includes
from fr_cli.audit.trust import Trusted, check_signed
from fr_cli.errors import AuditBroken
from fr_cli.records import Head

TLOG_PROOF = "c2sp.org/tlog-proof@v1"
#: Bytes of a proof file that is read: an entry in base64, 63 hashes and a note.
MAX_PROOF = MAX_LINE * 4 // 3 + 63 * 45 + MAX_NOTE + 100
_NUMBER = "(0|[1-9][0-9]{0,14})"


@dataclass(frozen=True)
class Inclusion:
    """That the entry of this index is in the tree of the note."""

    index: int
    extra: bytes
    path: tuple[bytes, ...]
    note: Note

    @property
    def leaf(self) -> bytes:
        """The leaf hash, 32 bytes."""
        return leaf_hash(self.extra) if self.extra.startswith(b"{") else self.extra

    @property
    def entry(self) -> dict[str, JSON] | None:
        """The entry; None where only its leaf hash is given. Check the proof first."""
        return parse(self.extra) if self.extra.startswith(b"{") else None

    def text(self) -> str:
        """The proof file."""
        extra = base64.b64encode(self.extra).decode()
        head = f"{TLOG_PROOF}\nextra {extra}\nindex {self.index}\n"
        return head + _hashes(self.path) + "\n" + self.note.text()

    def check(self, keys: Iterable[Trusted]) -> None:
        """AuditBroken unless the signature, the path and the entry's own number hold."""
        check_signed(self.note, keys)
        if not includes(self.note.root, self.note.head.size, self.index, self.leaf, self.path):
            raise AuditBroken(
                f"The proof does not lead from entry {self.index} to the signed head."
            )
        try:
            if self.entry is not None:
                check_fields(self.entry, self.index)
        except ValueError as trouble:
            raise AuditBroken(f"The proof holds an entry that {trouble}.") from None

    def root_before(self) -> bytes:
        """The root of the tree without the entry, where that is the last; b"" if it is alone."""
        root = self.path[0] if self.path else b""
        for peak in self.path[1:]:
            root = node_hash(peak, root)
        return root


@dataclass(frozen=True)
class Consistency:
    """That the tree of the note begins with the tree of `old` entries."""

    old: int
    path: tuple[bytes, ...]
    note: Note

    def text(self) -> str:
        """The proof file."""
        return f"old {self.old}\n{_hashes(self.path)}\n{self.note.text()}"

    def follows(self, old: Head) -> bool:
        """Whether the path holds between this old head and the note's, signatures apart."""
        root = base64.b64decode(old.root)
        head = self.note.head
        return old.size == self.old and extends(
            root, old.size, self.note.root, head.size, self.path
        )


def read_proof(data: bytes) -> Inclusion | Consistency | Note:
    """Read a proof file, or a head alone; AuditBroken says how it leaves the form."""
    if len(data) > MAX_PROOF:
        raise AuditBroken("This is not a proof: it is too long.")
    begin, _, rest = data.partition(b"\n")
    if begin == TLOG_PROOF.encode():
        return _inclusion(rest)
    if begin.startswith(b"old "):
        lines, note = _parts(data)
        return Consistency(_number("old", lines[0]), _path(lines[1:]), note)
    return read_note(data)


def _inclusion(data: bytes) -> Inclusion:
    lines, note = _parts(data)
    if len(lines) < 2 or not lines[0].startswith("extra "):
        raise AuditBroken("This proof does not hold its entry: the line `extra` is missing.")
    extra = strict_base64(lines[0].removeprefix("extra "))
    if not extra.startswith(b"{") and len(extra) != 32:
        raise AuditBroken("This proof holds neither an entry nor a leaf hash.")
    return Inclusion(_number("index", lines[1]), extra, _path(lines[2:]), note)


def _parts(data: bytes) -> tuple[list[str], Note]:
    proof, _, note = data.partition(b"\n\n")
    try:
        return proof.decode("ascii").split("\n"), read_note(note)
    except UnicodeDecodeError:
        raise AuditBroken("This is not a proof: it is not ASCII.") from None


def _number(name: str, line: str) -> int:
    found = re.fullmatch(f"{name} {_NUMBER}", line)
    if found is None:
        raise AuditBroken(f"This is not a proof: its line `{name}` is not of its form.")
    return int(found[1])


def _path(lines: list[str]) -> tuple[bytes, ...]:
    path = tuple(strict_base64(line) for line in lines)
    if len(path) > 63 or any(len(one) != 32 for one in path):
        raise AuditBroken("This is not a proof: its hashes are not 32 bytes each, at most 63.")
    return path


def _hashes(path: tuple[bytes, ...]) -> str:
    return "".join(base64.b64encode(one).decode() + "\n" for one in path)
