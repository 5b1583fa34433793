"""A period as its overseer needs it, from the signed log alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fr_cli.audit.canonical import JSON
from fr_cli.audit.show import ActRecord, Filter, acts, moment
from fr_cli.authority.identity import Person
from fr_cli.casework import decisions as rules
from fr_cli.casework.oversight import Counts, count
from fr_cli.casework.searches import COMMANDS, Search, follow
from fr_cli.errors import ConfigurationError
from fr_cli.operations.audit import log_of
from fr_cli.operations.bench import Bench
from fr_cli.operations.in_force import InForce, in_force
from fr_cli.records import Head, Listener

if TYPE_CHECKING:
    from fr_cli.evaluation.intervals import Rate


@dataclass(frozen=True)
class Overdue:
    """A candidate list without a final decision, past its day."""

    search_id: str
    answered: str
    due: str
    operator: str


@dataclass(frozen=True)
class Override:
    """An act that went ahead without its second person; `approved` since, or still flagged."""

    act: str
    command: str
    at: str
    operator: str
    approved: bool


@dataclass
class Other:
    """What else was done in the period: acts by command, and how many of these were refused.

    `refused` is by command, exit code and name of the error. `purged` and `enrolled` are sums of
    what those acts say they did.
    """

    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    enrolled: Counter[str] = field(default_factory=Counter)
    purged: Counter[str] = field(default_factory=Counter)
    overrides: dict[str, Override] = field(default_factory=dict)
    evaluations: int = 0


@dataclass(frozen=True)
class Oversight:
    """The report: what was counted, who is late, and the evaluation in force when it was made."""

    since: str
    until: str
    made: str
    counts: Counts
    due_days: int
    overdue: list[Overdue]
    other: Other
    evaluation: InForce | None
    evaluation_trouble: str
    head: Head


def oversee(since: str, until: str, bench: Bench, listener: Listener) -> Oversight:
    """Report on the searches that began in a period, with all that was decided on them since.

    An act of its own in the log. AuditBroken if the log is not what was signed.
    """
    begin, end = moment(since), moment(until, end=True)
    asked: dict[str, JSON] = {"since": begin, "until": end, "what": "oversight"}
    with bench.act("report", "consultation", asked=asked) as act:
        other = Other()
        reading = acts(log_of(bench.site.home).read(listener=listener))
        searches = follow(_in_period(reading, Filter(since=begin, until=end), other))
        counts = count(searches.values())
        now = datetime.now(UTC)
        overdue = [*_overdue(searches.values(), bench.policy.decisions.due_days, now)]
        evaluation, trouble = _evaluation(bench)
        act.decide(searches=counts.all.asked, lists=counts.all.lists, overdue=len(overdue))
    return Oversight(
        since=begin,
        until=end,
        made=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        counts=counts,
        due_days=bench.policy.decisions.due_days,
        overdue=overdue,
        other=other,
        evaluation=evaluation,
        evaluation_trouble=trouble,
        head=act.head,
    )


def rate(cases: int, of: int) -> Rate:
    """A share with its exact 95 % interval."""
    from fr_cli.evaluation.intervals import Rate, clopper_pearson

    return Rate(cases / of if of else None, *clopper_pearson(cases, of), cases, of)


def _in_period(records: Iterable[ActRecord], period: Filter, other: Other) -> Iterator[ActRecord]:
    """The searches of the period and what names them whenever; the rest is counted in `other`."""
    for one in records:
        if one.command == "approve" and one.state == "done":
            _approve(one, other)
        within = period.in_time(one)
        if one.command in COMMANDS and (one.command != "identify" or within):
            yield one
        if within:
            _count(one, other)


def _approve(one: ActRecord, other: Other) -> None:
    if overridden := other.overrides.get(str(one.decision.get("approves"))):
        other.overrides[overridden.act] = replace(overridden, approved=True)


def _count(one: ActRecord, other: Other) -> None:
    if any("overridden" in entry for entry in one.entries):
        by = Person.of(one.operator).name
        other.overrides[one.req] = Override(one.req, one.command, one.start, by, approved=False)
    if one.state == "failed":
        code, name = int(one.last.get("exit", 1)), str(one.last["error"])
        other.refused[one.command, code, name] += 1
    if one.state != "done":
        return
    other.done[one.command] += 1
    if one.command == "enroll":
        _sum(other.enrolled, one, ("added", "updated", "rejected"))
    elif one.command == "purge" and one.kind == "erasure":
        _sum(other.purged, one, ("subjects", "references"))
    elif one.command == "evaluate":
        other.evaluations += bool(one.decision.get("in_force"))


def _sum(into: Counter[str], one: ActRecord, names: Iterable[str]) -> None:
    for name in names:
        into[name] += int(one.decision.get(name, 0))


def _overdue(searches: Iterable[Search], days: int, now: datetime) -> Iterator[Overdue]:
    for one in searches:
        if not one.candidates or one.verdicts is not None:
            continue
        due = rules.due(one.answered, days)
        if now > due:
            yield Overdue(one.id, one.answered, f"{due:%Y-%m-%dT%H:%M:%SZ}", one.by.name)


def _evaluation(bench: Bench) -> tuple[InForce | None, str]:
    try:
        return in_force(bench), ""
    except ConfigurationError as trouble:
        return None, trouble.message
