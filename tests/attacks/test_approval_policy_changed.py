"""Attack: the policy is another one than when it was asked, or was changed without its approval."""

from __future__ import annotations

import pytest

from fr_cli.errors import NotAllowed

from .two_people import Station, rotate


def test_the_policy_is_another_since(pair: Station) -> None:
    request = pair.ask()
    pair.policy(approvals={"acts": ["key-rotation"], "valid_hours": 700})
    said = pair.refused(request.data, pair.sign(request.data))
    assert said == "The policy was changed since the request was made."


def test_an_approver_who_was_struck_off_since(pair: Station) -> None:
    request = pair.ask()
    signature = pair.sign(request.data)
    pair.policy(
        operators={
            "alice": {"roles": ["administrator"], "key": pair.public("alice")},
            "carol": {"roles": ["reviewer"], "key": pair.public("carol")},
        }
    )
    assert "policy was changed" in pair.refused(request.data, signature)


def test_a_policy_that_guards_itself_cannot_simply_be_edited(pair: Station) -> None:
    acts = ["key-rotation", "policy"]
    pair.policy(approvals={"acts": acts})
    with pair.bench() as bench, bench.act("models pin", "administration"):
        pass
    pair.policy(approvals={"acts": []})
    for _ in range(3):  # the refused attempts do not make it the one in force
        with pair.bench() as bench, pytest.raises(NotAllowed) as trouble:
            rotate(bench)
        assert trouble.value.message.startswith("policy.yaml was changed without a second person")
    assert "rotation" not in {entry["ph"] for entry in pair.log()}
    pair.policy(approvals={"acts": acts})
    with pair.bench() as bench, bench.act("models pin", "administration"):
        pass


def test_an_erasure_in_between_does_not_hide_which_policy_is_in_force(pair: Station) -> None:
    pair.policy(approvals={"acts": ["policy"]})
    with pair.bench() as bench, bench.act("models pin", "administration") as act:
        pass
    with pair.bench() as bench, bench.act("models pin", "administration"):
        pass
    seqs = [one["seq"] for one in pair.log() if one["req"] == act.id]
    with pair.bench() as bench:
        bench.audit.erase(seqs, "retention")
    pair.policy(approvals={"acts": []})
    with pair.bench() as bench, pytest.raises(NotAllowed, match="without a second person"):
        rotate(bench)
