"""Attack: somebody signs whom the policy does not let approve."""

from __future__ import annotations

from .two_people import Station


def test_a_key_that_the_policy_has_not(pair: Station) -> None:
    data = pair.ask().data
    said = pair.refused(data, pair.sign(data, "mallory"))
    assert said.startswith("The signature is by the key SHA256:")
    assert said.endswith("which the policy gives to nobody who may approve.")
    intent = pair.log()[-2]
    assert set(intent["approval"]) == {"request"}, "no approver stands in the log for it"


def test_an_operator_whose_role_approves_nothing(pair: Station) -> None:
    data = pair.ask().data
    said = pair.refused(data, pair.sign(data, "dave"))
    assert said.endswith("which the policy gives to nobody who may approve.")


def test_a_key_of_ones_own_beside_the_request_is_not_looked_at(pair: Station) -> None:
    """Who may sign is taken from the policy: no file of the user, and no file of the account."""
    data = pair.ask().data
    signers = pair.keys / "allowed_signers"
    signers.write_text(f"bob {pair.public('mallory')}\n")
    assert "nobody who may approve" in pair.refused(data, pair.sign(data, "mallory"))
