"""The few lines of a log that hold certain bytes, without taking the others apart.

Who decides on one search must not wait until a million lines were read as JSON: the bytes are
looked for as they lie in the file, some gigabytes a second, and only the lines that hold them are
read. No index is kept, so none can be stale, nor remember what was erased.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path

from fr_cli.audit.line import Line, read_line
from fr_cli.audit.storage import snapshot
from fr_cli.errors import AuditBroken

_BLOCK = 1 << 24
_ACT = b'"req":"'


def lines_with(path: Path, *marks: bytes) -> Iterator[Line]:
    """The lines that hold one of these marks, in the order of the log.

    A mark is written as entries are (canonical JSON), such as `"cmd":"decide"`: what an operator
    typed has its quotes escaped there, and cannot pass for one. The lines are not checked against
    the signed root: `fr audit verify` does that. AuditBroken if a line is none.
    """
    for block in _blocks(path):
        nearest = {mark: block.find(mark) for mark in marks}
        while found := [place for place in nearest.values() if place >= 0]:
            text, end = _line_at(block, min(found))
            yield text
            for mark, seen in nearest.items():
                if 0 <= seen < end:
                    nearest[mark] = block.find(mark, end)


def lines_of(path: Path, acts: Container[str]) -> Iterator[Line]:
    """The lines of these acts, by their ids, in the order of the log; as `lines_with`."""
    for block in _blocks(path):
        place = block.find(_ACT)
        while place >= 0:
            here = place + len(_ACT)
            if block[here : here + 32].decode("ascii", "replace") in acts:
                text, place = _line_at(block, place)
                yield text
                here = place
            place = block.find(_ACT, here)


def _blocks(path: Path) -> Iterator[bytes]:
    """The log in blocks of whole lines; what a crash tore off at its end is in none."""
    try:
        file, length = snapshot(path)
    except OSError as trouble:
        raise AuditBroken(f"{path} cannot be read: {trouble.strerror}.") from trouble
    with file:
        rest = b""
        while read := file.read(min(_BLOCK, length)):
            length -= len(read)
            block = rest + read
            whole = block.rfind(b"\n") + 1
            yield block[:whole]
            rest = block[whole:]


def _line_at(block: bytes, place: int) -> tuple[Line, int]:
    """The line in which this place lies, and where it ends."""
    start, end = block.rfind(b"\n", 0, place) + 1, block.find(b"\n", place) + 1
    try:
        return read_line(block[start:end]), end
    except ValueError as trouble:
        raise AuditBroken(f"A line of the audit log {trouble}.") from None
