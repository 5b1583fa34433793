"""Attack: whoever asks approves it as well, under whatever name."""

from __future__ import annotations

import pytest

from fr_cli.errors import ConfigurationError
from fr_cli.operations.bench import Bench

from .two_people import NUMBERS, Station


def test_the_requester_signs_with_their_own_key(station: Station) -> None:
    request = station.ask()
    said = station.refused(request.data, station.sign(request.data, "alice"))
    assert said == "alice asked for this, and cannot approve it as well."


def test_an_account_of_the_same_name_under_another_number(station: Station) -> None:
    request = station.ask(uid=5001, loginuid=None)
    said = station.refused(
        request.data, station.sign(request.data, "alice"), uid=5001, loginuid=None
    )
    assert said == "alice asked for this, and cannot approve it as well."


@pytest.mark.parametrize("as_whom", ["uid", "loginuid"])
def test_another_account_of_the_same_person(
    station: Station, monkeypatch: pytest.MonkeyPatch, as_whom: str
) -> None:
    """Bob is a second name of the number that asks, or logged in and became Alice by sudo."""
    monkeypatch.setattr("fr_cli.operations.approvals._uid", NUMBERS.get)
    uid, login = NUMBERS["alice"], NUMBERS["bob"]
    if as_whom == "uid":
        uid, login = login, uid
    request = station.ask(uid=uid, loginuid=login)
    signature = station.sign(request.data, "bob")
    said = station.refused(request.data, signature, uid=uid, loginuid=login)
    assert said == "bob asked for this, and cannot approve it as well."


def test_the_same_key_under_two_names(station: Station) -> None:
    operators = {
        name: {"roles": ["administrator"], "key": station.public("alice")}
        for name in ("alice", "zoe")
    }
    station.policy(operators=operators)
    with Bench(station.home) as bench, pytest.raises(ConfigurationError) as trouble:
        _ = bench.policy
    assert "one key to two people: alice and zoe" in trouble.value.message


def test_somebody_else_uses_the_approval(station: Station) -> None:
    station.policy(
        operators={
            name: {"roles": ["administrator"], "key": station.public(name)}
            for name in ("alice", "bob", "carol")
        }
    )
    request = station.ask()
    said = station.refused(request.data, station.sign(request.data), name="carol")
    assert said == "The request was made by alice, and is for nobody else."
