"""Who may decide on a candidate list, in which order, and when a decision is final.

Pure rules over what the log holds. A *round* is what leads to one final decision: one person's, or,
where the policy asks for a second, that of two who agree without having seen each other's, else
that of a third. A correction of a final decision is a round of its own, by the same rules.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from fr_cli.authority.identity import Person
from fr_cli.errors import NotAllowed, UsageProblem
from fr_cli.records import counted

Verdict: TypeAlias = Literal["confirmed", "rejected", "unresolved"]
Stage: TypeAlias = Literal["first", "second", "third", "correction"]

VERDICTS: tuple[Verdict, ...] = ("confirmed", "rejected", "unresolved")
_STAGES: tuple[Stage, ...] = ("first", "second", "third")


@dataclass(frozen=True)
class Decision:
    """What one person decided on each candidate, by the random id of the subject.

    `at` is when the log had it; `final` whether it ended its round; `late` whether it came after
    the policy's days.
    """

    act: str
    at: str
    by: Person
    stage: Stage
    verdicts: Mapping[str, Verdict]
    final: bool
    late: bool = False
    reason: str = ""


def in_force(decisions: Sequence[Decision]) -> Mapping[str, Verdict] | None:
    """What is decided: the newest final decision; None while there is none."""
    return next((one.verdicts for one in reversed(decisions) if one.final), None)


def open_round(decisions: Sequence[Decision]) -> Sequence[Decision]:
    """The decisions since the newest final one: nobody but who made them may see them."""
    finals = [place for place, one in enumerate(decisions) if one.final]
    return decisions[finals[-1] + 1 :] if finals else decisions


def same_person(one: Person, other: Person) -> bool:
    """Whether two accounts are one person: the same account, or one login behind both.

    Whoever works as another by sudo or su keeps the login; another role is the same account.
    """
    return bool(_accounts(one) & _accounts(other))


def _accounts(person: Person) -> set[int]:
    return {person.uid} if person.loginuid is None else {person.uid, person.loginuid}


def has_decided(decisions: Sequence[Decision], person: Person) -> bool:
    """Whether this person has decided in the round that is open."""
    return any(same_person(one.by, person) for one in open_round(decisions))


def check(verdicts: Mapping[str, Verdict], candidates: Collection[str]) -> None:
    """UsageProblem unless each candidate has one verdict, and at most one is confirmed."""
    if unknown := verdicts.keys() - set(candidates):
        raise UsageProblem(f"{counted(len(unknown), 'decision')} on somebody who is no candidate.")
    if left := set(candidates) - verdicts.keys():
        raise UsageProblem(
            f"{counted(len(left), 'candidate')} without a decision.",
            hint="Decide on each; --reject-all rejects those that are not named otherwise.",
        )
    if sum(verdict == "confirmed" for verdict in verdicts.values()) > 1:
        raise UsageProblem(
            "At most one candidate can be the person in the photo.",
            hint="Confirm one, or leave those in doubt unresolved.",
        )


def admit(decisions: Sequence[Decision], person: Person, *, correcting: bool) -> Stage:
    """In which stage this person may decide now.

    NotAllowed for who has decided already, for a decision on what is decided, and for a
    correction of what is not. No sentence tells whether, or what, another has decided before the
    round is over.
    """
    final = in_force(decisions) is not None
    if has_decided(decisions, person):
        raise NotAllowed(
            "You have decided on this search already; nobody decides twice.",
            hint="Another operator's decision is awaited. When it is final it can be corrected.",
        )
    if final and not correcting:
        raise NotAllowed(
            "This search is decided, and that is final.",
            hint="To correct it, decide again with --correct, and say why.",
        )
    if correcting and not final:
        raise NotAllowed("There is no final decision to correct.", hint="Decide without --correct.")
    return "correction" if correcting else _STAGES[min(len(decisions), 2)]


def ends(decisions: Sequence[Decision], verdicts: Mapping[str, Verdict], *, second: bool) -> bool:
    """Whether this decision would be final; `second`: whether the policy asks for a second one."""
    before = open_round(decisions)
    if not second or len(before) >= 2:
        return True
    return bool(before) and agree(before[0].verdicts, verdicts)


def agree(one: Mapping[str, Verdict], other: Mapping[str, Verdict]) -> bool:
    """Whether two say the same of every candidate on whom both could decide.

    Who was purged between the two is out of the second's reach.
    """
    both = one.keys() & other.keys()
    return bool(both) and all(one[subject] == other[subject] for subject in both)


def due(answered: str, days: int) -> datetime:
    """When the decision on a search is overdue, that was answered then (a time of the log)."""
    return datetime.fromisoformat(answered) + timedelta(days=days)
