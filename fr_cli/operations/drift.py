"""Does the system in use still lie within the evaluation in force? From the log alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fr_cli.audit.canonical import JSON
from fr_cli.audit.show import acts, moment
from fr_cli.casework.searches import COMMANDS, Search, follow
from fr_cli.operations.audit import log_of
from fr_cli.operations.bench import Bench
from fr_cli.operations.in_force import InForce, in_force
from fr_cli.records import Head, Listener

if TYPE_CHECKING:
    from fr_cli.evaluation.drift import Drift
    from fr_cli.evaluation.drift import Search as Judged


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
        found: list[Judged] = []
        earlier: list[Judged] = []
        refused: Counter[str] = Counter()
        inconclusive = uncovered = 0
        reading = acts(log_of(bench.site.home).read(listener=listener))
        for one in follow(act for act in reading if act.command in COMMANDS).values():
            answered = one.answer in ("candidates", "no_candidate")
            if one.state not in ("done", "failed") or (end and one.asked >= end):
                continue
            if one.asked < begin:
                earlier += [_judged(one)] * answered
            elif one.state == "failed":
                refused[one.error] += 1
            elif not answered:
                inconclusive += 1
            elif evaluation and one.evaluation != evaluation.sha256:
                uncovered += 1
            else:
                found.append(_judged(one))
        allowed = evaluation.fpir if evaluation else None
        result = drift(found, earlier, allowed)
        act.decide(verdict=result.verdict, searches=len(found), lists=result.lists.cases)
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


def _judged(one: Search) -> Judged:
    from fr_cli.evaluation.drift import Search as Judged

    first = max((float(candidate.score) for candidate in one.candidates), default=None)
    return Judged(first, one.found)
