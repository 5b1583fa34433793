"""After a power cut: the intents of an earlier boot that nothing has closed.

A lease is a file that is not synced by itself, because that would cost each act a second sync.
So a power cut may leave an intent without its lease. The first writer after it sees that the last
line is of another boot, and no process of that boot is alive: then each of its open intents is
given a lease that nobody holds.
"""

from __future__ import annotations

import re

from fr_cli.audit.entry import CLOSING, boot_id, parse
from fr_cli.audit.line import read_line
from fr_cli.audit.writer import Writer

_PHASE = re.compile(rb'"ph":"([a-z]+)"')
_REQ = re.compile(rb'"req":"([0-9a-f]{32})"')


def same_boot(last: bytes) -> bool:
    """Whether a line was written since the machine started; True where that cannot be told."""
    boot = boot_id()
    return not boot or f'"boot":"{boot}"'.encode() in last


def cut_short(writer: Writer) -> dict[str, int]:
    """The open intents, and where each stands, of a log whose writers are all dead."""
    found: dict[str, int] = {}
    offset = 0
    for text in writer.lines(0):
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
