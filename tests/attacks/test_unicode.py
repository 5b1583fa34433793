"""Text that looks the same and is not, signed by one with the key."""

from __future__ import annotations

import pytest

from .tampering import SmallLog


@pytest.mark.parametrize(
    "text",
    [b"\\u0043R/26/2", b"\\u0063", "e\u0301".encode(), "\u212b".encode(), b"\\u00e9", b"\\/",
     b"\\ud83d\\ude00", b"\\ud800", b"\xed\xa0\x80", b"\xff", b"\xc0\xaf", b"\xc3", b"\x01",
     b"\\u001F", b"\x7f\\b\\u0008"],
)  # fmt: skip
def test_another_spelling_of_a_string(small: SmallLog, text: bytes) -> None:
    small.detected(small.respelled(8, b"CR/26/2", text), "line 9 holds an entry")


@pytest.mark.parametrize("text", ["é", "\u202e", "\u200b", "\U0001f600", "\u2028", "\x7f"])
def test_text_in_its_one_spelling_passes(small: SmallLog, text: str) -> None:
    assert small.passes(small.respelled(8, b"CR/26/2", text.encode())).entries == 10


def test_a_key_that_looks_the_same(small: SmallLog) -> None:
    cyrillic = "\u0440h".encode()
    small.detected(small.respelled(9, b'"ph":', b'"' + cyrillic + b'":'), "line 10 holds an entry")


def test_an_order_of_keys_that_is_not_the_rfcs(small: SmallLog) -> None:
    forged = small.respelled(9, b'"exit":0', b'"exit":0,"\\ue000":1,"\\ud83d\\ude00":1')
    small.detected(forged, "line 10 holds an entry")
