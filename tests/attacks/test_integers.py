"""Numbers that readers of JSON do not agree on, signed by one with the key."""

from __future__ import annotations

import pytest

from .tampering import SmallLog


@pytest.mark.parametrize(
    "number",
    [b"9007199254740992", b"-9007199254740992", b"1" + b"0" * 400, b"9" * 5000, b"0.0", b"1e0",
     b"1E400", b"-0", b"00", b"+1", b"NaN", b"Infinity", b"0x1", "\u0661".encode()],
)  # fmt: skip
def test_a_number_in_an_entry(small: SmallLog, number: bytes) -> None:
    small.detected(small.respelled(9, b'"exit":0', b'"exit":' + number), "line 10 holds an entry")


@pytest.mark.parametrize(
    "number", [b"010", b"+10", b"1e1", b"10.0", b"1" * 16, b"9" * 5000, b"-10"]
)
def test_a_number_in_a_head(small: SmallLog, number: bytes) -> None:
    lines = small.lines
    lines[9] = lines[9].replace(b'"size":10', b'"size":' + number)
    small.detected(lines, "line 10 does not have the form")


def test_true_is_not_one(small: SmallLog) -> None:
    small.detected(small.respelled(9, b'"v":1', b'"v":true'), "line 10 .*'v'")
