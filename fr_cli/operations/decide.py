"""A person decides on the candidates of a search: confirmed, rejected or unresolved."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fr_cli.audit.canonical import JSON
from fr_cli.audit.storage import APPENDING, locked
from fr_cli.casework import decisions as rules
from fr_cli.casework.decisions import Stage, Verdict
from fr_cli.casework.searches import Search
from fr_cli.errors import AuditUnwritable, SearchUnknown, SubjectUnknown, UsageProblem
from fr_cli.operations.bench import Bench
from fr_cli.operations.grounds import reasoned
from fr_cli.operations.searches import find, leaked, leaks, names, owed, seek, sought
from fr_cli.records import Head


@dataclass(frozen=True)
class Order:
    """What an operator decides, by the feed's ids; `rest` is for the candidates not named."""

    search: str
    reason: str
    verdicts: Mapping[str, Verdict]
    rest: Verdict | None = None
    correct: bool = False


@dataclass(frozen=True)
class Shown:
    """A candidate as it is shown to who decides: `score` as the log has it."""

    rank: int
    subject_id: str
    score: str


#: Asks a person for the verdicts that the order lacks, by the feed's ids.
Ask = Callable[[Sequence[Shown]], Mapping[str, Verdict]]


@dataclass(frozen=True)
class Decided:
    """What was recorded: verdicts by the feed's ids, in rank order.

    `final` is False while another operator's decision is awaited. `purged` candidates could not
    be decided on.
    """

    search_id: str
    verdicts: Mapping[str, Verdict]
    stage: Stage
    final: bool
    late: bool
    purged: int
    head: Head


@dataclass(frozen=True)
class Owed:
    """A decision that is owed. `yours`: whether who asks may make it; `correction`: of one made."""

    search_id: str
    answered: str
    due: str
    overdue: bool
    case: str
    reason: str
    candidates: int
    owes: tuple[str, ...]
    yours: bool
    correction: bool


@dataclass(frozen=True)
class Pending:
    """All that are owed, oldest first; `purged` lists whose candidates are all gone."""

    rows: list[Owed]
    purged: int
    head: Head


def decide(order: Order, bench: Bench, ask: Ask | None = None) -> Decided:
    """Record a decision; what others decided is neither shown nor told before it is final.

    SearchUnknown, SubjectUnknown or UsageProblem (2) for what cannot be decided, NotAllowed (4)
    for who may not: all after the intent, so that the attempt is in the log.
    """
    words = reasoned(order.reason)
    if not words:
        raise UsageProblem("A decision needs a reason.", hint="Give it with --reason, in words.")
    log, person = bench.audit.path, bench.person
    found = seek(log, order.search)
    search_id = found.id if isinstance(found, Search) else sought(order.search)
    known = names(bench, _subjects(found)) if isinstance(found, Search) else {}
    leak = leaks(order.reason, known.values())
    why: dict[str, JSON] = {} if leak else {"why": words}
    with (
        contextlib.ExitStack() as after,
        bench.act("decide", "consultation", search=search_id, **why) as act,
    ):
        if not isinstance(found, Search):
            raise found
        _refuse(found, known, leak)
        rules.admit(found.decisions, person, correcting=order.correct)
        verdicts = _verdicts(order, found, known, ask)
        # From here until the outcome is in the log nobody else decides on anything: the
        # stage depends on what was decided before, and the log's order proves it.
        after.enter_context(_alone(bench))
        found = find(log, found.id)
        stage = rules.admit(found.decisions, person, correcting=order.correct)
        final = rules.ends(found.decisions, verdicts, second=bench.policy.decisions.second)
        due = rules.due(found.answered, bench.policy.decisions.due_days)
        late = stage != "correction" and datetime.now(UTC) > due
        act.decide(stage=stage, final=final, late=late, decisions=_for_the_log(found, verdicts))
    return Decided(
        search_id=found.id,
        verdicts={known[uid]: verdicts[uid] for uid in _subjects(found) if uid in verdicts},
        stage=stage,
        final=final,
        late=late,
        purged=len(found.candidates) - len(verdicts),
        head=act.head,
    )


def pending(bench: Bench) -> Pending:
    """What is undecided, who owes it and since when. An act of its own in the log.

    Whether another operator has decided is not told, so that no one learns of a disagreement.
    """
    person, policy = bench.person, bench.policy.decisions
    with bench.act("decide", "consultation", asked={"what": "pending"}) as act:
        rows, purged, now = [], 0, datetime.now(UTC)
        searches = owed(bench.audit.path)
        there = names(bench, {uid for search in searches for uid in _subjects(search)})
        for search in searches:
            if not there.keys() & set(_subjects(search)):
                purged += 1
                continue
            due = rules.due(search.answered, policy.due_days)
            rows.append(
                Owed(
                    search_id=search.id,
                    answered=search.answered,
                    due=f"{due:%Y-%m-%dT%H:%M:%SZ}",
                    overdue=search.verdicts is None and now > due,
                    case=str(search.why.get("case", "")),
                    reason=str(search.why.get("reason", "")),
                    candidates=len(search.candidates),
                    owes=(search.by.name, *(["a second operator"] if policy.second else [])),
                    yours=not rules.has_decided(search.decisions, person),
                    correction=search.verdicts is not None,
                )
            )
        act.decide(pending=len(rows), overdue=sum(one.overdue for one in rows))
    return Pending(rows, purged, act.head)


def _subjects(search: Search) -> list[str]:
    return [one.subject for one in search.candidates]


def _refuse(search: Search, known: Mapping[str, str], leak: bool) -> None:
    if not search.candidates:
        raise SearchUnknown(
            f"The search {search.id} gave no candidate, so there is nothing to decide.",
            hint="What came of it is recorded with: fr outcome",
        )
    if not known:
        raise SubjectUnknown(
            "Whom this search showed was purged since; nothing can be decided on them any more.",
            hint="What came of it is recorded with: fr outcome",
        )
    if leak:
        raise leaked()


def _verdicts(
    order: Order, search: Search, known: Mapping[str, str], ask: Ask | None
) -> dict[str, Verdict]:
    """The verdict on each candidate who is still enrolled, by random id."""
    said = dict(order.verdicts)
    if said.keys() - set(known.values()):
        raise SubjectUnknown(
            "A decision names somebody who is no candidate of this search, or was purged since."
        )
    here = [one for one in search.candidates if one.subject in known]
    left = [one for one in here if known[one.subject] not in said]
    if order.rest:
        said |= {known[one.subject]: order.rest for one in left}
    elif left and ask:
        said |= ask([Shown(one.rank, known[one.subject], one.score) for one in left])
    verdicts = {uid: said[name] for uid, name in known.items() if name in said}
    rules.check(verdicts, known)
    return verdicts


@contextlib.contextmanager
def _alone(bench: Bench) -> Iterator[None]:
    try:
        with locked(bench.site.audit / "decisions.lock", APPENDING | os.O_CREAT):
            yield
    except OSError as trouble:
        raise AuditUnwritable(
            f"Another decision is being recorded, and does not end: {trouble}.", hint="Try again."
        ) from trouble


def _for_the_log(search: Search, verdicts: Mapping[str, Verdict]) -> list[JSON]:
    return [
        {"subject": one.subject, "reference": one.reference, "decision": verdicts[one.subject]}
        for one in search.candidates
        if one.subject in verdicts
    ]
