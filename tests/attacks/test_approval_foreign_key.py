"""Attack: somebody signs whom the policy does not let approve."""

from __future__ import annotations

from .two_people import Station


def test_a_key_that_the_policy_has_not(station: Station) -> None:
    data = station.ask().data
    said = station.refused(data, station.sign(data, "mallory"))
    assert said.startswith("The signature is by the key SHA256:")
    assert said.endswith("which the policy gives to nobody who may approve.")
    intent = station.log()[-2]
    assert set(intent["approval"]) == {"request"}, "no approver stands in the log for it"


def test_an_operator_whose_role_approves_nothing(station: Station) -> None:
    data = station.ask().data
    said = station.refused(data, station.sign(data, "dave"))
    assert said.endswith("which the policy gives to nobody who may approve.")


def test_a_key_of_ones_own_beside_the_request_is_not_looked_at(station: Station) -> None:
    """Who may sign is taken from the policy: no file of the user, and no file of the account."""
    data = station.ask().data
    signers = station.keys / "allowed_signers"
    signers.write_text(f"bob {station.public('mallory')}\n")
    assert "nobody who may approve" in station.refused(data, station.sign(data, "mallory"))
