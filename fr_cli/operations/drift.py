"""Does the system in use still lie within the evaluation in force? From the log alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from fr_cli.audit.entry import JSON
from fr_cli.audit.show import ActRecord, Filter, acts, moment
from fr_cli.operations.audit import log_of
from fr_cli.operations.bench import Bench
from fr_cli.operations.decided import Decisions
from fr_cli.operations.in_force import InForce, in_force
from fr_cli.records import Head, Listener

if TYPE_CHECKING:
    from fr_cli.evaluation.drift import Drift, Search


@dataclass(frozen=True)
class Watched:
    """What the log shows of a period.

    `refused` counts searches without an answer by the name of the error, `uncovered` answered
    ones that no evaluation in force covered, `inconclusive` those that named nobody.
    """

    since: str
    until: str
    drift: Drift
    evaluation: InForce | None
    refused: dict[str, int]
    inconclusive: int
    uncovered: int
    head: Head


def watch(since: str, until: str, bench: Bench, listener: Listener) -> Watched:
    """Hold the searches of a period to the evaluation in force, and to those before the period.

    Only searches that this evaluation covered are held to it. An act of its own in the log.
    """
    from fr_cli.evaluation.drift import drift

    begin, end = moment(since), moment(until, end=True)
    asked: dict[str, JSON] = {"since": begin, "until": end, "what": "drift"}
    with bench.act("report drift", "consultation", asked=asked) as act:
        evaluation = in_force(bench)
        period, before = Filter(since=begin, until=end), Filter(until=begin)
        found, earlier = list[_Answered](), list[_Answered]()
        decisions = Decisions()
        refused: Counter[str] = Counter()
        inconclusive = uncovered = 0
        for one in acts(log_of(bench.site.home, None, None).read(listener=listener)):
            decisions.hear(one)
            if one.command != "identify" or one.state not in ("done", "failed"):
                continue
            search = _answered(one)
            if not period.in_time(one):
                if begin and before.in_time(one) and search:
                    earlier.append(search)
            elif one.state == "failed":
                refused[str(one.last["error"])] += 1
            elif search is None:
                inconclusive += 1
            elif evaluation and one.decision.get("evaluation") != evaluation.sha256:
                uncovered += 1
            else:
                found.append(search)
        allowed = evaluation.fpir if evaluation else None
        result = drift(_judged(found, decisions), _judged(earlier, decisions), allowed)
        act.decide(verdict=result.verdict, searches=len(found), lists=result.lists.cases)
    assert act.head is not None
    return Watched(
        since=begin,
        until=end,
        drift=result,
        evaluation=evaluation,
        refused=dict(refused),
        inconclusive=inconclusive,
        uncovered=uncovered,
        head=act.head,
    )


class _Answered(NamedTuple):
    """An answered search as the log tells it: its id, its first score, whom it listed."""

    id: str
    score: float | None
    subjects: frozenset[str]


def _answered(one: ActRecord) -> _Answered | None:
    """None for a search that failed or was inconclusive."""
    if one.decision.get("outcome") not in ("candidates", "no_candidate"):
        return None
    listed = one.decision.get("candidates", [])
    score = max((float(candidate["score"]) for candidate in listed), default=None)
    return _Answered(one.req, score, frozenset(str(candidate["subject"]) for candidate in listed))


def _judged(searches: Iterable[_Answered], decisions: Decisions) -> list[Search]:
    from fr_cli.evaluation.drift import Search

    return [Search(one.score, decisions.on(one.id, one.subjects)) for one in searches]
