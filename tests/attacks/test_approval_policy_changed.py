"""Attack: the policy is another one than when it was asked, or was changed without its approval."""

from __future__ import annotations

import pytest

from fr_cli.errors import NotAllowed

from .two_people import Station, rotate


def test_the_policy_is_another_since(station: Station) -> None:
    request = station.ask()
    station.policy(approvals={"acts": ["key-rotation"], "valid_hours": 700})
    said = station.refused(request.data, station.sign(request.data))
    assert said == "The policy was changed since the request was made."


def test_an_approver_who_was_struck_off_since(station: Station) -> None:
    request = station.ask()
    signature = station.sign(request.data)
    station.policy(
        operators={
            "alice": {"roles": ["administrator"], "key": station.public("alice")},
            "carol": {"roles": ["reviewer"], "key": station.public("carol")},
        }
    )
    assert "policy was changed" in station.refused(request.data, signature)


def test_a_policy_that_guards_itself_cannot_simply_be_edited(station: Station) -> None:
    acts = ["key-rotation", "policy"]
    station.policy(approvals={"acts": acts})
    with station.bench() as bench, bench.act("models pin", "administration"):
        pass
    station.policy(approvals={"acts": []})
    for _ in range(3):  # the refused attempts do not make it the one in force
        with station.bench() as bench, pytest.raises(NotAllowed) as trouble:
            rotate(bench)
        assert trouble.value.message.startswith("policy.yaml was changed without a second person")
    assert "rotation" not in {entry["ph"] for entry in station.log()}
    station.policy(approvals={"acts": acts})
    with station.bench() as bench, bench.act("models pin", "administration"):
        pass


def test_an_erasure_in_between_does_not_hide_which_policy_is_in_force(station: Station) -> None:
    station.policy(approvals={"acts": ["policy"]})
    with station.bench() as bench, bench.act("models pin", "administration") as act:
        pass
    with station.bench() as bench, bench.act("models pin", "administration"):
        pass
    seqs = [one["seq"] for one in station.log() if one["req"] == act.id]
    with station.bench() as bench:
        bench.audit.erase(seqs, "retention")
    station.policy(approvals={"acts": []})
    with station.bench() as bench, pytest.raises(NotAllowed, match="without a second person"):
        rotate(bench)
