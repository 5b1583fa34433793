"""Reading the log for people: what was done, by whom, and what the law asks of that record.

Each of these is an act of its own: who looks into the log stands in the log.
"""

from __future__ import annotations

import contextlib
import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from fr_cli.audit.canonical import JSON
from fr_cli.audit.note import Note
from fr_cli.audit.show import ActRecord, Filter, acts, moment
from fr_cli.casework.searches import Verifiers
from fr_cli.errors import GalleryMissing, SubjectUnknown, UsageProblem
from fr_cli.operations.approvals import approved
from fr_cli.operations.audit import log_of
from fr_cli.operations.bench import Bench
from fr_cli.operations.grounds import why
from fr_cli.records import Head, Listener, no_formula

_ID = re.compile(r"[0-9a-f]{32}")
#: The operations of which the law asks for a log (Data Protection Act 2018, s.62(1)).
OPERATIONS = frozenset(
    {"collection", "alteration", "consultation", "disclosure", "combination", "erasure"}
)


@dataclass(frozen=True)
class Query:
    """What an auditor asks, as typed; what is empty is not asked."""

    since: str = ""
    until: str = ""
    operator: str = ""
    case: str = ""
    command: str = ""
    search: str = ""
    subject: str = ""

    def filter(self, subject: frozenset[str] = frozenset()) -> Filter:
        """The filter; UsageProblem for a time or an id that is none."""
        if self.search and not _ID.fullmatch(self.search):
            raise UsageProblem(
                f"{self.search!r} is not the id of a search.", hint="It has 32 digits, 0-9 and a-f."
            )
        return Filter(
            moment(self.since), moment(self.until, end=True),
            self.operator, self.case, self.command, self.search, subject,
        )  # fmt: skip

    def asked(self) -> dict[str, JSON]:
        """What of it may stand in the log: not a subject's id of the feed, often a name."""
        words: dict[str, JSON] = {name: value for name, value in vars(self).items() if value}
        return words | ({"subject": "given"} if self.subject else {})


@dataclass(frozen=True)
class Shown:
    """The acts that were asked for, oldest first, and how many older ones were left out.

    All of them lead to the signed head `note`; `head` is that of the entry that records the act.
    """

    acts: list[ActRecord]
    left_out: int
    note: Note
    head: Head


def show(
    query: Query, bench: Bench, listener: Listener, *, limit: int = 0, reason: str = ""
) -> Shown:
    """The acts that are asked for, of the newest no more than `limit` (0 for all)."""
    query.filter()
    asked = {"asked": query.asked(), **why(reason)}
    with bench.act("audit show", "consultation", **asked) as act:
        ids = _ids_of(query.subject, bench) if query.subject else frozenset()
        wanted = query.filter(ids)
        reading = log_of(bench.site.home).read(listener=listener)
        kept: deque[ActRecord] = deque(maxlen=limit or None)
        found = 0
        for one in acts(reading):
            if one.req != act.id and wanted.takes(one):
                kept.append(one)
                found += 1
        # Random ids, so that the log says who was asked for without naming them.
        act.decide(acts=found, asked_for=sorted(ids)[:50])
    ordered = sorted(kept, key=lambda one: one.seqs[0])
    return Shown(ordered, found - len(kept), reading.note, act.head)


def _ids_of(subject: str, bench: Bench) -> frozenset[str]:
    """The random ids behind an id of the feed, with the acts that enrolled it; or itself, if it
    is such a random id, as of a subject who was purged."""
    from fr_cli.gallery.store import Store

    rows: list[tuple[str, ...]] = []
    with (
        contextlib.suppress(GalleryMissing),
        contextlib.closing(Store.open(bench.site.database)) as store,
    ):
        rows = store.db.execute(
            "SELECT subjects.uid, refs.uid, refs.act FROM subjects "
            "LEFT JOIN refs ON refs.subject = subjects.pk WHERE subject_id = ?",
            (subject,),
        ).fetchall()
    if rows:
        return frozenset(str(one) for row in rows for one in row if one)
    if _ID.fullmatch(subject):
        return frozenset({subject})
    raise SubjectUnknown(
        f"Nobody is enrolled as {subject!r}.",
        hint="The log names a purged subject by a random id of 32 digits: give that, from the "
        "entry of the purge.",
    )


@dataclass(frozen=True)
class Row:
    """The record of one act; None where the log has nothing of it.

    s.62: who (`operator` to `host`), when (`start`, `end`), which `operation`, `justification`,
    and to whom it was disclosed (`recipient`). Art. 12(3): (a) `start` and `end` of each use,
    (b) `reference_database`, (c) `matched_input`, (d) `verified_by`.
    """

    seq: int
    act: str
    operation: str
    command: str
    start: str
    end: str | None
    state: str
    exit: int | None
    operator: str | None
    uid: int | None
    loginuid: int | None
    host: str | None
    case: str | None
    justification: str | None
    legal_basis: str | None
    recipient: str | None
    reference_database: str | None
    watchlist: str | None
    result: str | None
    candidates: list[str]
    matched_input: str | None
    verified_by: str | None


@dataclass(frozen=True)
class Extract:
    """One row an act; `note` and `head` as in Shown."""

    rows: list[Row]
    note: Note
    head: Head


def extract(
    since: str, until: str, recipient: str, bench: Bench, listener: Listener, *, reason: str = ""
) -> Extract:
    """What DPA 2018 s.62 and the AI Act, Art. 12(3), ask of the log, for a span of time."""
    wanted = Filter(since=moment(since), until=moment(until, end=True))
    kind = "disclosure" if recipient else "consultation"
    asked: dict[str, JSON] = {"asked": {"since": since, "until": until}, **why(reason)}
    with bench.act("audit extract", kind, to=recipient, **asked) as act:
        # A look of one's own hands nothing out.
        asks = "export" if recipient else ""
        approved(bench, asks, {"since": since, "until": until, "to": recipient})
        reading = log_of(bench.site.home).read(listener=listener)
        found, deciding = [], Verifiers()
        for one in acts(reading):
            deciding.note(one)
            if one.req != act.id and one.kind in OPERATIONS and wanted.in_time(one):
                found.append(row(one))
        found.sort(key=lambda one: one.seq)
        rows = [replace(one, verified_by=deciding.of(one.act)) for one in found]
        act.decide(acts=len(rows))
    return Extract(rows, reading.note, act.head)


def rows_of(records: Iterable[ActRecord]) -> list[Row]:
    """The rows of these acts, with who decided on the searches among them."""
    records = [*records]
    deciding = Verifiers()
    for one in records:
        deciding.note(one)
    return [replace(row(one), verified_by=deciding.of(one.req)) for one in records]


def row(act: ActRecord) -> Row:
    """The record of an act, from its entries alone."""
    decision, who = act.decision, act.operator
    listed = decision.get("candidates", decision.get("decisions"))
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return Row(
        seq=act.seqs[0],
        act=act.req,
        operation=act.kind,
        command=act.command,
        start=act.start,
        end=act.end or None,
        state=act.state,
        exit=act.last.get("exit"),
        operator=who.get("user"),
        uid=who.get("uid"),
        loginuid=who.get("loginuid"),
        host=act.first.get("host"),
        case=act.why.get("case"),
        justification=act.why.get("reason"),
        legal_basis=decision.get("basis"),
        recipient=act.first.get("to") or None,
        reference_database=_database(decision),
        watchlist=act.first.get("watchlist") or None,
        result=_result(decision),
        candidates=[str(one.get("subject", "")) for one in found],
        # The photo is not kept; the search's id is what a kept exhibit is filed under.
        matched_input=act.req if found and act.command == "identify" else None,
        verified_by=None,  # said by later acts: Verifiers
    )


def _result(decision: Mapping[str, Any]) -> str | None:
    """The answer of a search; what was decided on its candidates, in their order; or what came
    of it."""
    if isinstance(decided := decision.get("decisions"), list):
        return f"{decision['stage']}: {', '.join(str(one['decision']) for one in decided)}"
    result = decision.get("outcome", decision.get("what"))
    return None if result is None else str(result)


def _database(decision: Mapping[str, Any]) -> str | None:
    searched = decision.get("gallery", decision)
    if not isinstance(searched, Mapping) or "generation" not in searched:
        return None
    count = searched.get("references")
    size = f", {count} references" if isinstance(count, int) else ""
    return f"generation {searched['generation']}{size}"


def as_csv(rows: Iterable[Row]) -> str:
    """The rows as a table."""
    import csv
    import io

    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(one.name for one in fields(Row))
    for one in rows:
        table.writerow(_cell(getattr(one, name.name)) for name in fields(Row))
    return file.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, list):
        return no_formula(" ".join(value))
    return "" if value is None else no_formula(str(value))
