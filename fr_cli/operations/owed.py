"""What stands open in a home: overrides that nobody has approved, and which policy is in force.

Each intent repeats under `owed` what the log said of it, and at which size (`at`), so nobody has to
read the log further back than that. A home whose policy lists no two-person acts has no such field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fr_cli.audit.backwards import newest_first
from fr_cli.audit.canonical import JSON, parse
from fr_cli.audit.erasing import COMMAND as ERASE
from fr_cli.audit.line import read_line
from fr_cli.errors import AuditBroken
from fr_cli.records import utc

#: Overrides that may stand open at a time; the next one is refused.
MOST = 20
_INTENT = b'"ph":"intent"'
_MARKS = (b'"overridden":', b'"approves":', b'"guarded":')


@dataclass(frozen=True)
class Override:
    """An act done without its second person, which nobody has approved since.

    `uid`, `user` and `loginuid` (-1 for none) are of who did it.
    """

    act: str
    kind: str
    since: str
    uid: int
    user: str
    loginuid: int

    @classmethod
    def of(cls, entry: Mapping[str, JSON]) -> Override:
        """As the entry says that was written before the act."""
        who = entry["op"]
        if not isinstance(who, Mapping):
            raise ValueError("does not say who acted")
        login = who.get("loginuid")
        since = str(entry["t"])[:19] + "Z"
        return cls(
            act=str(entry["req"]),
            kind=str(entry["overridden"]),
            since=since,
            uid=int(str(who["uid"])),
            user=str(who["user"]),
            loginuid=-1 if login is None else int(str(login)),
        )

    @classmethod
    def again(cls, said: JSON) -> Override:
        """As a later intent repeats it."""
        if not isinstance(said, Mapping):
            raise ValueError("does not say what stands open")
        act, kind, since, user = (str(said[name]) for name in ("act", "kind", "since", "user"))
        uid, login = (int(str(said[name])) for name in ("uid", "loginuid"))
        return cls(act, kind, since, uid, user, login)

    def due(self, hours: int) -> str:
        """Until when it should be approved, UTC."""
        return utc(datetime.fromisoformat(self.since) + timedelta(hours=hours))

    def sentence(self, hours: int) -> str:
        """What everybody is told until it is approved."""
        due = self.due(hours)
        by = "OVERDUE since" if due < utc(datetime.now(UTC)) else "due by"
        return (
            f"Without a second person since {self.since}: {self.kind}, act {self.act}. Approval "
            f"{by} {due}: fr approve --override {self.act}"
        )


@dataclass(frozen=True)
class Owed:
    """`policy` is the SHA-256 of the one that may change only by approval; empty if any may be."""

    at: int = 0
    policy: str = ""
    overrides: tuple[Override, ...] = ()

    def repeated(self) -> dict[str, JSON]:
        """For the intent of an act that read this when it began."""
        listed: list[JSON] = [vars(one) for one in self.overrides]
        return {"owed": {"at": self.at, "policy": self.policy, "overrides": listed}}

    def after(self, entry: Mapping[str, JSON]) -> Owed:
        """What stands open after another entry of the log."""
        said = entry.get("dec")
        if entry["ph"] == "batch" and "overridden" in entry:
            return replace(self, overrides=(*self.overrides, Override.of(entry)))
        if entry["ph"] != "outcome" or entry.get("error") or not isinstance(said, Mapping):
            return self
        if entry["cmd"] == "approve" and "approves" in said:
            left = tuple(one for one in self.overrides if one.act != said["approves"])
            return replace(self, overrides=left)
        if entry["cmd"] == "policy" and "guarded" in said:
            return replace(self, policy=str(said["guarded"]))
        return self


def owed(log: Path) -> Owed:
    """What stands open at the end of a log; nothing where there is none to be read."""
    found, size, later = Owed(), 0, list[Mapping[str, JSON]]()
    stop: int | None = None
    try:
        for number, body in _backwards(log):
            size = size or number
            if stop is not None and number <= stop:
                break
            if stop is None and _INTENT in body:
                entry = parse(body)
                if entry["ph"] == "intent" and entry["cmd"] != ERASE:  # which stands in another
                    found, stop = _read(entry.get("owed"), number)
            elif any(mark in body for mark in _MARKS):
                later.append(parse(body))
    except (ValueError, KeyError, TypeError) as trouble:
        raise AuditBroken(f"A line at the end of the audit log {trouble}.") from None
    for done in reversed(later):
        found = found.after(done)
    return replace(found, at=size)


def _backwards(log: Path) -> Iterator[tuple[int, bytes]]:
    """Sizes and bodies of the entries from the last to the first, those that are erased left out.

    Whatever is wrong with the log, whoever writes to it next says.
    """
    with suppress(AuditBroken):
        for text in newest_first(log):
            with suppress(ValueError):
                line = read_line(text)
                if line.body is not None:
                    yield line.size, line.body


def _read(said: JSON, number: int) -> tuple[Owed, int]:
    """What an intent repeats, and the size of the log after which all else counts."""
    if not isinstance(said, Mapping):
        return Owed(), number  # nothing stood open, and nothing could
    listed = said["overrides"]
    if not isinstance(listed, list):
        raise ValueError("does not list what stands open")
    overrides = tuple(Override.again(one) for one in listed)
    at = int(str(said["at"]))
    return Owed(at, str(said["policy"]), overrides), at
