"""What the policy wants to know of a search, and what it then allows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from fr_cli.authority.circumstances import Circumstances, allow, supervisors
from fr_cli.authority.identity import Person
from fr_cli.authority.policy import Policy, default_policy, parse_policy
from fr_cli.errors import NotAllowed

PC1 = Person(1001, "pc1")
POLICY: dict[str, Any] = yaml.safe_load(default_policy()) | {
    "operators": {
        "pc1": {"roles": ["officer"]},
        "ps1": {"roles": ["reviewer"]},
        "ps2": {"roles": ["officer", "reviewer"]},
        "gm": {"roles": ["gallery-manager"]},
    },
    "places": ["street", "custody"],
    "supervised": ["child"],
}
POLICY["reasons"] |= {
    "wanted": {"description": "d", "legal_basis": "PACE", "watchlists": ["warrants", "bail"]},
    "at-risk": {"description": "d", "legal_basis": "Duty", "necessity": True},
}
GOOD = Circumstances(place="street")


def policy_of(document: dict[str, Any]) -> Policy:
    found = parse_policy(yaml.safe_dump(document).encode()).policy
    assert found is not None
    return found


def asked(
    reason: str = "test",
    watchlists: tuple[str, ...] | None = (),
    said: Circumstances = GOOD,
    person: Person = PC1,
) -> str:
    return allow(policy_of(POLICY), person, reason, watchlists, said)


def refused(message: str, *arguments: Any, hint: str = "", **named: Any) -> None:
    with pytest.raises(NotAllowed, match=message) as found:
        asked(*arguments, **named)
    assert found.value.hint
    assert hint in found.value.hint


def test_what_is_allowed_has_its_legal_basis() -> None:
    assert asked() == "Consent; no operational use"
    assert asked("wanted", ("warrants",)) == "PACE"


def test_a_reason_that_the_policy_lacks() -> None:
    refused("knows no reason 'curiosity'", "curiosity", hint="at-risk, deceased")


def test_the_place_must_be_said_and_be_one_of_the_policys() -> None:
    refused("wants to know where", said=Circumstances(), hint="street, custody")
    refused("does not know this place", said=Circumstances(place="pub"), hint="street, custody")
    lone = policy_of(yaml.safe_load(default_policy()))
    assert allow(lone, PC1, "test", (), Circumstances())
    with pytest.raises(NotAllowed) as found:
        allow(lone, PC1, "test", (), Circumstances(place="street"))
    assert "Leave out --place" in found.value.hint


def test_a_reason_bounds_the_watchlists() -> None:
    assert asked("wanted", ("warrants", "bail"))
    refused("does not allow a search of this watchlist", "wanted", ("missing",), hint="warrants")
    refused("of this watchlist", "wanted", ("warrants", "missing"))
    refused("of the whole gallery", "wanted", (), hint="warrants, bail")
    assert asked("test", ("anything",))  # no bound
    assert asked("wanted", None)  # a comparison with one subject searches no list


def test_a_reason_may_want_its_necessity_in_words() -> None:
    refused("why a search for at-risk is necessary", "at-risk", hint="--necessity")
    assert asked("at-risk", said=replace(GOOD, necessity="unconscious, no papers")) == "Duty"


def test_a_supervised_flag_needs_a_supervisor() -> None:
    child = replace(GOOD, flags=("child",))
    refused("flagged child needs a supervisor", said=child, hint="ps1, ps2")
    assert asked(said=replace(child, supervisor="ps1"))
    assert asked(said=replace(GOOD, flags=("vulnerable",)))  # this policy does not list it


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pc1", "Nobody supervises their own search"),
        ("gm", "not an operator with the role reviewer"),
        ("stranger", "not an operator with the role reviewer"),
    ],
)
def test_a_supervisor_is_another_operator_who_reviews(name: str, message: str) -> None:
    refused(message, said=replace(GOOD, flags=("child",), supervisor=name), hint="ps1, ps2")
    refused(message, said=replace(GOOD, supervisor=name))  # named without need, it must be true


def test_a_reviewer_who_asks_is_supervised_by_another() -> None:
    ps2 = Person(1002, "ps2")
    assert supervisors(policy_of(POLICY), ps2) == ["ps1"]
    said = replace(GOOD, flags=("child",), supervisor="ps2")
    with pytest.raises(NotAllowed, match="their own search"):
        allow(policy_of(POLICY), ps2, "test", (), said)
