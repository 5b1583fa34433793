"""Outcomes: a closed list, several in time, corrections."""

from __future__ import annotations

import pytest

from fr_cli.authority.identity import Person
from fr_cli.casework.outcomes import WORDS, Outcome, check, standing
from fr_cli.errors import UsageProblem


def came(*words: str | tuple[str, str]) -> list[Outcome]:
    pairs = [(word, "") if isinstance(word, str) else word for word in words]
    return [Outcome("", "", Person(1, "a"), what, instead) for what, instead in pairs]


def test_several_stand_in_the_order_in_which_they_came() -> None:
    assert standing(came("arrest", "complaint", "released")) == ["arrest", "complaint", "released"]


def test_a_correction_takes_the_place_of_what_it_names() -> None:
    assert standing(came("arrest", ("no-action", "arrest"))) == ["no-action"]
    assert standing(came("arrest", ("no-action", "arrest"), "arrest")) == ["no-action", "arrest"]


@pytest.mark.parametrize(
    ("what", "instead_of", "before", "listed", "said"),
    [
        ("promoted", "", came(), True, "no outcome of the list"),
        ("arrest", "promoted", came(), True, "no outcome of the list"),
        ("arrest", "", came("arrest"), True, "already"),
        ("arrest", "released", came("complaint"), True, "was not recorded"),
        ("false-candidate", "", came(), False, "gave no candidate"),
    ],
)
def test_what_is_refused(
    what: str, instead_of: str, before: list[Outcome], listed: bool, said: str
) -> None:
    with pytest.raises(UsageProblem, match=said):
        check(what, instead_of, before, listed=listed)


@pytest.mark.parametrize("what", WORDS)
def test_every_word_is_taken_where_there_were_candidates(what: str) -> None:
    check(what, "", [], listed=True)
