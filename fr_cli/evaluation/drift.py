"""Does a system in use still err as seldom as its evaluation says? Counts of a period, held to it.

What is false only people know. So the false candidate lists of a period lie between those that
officers rejected and those that nobody confirmed; with few decisions that is between almost none
and almost all of them, and the answer is "cannot say", honestly. Both denominators are given, since
each alone misleads: false lists among all searches (as FPIR counts), and among all candidate lists
(how often an officer who sees candidates sees none but strangers).

FPIR is a rate of searches for people who are *not* in the gallery. Of all searches they are a part
only, so the false lists among all searches lie below it: more of them than FPIR allows is drift,
fewer is no proof that there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fr_cli.evaluation.equality import Judgement, judge
from fr_cli.evaluation.intervals import Rate, clopper_pearson
from fr_cli.evaluation.shifts import Shift, shift
from fr_cli.evaluation.trials import Trials


@dataclass(frozen=True)
class Search:
    """One search that was answered: the score of its first candidate (None: no candidate), and
    whether an officer confirmed (True) or rejected (False) the candidates (None: no decision)."""

    score: float | None
    confirmed: bool | None = None


@dataclass(frozen=True)
class Drift:
    """What a period shows.

    `least` and `most` are false lists as far as decisions tell, among all searches;
    `least_of_lists` and `most_of_lists` among candidate lists; `lists` the candidate lists among
    all searches, `lists_before` in the time before, judged in `change`; `score_shift` the first
    candidates' scores against those before. `undecided` lists have no decision.
    """

    verdict: Literal["outside", "within", "cannot_say"]
    sentence: str
    allowed: float | None
    least: Rate
    most: Rate
    least_of_lists: Rate
    most_of_lists: Rate
    lists: Rate
    lists_before: Rate
    change: Judgement
    score_shift: Shift | None
    undecided: int


def drift(period: Sequence[Search], before: Sequence[Search], allowed: float | None) -> Drift:
    """Hold the searches of a period to the FPIR that the evaluation in force allows (None: none
    is in force), and to the searches before."""
    lists = [one for one in period if one.score is not None]
    rejected = sum(one.confirmed is False for one in lists)
    undecided = sum(one.confirmed is None for one in lists)
    least, most = _rate(rejected, len(period)), _rate(rejected + undecided, len(period))
    lists_now, lists_before = _lists(period), _lists(before)
    verdict, sentence = _verdict(least, most, undecided, allowed)
    return Drift(
        verdict=verdict,
        sentence=sentence,
        allowed=allowed,
        least=least,
        most=most,
        least_of_lists=_rate(rejected, len(lists)),
        most_of_lists=_rate(rejected + undecided, len(lists)),
        lists=lists_now,
        lists_before=lists_before,
        change=_change(period, before),
        score_shift=_shift(period, before),
        undecided=undecided,
    )


def _verdict(
    least: Rate, most: Rate, undecided: int, allowed: float | None
) -> tuple[Literal["outside", "within", "cannot_say"], str]:
    if allowed is None:
        return "cannot_say", "No evaluation is in force, so there is nothing to hold this against."
    if not most.of:
        return "cannot_say", "There was no search in this time."
    if least.low > allowed:
        return "outside", (
            f"False candidate lists were {least.value:.2%} of all searches (at least "
            f"{least.low:.2%}): more than the evaluation in force allows ({allowed:.2%})."
        )
    if most.high <= allowed:
        return "within", (
            f"False candidate lists were at most {most.high:.2%} of all searches: within the "
            f"evaluation in force ({allowed:.2%})."
        )
    why = (
        f"{undecided:,} candidate list{'s' if undecided != 1 else ''} without a decision may be "
        "true or false"
        if undecided
        else f"{most.of:,} searches are too few"
    )
    return "cannot_say", f"It cannot be said whether it is within the evaluation in force: {why}."


def _lists(searches: Sequence[Search]) -> Rate:
    return _rate(sum(one.score is not None for one in searches), len(searches))


def _change(period: Sequence[Search], before: Sequence[Search]) -> Judgement:
    """Whether candidate lists are as frequent as before, by the test for groups."""
    listed = np.array([one.score is not None for one in [*period, *before]], dtype=np.bool_)
    times = np.repeat(np.array([0, 1]), [len(period), len(before)])
    names = ("this period", "the time before")
    return judge(Trials(listed, np.arange(listed.size), times, names), "The share of lists")


def _shift(period: Sequence[Search], before: Sequence[Search]) -> Shift | None:
    scores = [[one.score for one in part if one.score is not None] for part in (period, before)]
    values = np.array([*scores[0], *scores[1]], dtype=np.float64)
    return shift(values, np.arange(values.size), np.arange(values.size) < len(scores[0]))


def _rate(cases: int, of: int) -> Rate:
    return Rate(cases / of if of else None, *clopper_pearson(cases, of), cases, of)
