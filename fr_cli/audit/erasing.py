"""Erasing the bodies of entries whose time is over: the leaf hashes stay, so every root holds.

The entry that names them is on disk first. The file is then written anew beside the log, synced,
and renamed over it; whoever waits for the log's lock opens the new file after. A crash between
the two is finished by the next act, which finds the erasing act without its end.

What is erased is gone from this file; copies of it (backups, snapshots of the file system, the
blocks of a disk that were freed) are outside its reach.
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
from collections.abc import Callable, Collection
from contextlib import suppress

from fr_cli.audit.canonical import JSON, parse
from fr_cli.audit.entry import CLOSING
from fr_cli.audit.line import read_line
from fr_cli.audit.merkle import Frontier
from fr_cli.audit.storage import LOG
from fr_cli.audit.writer import Writer
from fr_cli.disk import sync_folder
from fr_cli.errors import AuditBroken, UsageProblem

COMMAND = "audit-erase"
#: Entries that one act may erase: their numbers must fit in its line.
MAX_ERASED = 3500

_KEPT = frozenset({"genesis", "rotation", "recovery"})
_REQ = re.compile(rb'"req":"([0-9a-f]{32})"')


def check(writer: Writer, seqs: Collection[int]) -> None:
    """UsageProblem unless these are whole acts that are over, and none that must stay."""
    if not 0 < len(seqs) <= MAX_ERASED:
        raise UsageProblem(f"Between 1 and {MAX_ERASED} entries can be erased at a time.")
    if not all(0 < seq < writer.frontier.size for seq in seqs):
        raise UsageProblem("The log has no such entries, or it is the first one, which stays.")
    acts = _acts(writer, _reqs(writer, seqs))
    for req, entries in acts.items():
        for entry in entries:
            if int(str(entry["seq"])) not in seqs:
                raise UsageProblem(
                    f"Entry {entry['seq']} is of the same act ({req}) as one to be erased.",
                    hint="Name all entries of an act.",
                )
        if not any(entry["ph"] in CLOSING for entry in entries):
            raise UsageProblem(f"The act {req} is not over; its entries cannot be erased.")


def strike(writer: Writer, seqs: Collection[int]) -> None:
    """Replace the bodies by their leaf hashes; on return the new file is the log, durable."""
    draft = writer.folder / f"{LOG}.erasing"
    draft.unlink(missing_ok=True)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(draft, flags, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # before others can open it
        with os.fdopen(os.dup(handle), "wb") as file:
            frontier, offset = _copy(writer, seqs, file.write)
        os.fsync(handle)
        # A cache of the longer file would make the shorter one look cut.
        writer.forget()
        draft.replace(writer.folder / LOG)
        sync_folder(writer.folder)
        writer.move(handle, frontier, offset)
    finally:
        os.close(handle)
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _reqs(writer: Writer, seqs: Collection[int]) -> set[str]:
    """The ids of the acts that these entries are of; UsageProblem if one of them must stay."""
    found = set()
    for seq, text in enumerate(writer.lines(0)):
        if seq in seqs and (body := read_line(text).body) is not None:
            entry = parse(body)
            if entry["ph"] in _KEPT or "erases" in entry:
                raise UsageProblem(f"Entry {seq} says how the log came about; it must stay.")
            found.add(str(entry["req"]))
    return found


def _acts(writer: Writer, reqs: set[str]) -> dict[str, list[dict[str, JSON]]]:
    """All entries of these acts that have a body."""
    acts: dict[str, list[dict[str, JSON]]] = {req: [] for req in reqs}
    for text in writer.lines(0):
        if not reqs.isdisjoint(map(bytes.decode, _REQ.findall(text))):
            entry = parse(read_line(text).body or b"{}")
            if entry.get("req") in reqs:
                acts[str(entry["req"])].append(entry)
    return acts


def pending(entry: dict[str, JSON]) -> list[int]:
    """The entries that this one set out to erase; none if it is no such intent."""
    named = entry.get("erases")
    if entry["cmd"] != COMMAND or entry["act"] != "erasure" or not isinstance(named, list):
        return []
    return [seq for seq in named if type(seq) is int]


def _copy(
    writer: Writer, seqs: Collection[int], write: Callable[[bytes], object]
) -> tuple[Frontier, int]:
    """Copy the lines, some without their bodies; returns where the last one begins."""
    frontier, before, end, start = Frontier(), Frontier(), 0, 0
    for seq, text in enumerate(writer.lines(0)):
        line = read_line(text)
        before, start = frontier.copy(), end
        frontier.append(line.leaf)
        if seq in seqs and line.body is not None:
            head = text.removesuffix(b'"e":' + line.body + b"}\n")
            text = head + b'"x":"' + base64.b64encode(line.leaf) + b'"}\n'
        write(text)
        end += len(text)
    if frontier != writer.frontier:
        raise AuditBroken("The entries of the audit log are not those that were signed.")
    return before, start
