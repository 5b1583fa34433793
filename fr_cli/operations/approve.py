"""Approval after the fact, of an act that was done without its second person."""

from __future__ import annotations

from fr_cli.audit.backwards import newest_first
from fr_cli.audit.entry import JSON, parse
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
        done = _intent(req, bench)
        who = done["op"]
        assert isinstance(who, dict)
        what = {
            "act": req,
            "kind": waiting[req].kind,
            "command": done["cmd"],
            "since": waiting[req].since,
            "by": who["user"] or who["uid"],
            "words": done.get("override", ""),
        }
        approved(bench, "override", what, of=Person.of(who))
        act.decide(approves=req)
    assert act.head is not None
    return act.head


def _intent(req: str, bench: Bench) -> dict[str, JSON]:
    mark = f'"req":"{req}"'.encode()
    for text in newest_first(bench.audit.path):
        if mark in text:
            entry = parse(read_line(text).body or b"{}")
            if (entry.get("ph"), entry.get("req")) == ("intent", req):
                return entry
    raise UsageProblem(f"The entry of the act {req!r} was erased.", hint="Its time is over.")
