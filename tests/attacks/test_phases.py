"""Signed entries in an order that no honest program writes."""

from __future__ import annotations

import json

import pytest
import rfc8785

from .tampering import SmallLog


def copied(small: SmallLog, *indices: int, **changes: str) -> list[bytes]:
    """The log with copies of some entries behind it, numbered on, all rightly signed."""
    bodies = small.bodies
    for index in indices:
        entry = json.loads(small.bodies[index]) | changes | {"seq": len(bodies)}
        bodies.append(rfc8785.dumps(entry))
    return small.signed(bodies)


def test_two_outcomes_of_one_intent(small: SmallLog) -> None:
    small.detected(copied(small, 9), "line 11 is a second outcome")


def test_an_act_that_begins_again(small: SmallLog) -> None:
    small.detected(copied(small, 8, 9), "line 11 is a second intent")


def test_an_outcome_without_an_intent(small: SmallLog) -> None:
    small.detected(copied(small, 9, req="f" * 32), "line 11 is of phase outcome without an intent")


def test_a_batch_after_the_outcome(small: SmallLog) -> None:
    small.detected(copied(small, 4), "line 11 is a second batch or a late one")


def test_an_outcome_of_an_abandoned_act(small: SmallLog) -> None:
    forged = copied(small, 9, ph="abandoned")
    small.detected(forged, "line 11 is a second abandoned")


def test_two_intents_of_one_act(small: SmallLog) -> None:
    small.detected(copied(small, 8, 8, req="f" * 32), "line 12 is a second intent")


def test_a_second_genesis(small: SmallLog) -> None:
    small.detected(copied(small, 0), "line 11 is a second genesis")


def test_no_genesis(small: SmallLog) -> None:
    forged = small.rewritten(0, lambda entry: entry.update(ph="intent"))
    small.detected(forged, "line 1 is not a genesis entry")


def test_a_sequence_number_that_is_wrong(small: SmallLog) -> None:
    forged = small.rewritten(5, lambda entry: entry.update(seq=6))
    small.detected(forged, "line 6 holds an entry that has the sequence number 6")


@pytest.mark.parametrize("name", ["op", "t", "n", "boot", "host", "tool", "mono", "act", "req"])
def test_a_field_that_is_missing(small: SmallLog, name: str) -> None:
    forged = small.rewritten(5, lambda entry: entry.pop(name))
    small.detected(forged, f"line 6 holds an entry that lacks '{name}'")
