"""The newest lines of a log first: for what only its end can tell, without reading all of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from fr_cli.audit.storage import read_tail
from fr_cli.errors import AuditBroken

_BLOCK = 1 << 16


def newest_first(path: Path) -> Iterator[bytes]:
    """The whole lines of a log, each with its newline, from the last to the first.

    They are not checked against the signed root: `fr audit verify` does that.
    """
    # Without the log's lock, and without syncing it as a head that is given out needs: the end of
    # a line that is being written is not taken for one.
    try:
        file = path.open("rb", buffering=0)
    except OSError as trouble:
        raise AuditBroken(f"{path} cannot be read: {trouble.strerror}.") from trouble
    with file:
        handle = file.fileno()
        length = os.fstat(handle).st_size
        # `rest` ends with a line's end and may begin in the middle of one.
        start, rest = read_tail(handle, length).end, b""
        while start > 0:
            size = min(_BLOCK, start)
            start -= size
            first, *others = (os.pread(handle, size, start) + rest)[:-1].split(b"\n")
            yield from (line + b"\n" for line in reversed(others))
            rest = first + b"\n"
        if rest:
            yield rest
