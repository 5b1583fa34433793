"""The canonical form and its strictness."""

from __future__ import annotations

import os
from enum import StrEnum

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from fr_cli.audit.canonical import JSON, canonical, parse

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), values, max_size=5))
def test_what_is_written_is_read_back_and_is_rfc_8785(entry: dict[str, JSON]) -> None:
    try:
        body = canonical(entry)
    except ValueError:
        return  # two keys that NFC makes one
    again = parse(body)
    assert rfc8785.dumps(again) == body
    assert canonical(again) == body


def test_strings_become_nfc_and_undecodable_bytes_become_a_mark() -> None:
    assert canonical("e\u0301") == '"é"'.encode()
    assert canonical({"e\u0301": 1}) == '{"é":1}'.encode()
    assert canonical(os.fsdecode(b"\xff")) == '"\ufffd"'.encode()


def test_a_string_enumeration_and_a_tuple_are_plain() -> None:
    class Word(StrEnum):
        A = "a"

    assert canonical({"w": Word.A, "t": (1, 2)}) == b'{"t":[1,2],"w":"a"}'


@pytest.mark.parametrize(
    "value", [0.5, float("nan"), b"x", {1}, object(), [1.0], {"a": {"b": 2.5}}]
)
def test_other_types_are_refused(value: object) -> None:
    with pytest.raises(TypeError):
        canonical(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [2**53, -(2**53), {"é": 1, "e\u0301": 2}])
def test_what_json_readers_disagree_on_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        canonical(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":1}', b'{"b":1,"a":2}', b'{"a": 1}', b'{"a":1.0}', b'{"a":1e3}', b'{"a":-0}',
        b'{"a":01}', b'{"a":9007199254740992}', b'{"a":' + b"9" * 5000 + b"}", b'{"a":NaN}',
        b'{"a":Infinity}', b'{"a":"\\u0041"}', b'{"a":"\\/"}', b'{"a":"\\ud800"}', b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}', '{"a":"e\u0301"}'.encode(), b'{"a":"\\u00e9"}', b'{"a":1}x',
        b'{"a":' + b"[" * 30000 + b"]" * 30000 + b"}", b'{"a":"\t"}', b'{"a":1}\r',
        b"\xef\xbb\xbf{}", b'{"a":"\\u001F"}', b'{"a":true,}', b"{'a':1}",
    ],
)  # fmt: skip
def test_any_other_spelling_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        parse(body)


def test_keys_are_ordered_by_utf_16_as_the_rfc_says() -> None:
    body = canonical({"\ue000": 1, "\U0001f600": 2})
    assert body.index("\U0001f600".encode()) < body.index("\ue000".encode())
    assert parse(body) == {"\ue000": 1, "\U0001f600": 2}
    with pytest.raises(ValueError):
        parse('{"\ue000":1,"\U0001f600":2}'.encode())
