"""Attack: what was approved is one thing, what is done another."""

from __future__ import annotations

from pathlib import Path

import pytest

from fr_cli.operations.bench import Bench
from fr_cli.operations.disclosure import export
from fr_cli.operations.keys import rotate_site_key
from fr_cli.records import Silence

from .two_people import Station


def test_another_kind_of_act(pair: Station, tmp_path: Path) -> None:
    pair.policy(
        operators={
            name: {"roles": ["administrator", "auditor"], "key": pair.public(name)}
            for name in ("alice", "bob")
        }
    )

    def hand_out(bench: Bench) -> None:
        export("CR/26/1", "somebody", tmp_path / "out", bench, Silence())

    request = pair.ask()
    said = pair.refused(request.data, pair.sign(request.data), hand_out)
    assert said == "The request is for another kind of act: key-rotation, not export."
    assert not (tmp_path / "out").exists()


def test_the_same_kind_of_act_on_something_else(pair: Station) -> None:
    request = pair.ask()
    site_key = (pair.home / "keys" / "site.key").read_bytes()
    said = pair.refused(
        request.data, pair.sign(request.data), lambda bench: rotate_site_key("", bench)
    )
    assert said == "What was approved is not what is about to be done: key."
    assert (pair.home / "keys" / "site.key").read_bytes() == site_key


@pytest.mark.parametrize("role", ["officer", "tester"])
def test_an_approval_gives_no_right_that_a_role_lacks(pair: Station, role: str) -> None:
    request = pair.ask()
    said = pair.refused(request.data, pair.sign(request.data), name="dave")
    assert said == "The request was made by alice, and is for nobody else."
    operators = {
        "alice": {"roles": [role]},
        "bob": {"roles": ["reviewer"], "key": pair.public("bob")},
    }
    pair.policy(operators=operators)
    said = pair.refused(request.data, pair.sign(request.data))
    assert said == "The policy was changed since the request was made."
