"""A line that is taken by its shape is one that the strict reading takes, and says the same."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fr_cli.audit.canonical import canonical, parse
from fr_cli.audit.entry import Draft, check_fields
from fr_cli.audit.line import read_line, signed_line
from fr_cli.audit.shapes import MAX_SHAPES, Shapes
from fr_cli.keys import SigningKey

from .conftest import ORIGIN

SIGNER = SigningKey.new()
ROOT = base64.b64encode(bytes(32)).decode()

words = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ["CR/26/1", "a b", 'quote"', "back\\", "\x7f", "\n", "Zoë", "e\u0301", "{}", ":,"]
)
values = st.recursive(
    words | st.booleans() | st.none() | st.integers(-(2**53) + 1, 2**53 - 1),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=8,
)
#: What a change may put in: all that a shape has to tell apart.
marks = st.sampled_from(
    [b'"', b"\\", b" ", b"\n", b"0", b"-", b".", b"e", b",", b"{", b"}", b":", b"[]", b"\x00",
     b"\xc3\xab", b"1e5", b"00", b"-0", b'"a":1,', b"null", b"2023-02-29", b"\t", b"\x7f"]
)  # fmt: skip


def line_of(seq: int, **fields: Any) -> bytes:
    req = "0123456789abcdef" * 2
    drafted = Draft(cmd="identify", act="consultation", ph="intent", req=req)
    entry = parse(drafted.body(seq))
    return signed_line(canonical(entry | fields), seq + 1, ROOT, SIGNER, ORIGIN)


def strictly(text: bytes) -> tuple[Any, ...]:
    """What `shapes` must say, or ValueError."""
    line = read_line(text)
    assert line.body is not None
    entry = parse(line.body)
    check_fields(entry, int(str(entry["seq"])))
    names = [str(entry[name]) for name in ("ph", "req", "seq", "t")]
    return (line.root, line.signature, str(line.size), line.body, *names)


def agrees(shapes: Shapes, text: bytes) -> bool:
    """Whether it was taken; then what it says must be what a strict reading says."""
    known = shapes.known(text)
    if known is None:
        return False
    said = (known.root.decode(), known.signature.decode(), known.size.decode(), known.body)
    assert (*said, known.phase, known.req, known.seq.decode(), known.time) == strictly(text)
    return True


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(words, values, max_size=3), st.data())
def test_what_is_taken_is_right(why: dict[str, Any], data: st.DataObject) -> None:
    try:
        text = line_of(7, why=why)
    except ValueError:  # two keys that NFC makes one
        return
    shapes = Shapes()
    shapes.learn(text, parse(read_line(text).body or b""))
    agrees(shapes, text)
    agrees(shapes, line_of(123, why=why))
    for _ in range(30):
        at = data.draw(st.integers(0, len(text)))
        gone = data.draw(st.integers(0, 3))
        changed = text[:at] + data.draw(marks) + text[at + gone :]
        try:
            agrees(shapes, changed)
        except ValueError as trouble:
            pytest.fail(f"taken by its shape, and {trouble}: {changed!r}")


def test_an_ordinary_line_is_taken_with_other_values_and_longer_lists() -> None:
    shapes = Shapes()
    text = line_of(7, dec={"cands": [{"ref": "a", "score": "0.5"}], "n": 3, "ok": True})
    assert not agrees(shapes, text)
    shapes.learn(text, json.loads(text)["e"])
    assert agrees(shapes, text)
    more = {"cands": [{"ref": "b", "score": "0.61"}] * 5, "n": -12, "ok": True}
    assert agrees(shapes, line_of(8, dec=more))
    assert agrees(shapes, line_of(8, dec=more | {"cands": []}))
    for other in (
        more | {"ok": False}, more | {"ok": 1}, more | {"n": None}, more | {"n": 10**15},
        more | {"cands": [{"ref": "b"}]}, {"cands": [], "n": 3}, more | {"n": "3"},
        more | {"cands": [{"ref": "Zoë", "score": "1"}]},
    ):  # fmt: skip
        assert not agrees(shapes, line_of(8, dec=other))


@pytest.mark.parametrize(
    ("time", "taken"),
    [("2024-02-28", True), ("2024-02-29", False), ("2023-02-29", False), ("2023-12-31", True),
     ("2023-04-31", False), ("2023-13-01", False), ("0000-01-01", False), ("2023-00-10", False)],
)  # fmt: skip
def test_days_that_do_not_exist_are_not_taken(time: str, taken: bool) -> None:
    shapes = Shapes()
    text = line_of(7)
    shapes.learn(text, json.loads(text)["e"])
    changed = text.replace(json.loads(text)["e"]["t"][:10].encode(), time.encode())
    assert agrees(shapes, changed) == taken


def test_the_last_line_of_a_shape_too_many_is_parsed() -> None:
    shapes = Shapes()
    for number in range(MAX_SHAPES + 1):
        text = line_of(7, **{f"k{number}": 1})
        shapes.learn(text, json.loads(text)["e"])
        assert agrees(shapes, text) == (number < MAX_SHAPES)


def test_a_line_that_is_too_long_is_not_taken() -> None:
    shapes = Shapes()
    text = line_of(7, pad="")
    shapes.learn(text, json.loads(text)["e"])
    assert agrees(shapes, line_of(7, pad="x" * (65536 - len(text))))
    assert not agrees(shapes, line_of(7, pad="x" * (65537 - len(text))))
