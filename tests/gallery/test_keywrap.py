"""Wrapping many keys at once gives what the standard gives for each."""

from __future__ import annotations

import numpy as np
import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap

from fr_cli.gallery.keywrap import unwrap, wrap

OTHER = b"o" * 32


def test_the_vector_of_the_standard() -> None:
    """RFC 3394, 4.6: 256 bits of key data with a 256-bit key."""
    wrapping = bytes.fromhex("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F")
    key = bytes.fromhex("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F")
    wrapped = "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"
    made = wrap(wrapping, np.frombuffer(key, np.uint8)[None])
    assert made.tobytes().hex().upper() == wrapped
    keys, hold = unwrap(wrapping, made)
    assert keys.tobytes() == key
    assert hold.tolist() == [True]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100])
def test_as_many_as_there_are_each_as_by_itself(count: int) -> None:
    random = np.random.default_rng(count)
    wrapping = random.bytes(32)
    keys = random.integers(0, 256, (count, 32), np.uint8)
    wrapped = wrap(wrapping, keys)
    assert wrapped.shape == (count, 40)
    assert [row.tobytes() for row in wrapped] == [
        aes_key_wrap(wrapping, key.tobytes()) for key in keys
    ]
    assert [aes_key_unwrap(wrapping, row.tobytes()) for row in wrapped] == [
        key.tobytes() for key in keys
    ]
    again, hold = unwrap(wrapping, wrapped)
    assert np.array_equal(again, keys)
    assert hold.all()


def test_what_was_altered_or_is_under_another_key_does_not_hold() -> None:
    random = np.random.default_rng(1)
    keys = random.integers(0, 256, (40, 32), np.uint8)
    wrapped = wrap(OTHER, keys)
    assert not unwrap(b"w" * 32, wrapped)[1].any()
    for row in range(0, 40, 2):
        wrapped[row, row] ^= 1 << row % 8
    assert unwrap(OTHER, wrapped)[1].tolist() == [bool(row % 2) for row in range(40)]
