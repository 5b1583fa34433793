"""The log as acts: an intent, its batches and its outcome taken together, and choosing among them.

One act is what a person asks for: who did what, when, why, and what came of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fr_cli.audit.canonical import JSON, parse
from fr_cli.audit.entry import CLOSING, check_fields
from fr_cli.audit.line import Line
from fr_cli.errors import AuditBroken, UsageProblem
from fr_cli.records import utc

#: Phases that are an act by themselves.
_ALONE = frozenset({"genesis", "recovery", "rotation"})


@dataclass
class ActRecord:
    """An act as its entries tell it; a part is missing where an entry was erased or is to come."""

    req: str
    entries: list[dict[str, JSON]] = field(default_factory=list)

    @property
    def first(self) -> Mapping[str, Any]:
        """The intent, or the first entry that is left."""
        return self.entries[0]

    @property
    def last(self) -> Mapping[str, Any]:
        """The outcome, or the last entry so far."""
        return self.entries[-1]

    @property
    def seqs(self) -> list[int]:
        """The sequence numbers of the entries."""
        return [int(str(entry["seq"])) for entry in self.entries]

    @property
    def command(self) -> str:
        """The command, such as `identify`."""
        return str(self.first["cmd"])

    @property
    def kind(self) -> str:
        """One of the six operations of DPA 2018 s.62, or `administration`."""
        return str(self.first["act"])

    @property
    def start(self) -> str:
        """When it was announced, UTC."""
        return str(self.first["t"])

    @property
    def end(self) -> str:
        """When its outcome was written, UTC; empty while it runs and where it was cut short."""
        return str(self.last["t"]) if self.last["ph"] in (*_ALONE, "outcome") else ""

    @property
    def state(self) -> str:
        """`done`, `failed`, `abandoned` (its process died), or `open`."""
        if self.last["ph"] == "outcome":
            return "failed" if "error" in self.last else "done"
        return {"abandoned": "abandoned"}.get(
            str(self.last["ph"]), "done" if self.last["ph"] in _ALONE else "open"
        )

    @property
    def operator(self) -> Mapping[str, Any]:
        """Who, as the kernel said: user, uid, loginuid, tty."""
        return dict(self.first["op"])

    @property
    def why(self) -> Mapping[str, Any]:
        """Case and reason, where the command asks for them."""
        why = self.first.get("why", {})
        return why if isinstance(why, dict) else {}

    @property
    def decision(self) -> Mapping[str, Any]:
        """What the outcome says was decided."""
        decision = self.last.get("dec", {})
        return decision if isinstance(decision, dict) else {}

    def mentions(self, ids: Collection[str]) -> bool:
        """Whether one of these stands in an entry as a whole string."""
        return any(text in ids for text in self.strings())

    def strings(self) -> Iterator[str]:
        """Every string value of its entries."""
        return (text for entry in self.entries for text in _strings(entry))


def _strings(value: JSON) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _strings(one)


def acts(lines: Iterable[Line]) -> Iterator[ActRecord]:
    """The acts in the order in which they ended, then those that are open; erased lines left out.

    Read to the end: only then are the lines known to be those that were signed.
    """
    running: dict[str, ActRecord] = {}
    for line in lines:
        if line.body is None:
            continue
        try:
            entry = parse(line.body)
            check_fields(entry, line.size - 1)
        except ValueError as trouble:
            raise AuditBroken(
                f"Line {line.size} of the log holds an entry that {trouble}."
            ) from None
        req, phase = str(entry["req"]), entry["ph"]
        act = running.setdefault(req, ActRecord(req))
        act.entries.append(entry)
        if phase in CLOSING or phase in _ALONE:
            yield running.pop(req)
    yield from running.values()


@dataclass(frozen=True)
class Filter:
    """Which acts are meant; what is empty is not asked.

    `since` and `until` are the first moment and the one after the last, as entries write time.
    `subject` holds the ids by which a subject may stand in the log.
    """

    since: str = ""
    until: str = ""
    operator: str = ""
    case: str = ""
    command: str = ""
    search: str = ""
    subject: frozenset[str] = frozenset()

    def takes(self, act: ActRecord) -> bool:
        """Whether an act is meant."""
        return (
            self.in_time(act)
            and (not self.operator or self.operator in _names(act.operator))
            and (not self.case or act.why.get("case") == self.case)
            and (not self.command or act.command == self.command)
            and (not self.search or act.req == self.search or act.mentions({self.search}))
            and (not self.subject or act.req in self.subject or act.mentions(self.subject))
        )

    def in_time(self, act: ActRecord) -> bool:
        """Whether an act began in the time asked for."""
        return (not self.since or act.start >= self.since) and (
            not self.until or act.start < self.until
        )


def _names(operator: Mapping[str, Any]) -> set[str]:
    names = ("user", "uid", "loginuid", "sudo_uid")
    return {str(operator[name]) for name in names if name in operator}


def moment(text: str, *, end: bool = False) -> str:
    """A time that an operator typed, as entries write it; a day alone is all of that day (UTC).

    UsageProblem if it is not ISO 8601.
    """
    if not text:
        return ""
    try:
        time = datetime.fromisoformat(text)
        if end and len(text) <= len("2026-03-02"):
            time += timedelta(days=1)
        return utc(time.replace(tzinfo=UTC) if time.tzinfo is None else time, exact=True)
    except (ValueError, OverflowError):
        raise UsageProblem(
            f"{text!r} is not a time.", hint="Write 2026-03-02, or 2026-03-02T10:11:12+00:00."
        ) from None
