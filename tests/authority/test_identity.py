"""Who may do what: by account, role and training."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

import fr_cli
from fr_cli.authority.identity import Person, permit
from fr_cli.authority.policy import Operator, Policy, default_policy, parse_policy
from fr_cli.authority.roles import ACTS, Role, among
from fr_cli.errors import NotAllowed

TODAY = date(2026, 3, 2)
#: Who wrote the log may do the erasing that `audit expire` asked for.
WITHIN_ANOTHER = {"audit-erase"}


def policy(**operators: Operator) -> Policy:
    """A new home's policy with these operators."""
    default = parse_policy(default_policy()).policy
    assert default is not None
    return replace(default, operators=operators)


def of(*roles: Role, until: date | None = None) -> Operator:
    return Operator(roles=roles, trained_until=until)


def asks(user: str, uid: int = 1207) -> Person:
    return Person(uid, user)


def test_one_person_alone_may_do_everything() -> None:
    for command in ("identify", "purge", "audit show", "something new"):
        permit(policy(), asks("anybody"), command, TODAY)
        permit(policy(), asks(""), command, TODAY)


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        ("officer", "identify", "enroll"),
        ("officer", "outcome", "audit show"),
        ("reviewer", "decide", "identify"),
        ("gallery-manager", "enroll", "identify"),
        ("gallery-manager", "watchlist create", "audit show"),
        ("gallery-manager", "sample draw", "gallery restore"),
        ("tester", "evaluate", "identify"),
        ("tester", "report drift", "report subject"),
        ("auditor", "report subject", "identify"),
        ("auditor", "audit show", "gallery stats"),
        ("auditor", "audit export", "audit rotate"),
        ("administrator", "gallery rotate-key", "identify"),
        ("administrator", "policy clock", "purge"),
    ],
)
def test_a_role_may_do_its_acts_and_no_others(role: Role, may: str, may_not: str) -> None:
    rules = policy(pc1=of(role))
    permit(rules, asks("pc1"), may, TODAY)
    with pytest.raises(NotAllowed, match=f"pc1 may not do this: {may_not} is not among the acts"):
        permit(rules, asks("pc1"), may_not, TODAY)


def test_roles_add_up() -> None:
    rules = policy(pc1=of("officer", "auditor"))
    permit(rules, asks("pc1"), "identify", TODAY)
    permit(rules, asks("pc1"), "audit show", TODAY)


def test_the_first_word_lists_its_group_and_nothing_that_begins_alike() -> None:
    assert among("watchlist create", frozenset({"watchlist"}))
    assert not among("watchlists", frozenset({"watchlist"}))
    assert not among("audit rotate", frozenset({"audit show"}))
    assert not among("audit", frozenset({"audit show"}))


def test_an_account_that_is_not_named_may_do_nothing() -> None:
    with pytest.raises(NotAllowed, match="account pc2 is not an operator"):
        permit(policy(pc1=of("officer")), asks("pc2"), "identify", TODAY)


def test_a_number_without_an_account_may_do_nothing() -> None:
    with pytest.raises(NotAllowed, match="knows no account with the number 4711"):
        permit(policy(pc1=of("officer")), asks("", 4711), "identify", TODAY)


def test_training_counts_to_its_last_day() -> None:
    rules = policy(pc1=of("officer", until=TODAY))
    permit(rules, asks("pc1"), "identify", TODAY)
    for command in ("identify", "verify", "decide"):
        with pytest.raises(NotAllowed, match="training of pc1 was valid until 2026-03-02"):
            permit(rules, asks("pc1"), command, date(2026, 3, 3))
    permit(rules, asks("pc1"), "outcome", date(2026, 3, 3))


def test_every_command_that_opens_an_act_stands_under_a_role() -> None:
    opened = set(acts_opened()) - WITHIN_ANOTHER
    listed = frozenset().union(*ACTS.values())
    assert {"identify", "gallery backup", "audit export"} <= opened
    assert {command for command in opened if not among(command, listed)} == set()


def acts_opened() -> Iterator[str]:
    """The commands of all `….act(COMMAND, KIND, …)` in the code."""
    package = Path(fr_cli.__file__).parent
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in package.rglob("*.py")]
    names = {
        target.id: node.value.value
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }
    for tree in trees:
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "act"
                and len(node.args) == 2
            ):
                match node.args[0]:
                    case ast.Constant(value=str(command)):
                        yield command
                    case ast.Name(id=name) if name in names:
                        yield names[name]
                    case ast.Attribute(attr=name) if name in names:
                        yield names[name]
                    case ast.JoinedStr(values=[ast.Constant(value=str(first)), *_]):
                        yield first.split()[0]
                    case ast.Name(id="command") | ast.Attribute(attr="command"):
                        pass  # hands on what it was called with
                    case other:
                        raise AssertionError(f"not a command: {ast.unparse(other)}")
