"""Approval after the fact, of an act that was done without its second person."""

from __future__ import annotations

from fr_cli.audit.backwards import newest_first
from fr_cli.audit.canonical import parse
from fr_cli.audit.line import read_line
from fr_cli.authority.identity import Person
from fr_cli.errors import UsageProblem
from fr_cli.operations.approvals import approved
from fr_cli.operations.bench import Bench
from fr_cli.records import Head


def approve_after(req: str, bench: Bench) -> Head:
    """Record that another operator has approved an override; `req` is the id of its act.

    UsageProblem if no act of this id waits for that.
    """
    with bench.act("approve", "administration") as act:
        assert bench.second is not None
        waiting = {one.act: one for one in bench.second.owed.overrides}
        if req not in waiting:
            raise UsageProblem(
                f"No act {req!r} waits for an approval after the fact.",
                hint="fr status lists those that do.",
            )
        one = waiting[req]
        what = {
            "act": req,
            "kind": one.kind,
            "since": one.since,
            "by": one.user or str(one.uid),
            "words": _words(req, bench),
        }
        person = Person(one.uid, one.user, None if one.loginuid < 0 else one.loginuid)
        approved(bench, "override", what, of=person)
        act.decide(approves=req)
    return act.head


def _words(req: str, bench: Bench) -> str:
    """Why it was done without, as its intent says; empty if that entry was erased since."""
    mark = f'"req":"{req}"'.encode()
    for text in newest_first(bench.audit.path):
        if mark in text and b'"override":' in text:
            entry = parse(read_line(text).body or b"{}")
            if (entry.get("ph"), entry.get("req")) == ("intent", req):
                return str(entry["override"])
    return ""
