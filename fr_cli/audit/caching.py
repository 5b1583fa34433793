"""The frontier of the log as it was before the last line, kept beside the log.

It saves reading the file, and it tells when lines that were there are gone or are others. It is
no witness: whoever can write the log can remove it. It is never believed without the signed root.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from fr_cli.audit.entry import JSON
from fr_cli.audit.merkle import Frontier

#: One size for all caches, so that a shorter one covers the longer: 50 peaks of 47 characters.
_SIZE = 2500


def remember(path: Path, before: Frontier, offset: int) -> None:
    """Keep the frontier before the last line, which begins at the offset.

    Before it, so that the next act reads that line, and an edit of it cannot hide here.
    """
    peaks = [base64.b64encode(peak).decode() for peak in before.peaks]
    cache: dict[str, JSON] = {"offset": offset, "peaks": peaks, "size": before.size}
    cache["sum"] = _sum(cache)
    # Written in place: a rename for every act would cost as much as its fdatasync. One that a
    # power cut tears fails its sum and is as none.
    with suppress(OSError):  # the entry is on disk, and the next act can do without
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.write(handle, json.dumps(cache).encode().ljust(_SIZE) + b"\n")
        finally:
            os.close(handle)


def recall(path: Path) -> tuple[Frontier, int]:
    """The frontier and the offset; those of an empty log if there is no cache, or a wrong one."""
    try:
        cache = json.loads(path.read_bytes())
        if cache.pop("sum") != _sum(cache):
            return Frontier(), 0
        peaks = [base64.b64decode(peak) for peak in cache["peaks"]]
        size, offset = int(cache["size"]), int(cache["offset"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return Frontier(), 0
    if size < 0 or offset < 0 or len(peaks) != size.bit_count():
        return Frontier(), 0
    return Frontier(size, peaks), offset


def _sum(cache: dict[str, JSON]) -> str:
    return hashlib.sha256(json.dumps(cache, sort_keys=True).encode()).hexdigest()
