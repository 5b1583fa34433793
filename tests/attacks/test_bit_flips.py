"""Every single bit of a small log is flipped: journald's own test."""

from __future__ import annotations

import pytest

from fr_cli.errors import AuditBroken

from .tampering import SmallLog


def missed(small: SmallLog, data: bytes, flips: list[tuple[int, int]], *, full: bool) -> list[int]:
    """The places of those flips (byte, bit) that verification does not see."""
    found = []
    for place, bit in flips:
        flipped = bytearray(data)
        flipped[place] ^= 1 << bit
        try:
            small.passes([bytes(flipped)], full=full)
        except AuditBroken:
            continue
        found.append(place)
    return found


@pytest.fixture
def data(small: SmallLog) -> bytes:
    """The genesis entry and one intent: a line before the last, and the last."""
    data = b"".join(small.lines[:2])
    small.passes([data])
    return data


def test_only_the_signatures_before_the_last_need_full(small: SmallLog, data: bytes) -> None:
    start = data.index(b'"sig":"') + 7
    signature = range(start + 5, start + 91)  # behind the key id
    every = [(place, bit) for place in range(len(data)) for bit in range(8)]
    fast = set(missed(small, data, every, full=False))
    assert fast  # the exception that the docstring of verify states is a real one
    assert fast <= set(signature)
    # What the fast check sees, the full one sees too: of that, one bit a byte is enough here.
    there = [(place, bit) for place, bit in every if place in signature or bit == place % 8]
    assert missed(small, data, there, full=True) == []
