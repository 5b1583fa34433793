"""What came of a search, in words of a closed list, so that it can be counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fr_cli.authority.identity import Person
from fr_cli.errors import UsageProblem

#: Each word, and what it says.
WORDS = {
    "arrest": "the person was arrested",
    "released": "the person was let go, with or without charge",
    "details-false": "the details that the person had given were false",
    "safeguarding": "somebody was found who was at risk, missing, or could not say who they were",
    "false-candidate": "the person turned out not to be the candidate",
    "complaint": "somebody complained of the search",
    "no-action": "nothing followed",
}


@dataclass(frozen=True)
class Outcome:
    """One outcome as the log has it; `instead_of` is the word that it corrects, or empty."""

    act: str
    at: str
    by: Person
    what: str
    instead_of: str = ""
    reason: str = ""


def standing(outcomes: Sequence[Outcome]) -> list[str]:
    """The words that stand, in the order in which they came."""
    words: list[str] = []
    for one in outcomes:
        if one.instead_of in words:
            words.remove(one.instead_of)
        if one.what not in words:
            words.append(one.what)
    return words


def check(what: str, instead_of: str, outcomes: Sequence[Outcome], *, listed: bool) -> None:
    """UsageProblem for a word that is none, that stands already, or that there was nothing for.

    `listed`: whether the search gave candidates.
    """
    for word in filter(None, (what, instead_of)):
        if word not in WORDS:
            raise UsageProblem(
                "That is no outcome of the list.", hint=f"Give one of: {', '.join(WORDS)}."
            )
    words = standing(outcomes)
    if instead_of and instead_of not in words:
        raise UsageProblem(
            f"The outcome {instead_of} was not recorded for this search.",
            hint=f"Recorded: {', '.join(words) or 'nothing'}.",
        )
    if what in words:
        raise UsageProblem(f"The outcome {what} is recorded for this search already.")
    if what == "false-candidate" and not listed:
        raise UsageProblem("This search gave no candidate, so none can have been false.")
