"""Base64 that decodes to the same bytes but is spelled another way."""

from __future__ import annotations

import pytest

from .tampering import SmallLog

LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


@pytest.mark.parametrize("end", [57, 158])
def test_the_spare_bits_of_the_last_character(small: SmallLog, end: int) -> None:
    lines = small.lines
    assert lines[9][end + 1 : end + 2] == b"="
    value = LETTERS.index(lines[9][end])
    for spare in (1, 2, 3):
        forged = bytearray(lines[9])
        forged[end] = LETTERS[value + spare]
        small.detected([*lines[:9], bytes(forged)], "line 10 does not have the form")


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'=","sig', b'","sig'), (b'=","sig', b'==","sig'), (b'"root":"', b'"root":" '),
     (b'"root":"', b'"root":"\\n'), (b'=","size', b'=\\u003d","size')],
)  # fmt: skip
def test_padding_and_white_space(small: SmallLog, old: bytes, new: bytes) -> None:
    lines = small.lines
    lines[9] = lines[9].replace(old, new)
    small.detected(lines, "line 10 does not have the form")


def test_the_url_alphabet(small: SmallLog) -> None:
    lines = small.lines
    for index, line in enumerate(lines):
        head, rest = line[:165], line[165:]
        other = head.replace(b"+", b"-").replace(b"/", b"_")
        if other != head:
            small.detected([*lines[:index], other + rest, *lines[index + 1 :]], f"line {index + 1}")
