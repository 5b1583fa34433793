"""Attack: whoever asks approves it as well, under whatever name."""

from __future__ import annotations

import pytest

from fr_cli.errors import ConfigurationError
from fr_cli.operations.bench import Bench

from .two_people import NUMBERS, Station


def test_the_requester_signs_with_their_own_key(pair: Station) -> None:
    request = pair.ask()
    said = pair.refused(request.data, pair.sign(request.data, "alice"))
    assert said == "alice asked for this, and cannot approve it as well."


def test_an_account_of_the_same_name_under_another_number(pair: Station) -> None:
    request = pair.ask(uid=5001, loginuid=None)
    said = pair.refused(request.data, pair.sign(request.data, "alice"), uid=5001, loginuid=None)
    assert said == "alice asked for this, and cannot approve it as well."


@pytest.mark.parametrize("as_whom", ["uid", "loginuid"])
def test_another_account_of_the_same_person(
    pair: Station, monkeypatch: pytest.MonkeyPatch, as_whom: str
) -> None:
    """Bob is a second name of the number that asks, or logged in and became Alice by sudo."""
    monkeypatch.setattr("fr_cli.operations.approvals._uid", NUMBERS.get)
    uid, login = NUMBERS["alice"], NUMBERS["bob"]
    if as_whom == "uid":
        uid, login = login, uid
    request = pair.ask(uid=uid, loginuid=login)
    signature = pair.sign(request.data, "bob")
    said = pair.refused(request.data, signature, uid=uid, loginuid=login)
    assert said == "bob asked for this, and cannot approve it as well."


def test_the_same_key_under_two_names(pair: Station) -> None:
    operators = {
        name: {"roles": ["administrator"], "key": pair.public("alice")} for name in ("alice", "zoe")
    }
    pair.policy(operators=operators)
    with Bench(pair.home) as bench, pytest.raises(ConfigurationError) as trouble:
        _ = bench.policy
    assert "one key to two people: alice and zoe" in trouble.value.message


def test_somebody_else_uses_the_approval(pair: Station) -> None:
    pair.policy(
        operators={
            name: {"roles": ["administrator"], "key": pair.public(name)}
            for name in ("alice", "bob", "carol")
        }
    )
    request = pair.ask()
    said = pair.refused(request.data, pair.sign(request.data), name="carol")
    assert said == "The request was made by alice, and is for nobody else."
