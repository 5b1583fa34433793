"""Has the request been used before? The log knows, and not the clock.

A request is used when the intent of an act with its good approval is on disk, whatever then comes
of that act. Of two at once the one whose intent stands first goes on.
"""

from __future__ import annotations

import re
from pathlib import Path

from fr_cli.audit.backwards import newest_first
from fr_cli.audit.canonical import JSON, parse
from fr_cli.audit.line import read_line
from fr_cli.authority.approval import Request
from fr_cli.errors import AuditBroken, NotAllowed

ANEW = "Make a new request with --request."
_TIME = re.compile(rb'"t":"([0-9T:-]{19})')


def refuse_used(log: Path, act: str, request: Request) -> None:
    """NotAllowed unless the log made this request, has it unused, and is not past its time.

    Read from the end back to where the request was made; `act` is who wants to use it now.
    """
    digest = request.sha256.encode()
    ours = False
    newest = ""
    for text in newest_first(log):
        try:
            body = read_line(text).body
            entry = parse(body) if body and digest in body else None
        except ValueError as trouble:
            raise AuditBroken(f"A line at the end of the audit log {trouble}.") from None
        if body is None:
            raise NotAllowed(
                "Entries of the log since the request were erased: whether it was used, nobody can "
                "tell.",
                hint=ANEW,
            )
        newest = max(newest, *(found.decode() for found in _TIME.findall(body)), "")
        if entry is None:
            continue
        if entry["ph"] == "intent" and _good(entry):
            if ours:
                raise NotAllowed(
                    f"This request was used before, on {str(entry['t'])[:19]}Z.", hint=ANEW
                )
            ours = entry["req"] == act
        elif _made(entry, request):
            if newest >= request.expires[:19]:
                raise NotAllowed(
                    f"The request expired on {request.expires}: the log goes on after that, and "
                    "the clock was set back.",
                    hint="Set the clock right. " + ANEW,
                )
            return
    raise NotAllowed("The log of this home does not know this request.", hint=ANEW)


def _good(entry: dict[str, JSON]) -> bool:
    said = entry.get("approval")
    return isinstance(said, dict) and "approver" in said


def _made(entry: dict[str, JSON], request: Request) -> bool:
    said = entry.get("dec")
    return (
        (entry["cmd"], entry["ph"]) == ("request", "outcome")
        and isinstance(said, dict)
        and said.get("requested") == request.sha256
    )
