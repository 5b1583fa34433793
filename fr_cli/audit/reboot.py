"""After a power cut: the intents of an earlier boot that nothing has closed.

A lease is a file that is not synced by itself, because that would cost each act a second sync.
So a power cut may leave an intent without its lease. The first writer after it sees that the last
line is of another boot, and no process of that boot is alive: then each of its open intents is
given a lease that nobody holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from fr_cli.audit.canonical import parse
from fr_cli.audit.entry import CLOSING
from fr_cli.audit.line import read_line

_PHASE = re.compile(rb'"ph":"([a-z]+)"')
_REQ = re.compile(rb'"req":"([0-9a-f]{32})"')


def cut_short(lines: Iterable[bytes]) -> dict[str, int]:
    """The open intents, and where each stands, of the lines of a log whose writers are all dead."""
    found: dict[str, int] = {}
    offset = 0
    for text in lines:
        phases, reqs = _PHASE.findall(text), _REQ.findall(text)
        if len(phases) == len(reqs) == 1:
            phase, req = phases[0].decode(), reqs[0].decode()
        else:  # the same words inside the entry, or an erased one
            entry = parse(read_line(text).body or b"{}")
            phase, req = str(entry.get("ph")), str(entry.get("req"))
        if phase == "intent":
            found[req] = offset
        elif phase in CLOSING:
            found.pop(req, None)
        offset += len(text)
    return found
