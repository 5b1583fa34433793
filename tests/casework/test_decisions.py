"""The rules of decisions: who, in which order, and when it is final."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fr_cli.authority.identity import Person
from fr_cli.casework.decisions import (
    VERDICTS,
    Decision,
    Verdict,
    admit,
    agree,
    check,
    due,
    ends,
    has_decided,
    in_force,
    open_round,
    same_person,
)
from fr_cli.errors import NotAllowed, UsageProblem

ALICE, BOB, CAROL = (Person(1000 + n, name) for n, name in enumerate(("alice", "bob", "carol")))
YES: dict[str, Verdict] = {"a": "confirmed", "b": "rejected"}
NO: dict[str, Verdict] = {"a": "rejected", "b": "rejected"}


def made(
    before: list[Decision],
    person: Person,
    verdicts: dict[str, Verdict],
    *,
    second: bool,
    correcting: bool = False,
) -> list[Decision]:
    stage = admit(before, person, correcting=correcting)
    final = ends(before, verdicts, second=second)
    return [*before, Decision("", "", person, stage, verdicts, final)]


def stages(decisions: list[Decision]) -> list[tuple[str, bool]]:
    return [(one.stage, one.final) for one in decisions]


def test_one_decision_is_final_where_no_second_is_asked() -> None:
    decided = made([], ALICE, YES, second=False)
    assert stages(decided) == [("first", True)]
    assert in_force(decided) == YES
    with pytest.raises(NotAllowed, match="that is final"):
        admit(decided, BOB, correcting=False)


def test_two_who_agree_are_enough_and_two_who_differ_are_not() -> None:
    first = made([], ALICE, YES, second=True)
    assert in_force(first) is None
    assert stages(made(first, BOB, YES, second=True)) == [("first", False), ("second", True)]
    differ = made(first, BOB, NO, second=True)
    assert in_force(differ) is None
    third = made(differ, CAROL, NO, second=True)
    assert stages(third)[2] == ("third", True)
    assert in_force(third) == NO


def test_a_third_may_say_what_neither_said() -> None:
    doubt: dict[str, Verdict] = {"a": "unresolved", "b": "rejected"}
    differ = made(made([], ALICE, YES, second=True), BOB, NO, second=True)
    assert in_force(made(differ, CAROL, doubt, second=True)) == doubt


def test_nobody_decides_twice_in_a_round() -> None:
    differ = made(made([], ALICE, YES, second=True), BOB, NO, second=True)
    for who in (ALICE, BOB):
        with pytest.raises(NotAllowed, match="nobody decides twice"):
            admit(differ, who, correcting=False)


def test_the_sentence_for_the_first_is_the_same_whether_a_second_differed_or_not() -> None:
    first = made([], ALICE, YES, second=True)
    differ = made(first, BOB, NO, second=True)
    said = set()
    for decisions in (first, differ):
        with pytest.raises(NotAllowed) as refused:
            admit(decisions, ALICE, correcting=False)
        said.add((refused.value.message, refused.value.hint))
    assert len(said) == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Person(1, "a"), Person(1, "a"), True),
        (Person(1, "officer"), Person(1, "reviewer"), True),  # another role of one account
        (Person(1, "a", 7), Person(2, "b", 7), True),  # one login behind two accounts
        (Person(1, "a", 1), Person(2, "b", 1), True),  # a worked as b by sudo
        (Person(1, "a", None), Person(2, "b", 1), True),
        (Person(1, "a", 1), Person(2, "b", 2), False),
        (Person(1, "a", None), Person(2, "b", None), False),
    ],
)
def test_one_person_is_one_account_or_one_login(one: Person, other: Person, same: bool) -> None:
    assert same_person(one, other) == same_person(other, one) == same


def test_a_correction_needs_something_to_correct_and_is_a_round_of_its_own() -> None:
    with pytest.raises(NotAllowed, match="no final decision"):
        admit([], ALICE, correcting=True)
    half = made([], ALICE, YES, second=True)
    with pytest.raises(NotAllowed, match="no final decision"):
        admit(half, BOB, correcting=True)
    decided = made(half, BOB, YES, second=True)
    once = made(decided, ALICE, NO, second=True, correcting=True)
    assert stages(once)[-1] == ("correction", False)
    assert in_force(once) == YES  # until a second agrees
    with pytest.raises(NotAllowed, match="twice"):
        admit(once, ALICE, correcting=True)
    assert in_force(made(once, CAROL, NO, second=True, correcting=True)) == NO
    differ = made(once, CAROL, YES, second=True, correcting=True)
    assert open_round(differ)
    assert in_force(made(differ, BOB, NO, second=True, correcting=True)) == NO


def test_a_policy_that_no_longer_asks_for_a_second_lets_the_next_end_it() -> None:
    first = made([], ALICE, YES, second=True)
    assert in_force(made(first, BOB, NO, second=False)) == NO


def test_who_was_purged_in_between_is_no_disagreement() -> None:
    assert agree({"a": "confirmed", "b": "rejected"}, {"a": "confirmed"})
    assert not agree({"b": "rejected"}, {"a": "confirmed"})


def test_each_candidate_is_decided_and_one_confirmed_at_most() -> None:
    check(YES, ["a", "b"])
    with pytest.raises(UsageProblem, match="1 candidate without"):
        check({"a": "rejected"}, ["a", "b"])
    with pytest.raises(UsageProblem, match="no candidate"):
        check(YES, ["a"])
    with pytest.raises(UsageProblem, match="At most one"):
        check({"a": "confirmed", "b": "confirmed"}, ["a", "b"])


def test_a_decision_is_due_so_many_days_after_the_answer() -> None:
    assert due("2026-03-01T10:00:00.000000Z", 7) == datetime.fromisoformat("2026-03-08T10:00Z")


_PEOPLE = [Person(n, f"p{n}", n) for n in range(5)]
_STEP = st.tuples(
    st.sampled_from(_PEOPLE),
    st.fixed_dictionaries({name: st.sampled_from(VERDICTS) for name in "ab"}),
    st.booleans(),
    st.booleans(),
)


@given(st.lists(_STEP, max_size=14))
def test_however_they_try_the_rules_hold(
    steps: list[tuple[Person, dict[str, Verdict], bool, bool]],
) -> None:
    decided: list[Decision] = []
    for person, verdicts, second, correcting in steps:
        before = open_round(decided)
        try:
            now = made(decided, person, verdicts, second=second, correcting=correcting)
        except NotAllowed:
            # A refusal always has one of these reasons, and there is no other.
            final = in_force(decided) is not None
            assert has_decided(decided, person) or final != correcting
            continue
        new = now[-1]
        assert not any(same_person(one.by, person) for one in before)
        assert (new.stage == "correction") == (in_force(decided) is not None)
        # One alone is final only where no second is asked; two only if they agree; three always.
        if second:
            told = [one.verdicts for one in before]
            assert new.final == (len(told) >= 2 or (len(told) == 1 and told[0] == verdicts))
        else:
            assert new.final
        assert len(open_round(now)) <= 2
        assert in_force(now) == (verdicts if new.final else in_force(decided))
        decided = now
    assert [one.stage for one in decided if one.stage != "correction"] == (
        ["first", "second", "third"][: sum(one.stage != "correction" for one in decided)]
    )
