"""What came of a search, recorded later: several in time, and corrections."""

from __future__ import annotations

from dataclasses import dataclass

from fr_cli.audit.canonical import JSON
from fr_cli.casework import outcomes as rules
from fr_cli.casework.outcomes import Outcome
from fr_cli.casework.searches import Search
from fr_cli.errors import UsageProblem
from fr_cli.operations.bench import Bench
from fr_cli.operations.grounds import reasoned
from fr_cli.operations.searches import leaked, leaks, names, seek, sought
from fr_cli.records import Head


@dataclass(frozen=True)
class Recorded:
    """The outcomes that stand for a search, in the order in which they came."""

    search_id: str
    what: str
    standing: list[str]
    head: Head


def record(search: str, what: str, reason: str, bench: Bench, *, instead_of: str = "") -> Recorded:
    """Record an outcome; with `instead_of`, in the place of one that was wrong.

    SearchUnknown or UsageProblem (2), after the intent, so that the attempt is in the log.
    """
    words = reasoned(reason)
    if not words:
        raise UsageProblem("An outcome needs a reason.", hint="Give it with --reason, in words.")
    found = seek(bench.audit.path, search)
    known: dict[str, str] = {}
    if isinstance(found, Search):
        known = names(bench, [one.subject for one in found.candidates])
    leak = leaks(reason, known.values())
    named = found.id if isinstance(found, Search) else sought(search)
    why: dict[str, JSON] = {} if leak else {"why": words}
    with bench.act("outcome", "consultation", search=named, **why) as act:
        if not isinstance(found, Search):
            raise found
        if leak:
            raise leaked()
        rules.check(what, instead_of, found.outcomes, listed=bool(found.candidates))
        act.decide(what=what, **({"instead_of": instead_of} if instead_of else {}))
    new = Outcome(act.id, "", bench.person, what, instead_of, reason)
    return Recorded(found.id, what, rules.standing([*found.outcomes, new]), act.head)
