"""Counting a period for whoever answers for it: how many were asked, shown, confirmed, false.

Counts alone; what share they are, and how sure that is, is worked out where they are shown. Both
denominators are kept, since each alone misleads: of all searches, and of those with candidates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from fr_cli.casework.searches import Search

#: Stands for what a search did not say.
UNSAID = "not recorded"
WHOLE = "whole gallery"

#: Each way of counting apart, and under which values a search is counted: several for some.
BY: dict[str, Callable[[Search], Iterable[str]]] = {
    "reason": lambda one: [str(one.why.get("reason") or UNSAID)],
    "operator": lambda one: [one.by.name],
    "place": lambda one: [str(one.why.get("place") or UNSAID)],
    "watchlist": lambda one: one.watchlists or [WHOLE],
    "outcome": lambda one: one.words or [UNSAID],
    "flag": lambda one: said(one.why.get("flags")) or ["none"],
    "perceived group": lambda one: said(one.why.get("perceived")) or [UNSAID],
}


def said(value: object) -> list[str]:
    """What an entry says under a name: a word, or a list of them."""
    if isinstance(value, str):
        return [value] if value else []
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else []


@dataclass
class Tally:
    """Counts of searches. Those asked are answered, refused, or broken off (or still run).

    An answered one gave `lists` of candidates, `no_candidate`, or was `inconclusive`. A list is
    `confirmed` (one candidate is the person), `rejected` (none is), `unresolved` (decided, and
    neither), or `undecided`. It is `false` if all were rejected, or a later outcome says so.
    """

    asked: int = 0
    answered: int = 0
    refused: int = 0
    broken_off: int = 0
    no_candidate: int = 0
    inconclusive: int = 0
    lists: int = 0
    confirmed: int = 0
    rejected: int = 0
    unresolved: int = 0
    undecided: int = 0
    false: int = 0

    def add(self, search: Search) -> None:
        """Count one more."""
        self.asked += 1
        self.answered += search.state == "done"
        self.refused += search.state == "failed"
        self.broken_off += search.state in ("abandoned", "open")
        self.no_candidate += search.answer == "no_candidate"
        self.inconclusive += search.answer == "inconclusive"
        if not search.candidates:
            return
        kind = kind_of(search)
        self.lists += 1
        self.confirmed += kind == "confirmed"
        self.rejected += kind == "rejected"
        self.unresolved += kind == "unresolved"
        self.undecided += kind == "undecided"
        self.false += kind == "rejected" or "false-candidate" in search.words


def kind_of(search: Search) -> str:
    """What became of a candidate list: `confirmed`, `rejected`, `unresolved` or `undecided`."""
    verdicts = set((search.verdicts or {}).values())
    if "confirmed" in verdicts:
        return "confirmed"
    if not verdicts:
        return "undecided"
    return "rejected" if verdicts == {"rejected"} else "unresolved"


@dataclass
class Counts:
    """A period: all searches, the same apart by each of BY, and what was decided on whom.

    `candidates` counts people shown, by the verdict in force on each; `refusals` searches that
    were not answered, by exit code and name of the error. `second` and `third` are decisions
    made as such: a third one means that two disagreed.
    """

    all: Tally = field(default_factory=Tally)
    by: dict[str, dict[str, Tally]] = field(default_factory=lambda: {name: {} for name in BY})
    candidates: Counter[str] = field(default_factory=Counter)
    refusals: Counter[tuple[int, str]] = field(default_factory=Counter)
    second: int = 0
    third: int = 0
    late: int = 0
    corrections: int = 0
    days: Counter[str] = field(default_factory=Counter)

    @property
    def groups_recorded(self) -> bool:
        """Whether any search says what group the person was perceived to be of."""
        return bool(self.by["perceived group"].keys() - {UNSAID})


def count(searches: Iterable[Search]) -> Counts:
    """Count these searches."""
    counts = Counts()
    for one in searches:
        counts.all.add(one)
        counts.days[one.asked[:10]] += 1
        for name, values in BY.items():
            for value in values(one):
                counts.by[name].setdefault(value, Tally()).add(one)
        for candidate in one.candidates:
            counts.candidates[_verdict(one.verdicts, candidate.subject)] += 1
        if one.state == "failed":
            counts.refusals[one.exit or 1, one.error] += 1
        for decision in one.decisions:
            counts.second += decision.stage == "second"
            counts.third += decision.stage == "third"
            counts.late += decision.late
            counts.corrections += decision.stage == "correction"
    return counts


def _verdict(verdicts: Mapping[str, str] | None, subject: str) -> str:
    return (verdicts or {}).get(subject, "undecided")
