"""What the newest entries of the log tell before an act: how late it was, who searched how often.

Nothing is kept but in memory, and that only what the log says: a count that stood in a file of its
own could be set to nought by removing the file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from threading import Lock
from typing import Any

from fr_cli.audit.backwards import newest_first
from fr_cli.audit.canonical import parse
from fr_cli.audit.line import read_line
from fr_cli.errors import AuditBroken

#: Under this an intent repeats the newest time of the log, where the clock was behind that.
CLOCK = "clock"
#: What an act says under which the policy was asked; each of these knew the newest time.
_POLICY = "policy"


def newest_time(log: Path) -> datetime:
    """The latest time that the log has seen, whatever the clock was set to since.

    It looks back as far as the newest intent that was held against this.
    """
    newest = datetime.min.replace(tzinfo=UTC)
    for entry in _entries(log):
        newest = max(newest, _latest(entry))
        if entry["ph"] == "genesis" or (entry["ph"] == "intent" and _POLICY in entry):
            break
    return newest


@dataclass
class _Ask:
    at: datetime
    refusal: str = ""


class Recent:
    """The searches of a time in one log, read on from where it was read before."""

    def __init__(self, log: Path, commands: Collection[str]) -> None:
        """`commands` are those that count as a search."""
        self._log, self._commands = log, frozenset(commands)
        self._lock = Lock()
        self._forget(0)

    def _forget(self, file: int) -> None:
        self._file, self._size = file, 0
        self._asks: defaultdict[int, dict[str, _Ask]] = defaultdict(dict)

    def before(self, act: str, uid: int, since: datetime) -> tuple[list[datetime], list[datetime]]:
        """When this account searched since then and was not refused, and when it was refused.

        Only what was announced before this act counts, so that of several at once the first is
        the first. A search that a limit refused is neither.
        """
        with self._lock:
            self._read(since)
            searches, refusals = [], []
            for req, ask in self._asks[uid].items():
                if req == act:
                    break
                if ask.at >= since:
                    if not ask.refusal:
                        searches.append(ask.at)
                    elif ask.refusal == "NotAllowed":
                        refusals.append(ask.at)
            return searches, refusals

    def _read(self, since: datetime) -> None:
        if (file := self._log.stat().st_ino) != self._file:  # an erasure writes the log anew
            self._forget(file)
        new = []
        for entry in _entries(self._log):
            if entry["seq"] < self._size or (entry["ph"] == "intent" and _latest(entry) < since):
                break
            new.append(entry)
        if new:
            self._size = new[0]["seq"] + 1
        for entry in reversed(new):
            if entry["cmd"] in self._commands:
                self._take(entry, since)

    def _take(self, entry: dict[str, Any], since: datetime) -> None:
        asks = self._asks[entry["op"]["uid"]]
        if entry["ph"] == "intent":
            for req in [*takewhile(lambda req: asks[req].at < since, asks)]:
                del asks[req]
            asks[entry["req"]] = _Ask(_time(entry["t"]))
        elif entry["ph"] == "outcome" and entry["exit"] == 4 and entry["req"] in asks:
            asks[entry["req"]].refusal = entry["error"]


@lru_cache(maxsize=8)
def recent(log: Path, commands: frozenset[str]) -> Recent:
    """The searches of a log, shared by all who ask in this process."""
    return Recent(log, commands)


def _entries(log: Path) -> Iterator[dict[str, Any]]:
    """The entries, the newest first, back to one that was erased: that is older than a day."""
    for text in newest_first(log):
        try:
            body = read_line(text).body
            if body is None:
                return
            yield parse(body)
        except (ValueError, KeyError) as trouble:
            raise AuditBroken(f"A line at the end of the audit log {trouble}.") from None


def _latest(entry: dict[str, Any]) -> datetime:
    """The latest time that an entry knew of: one may have been written under a clock set back."""
    return max(_time(entry["t"]), _time(entry.get(CLOCK, entry["t"])))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
