"""Lines of a shape that is known: checked by one expression instead of being parsed.

A log repeats a few shapes: the same keys in the same order, other strings and numbers. From a line
that has passed every check of `line` and `entry`, its shape is made as an expression over bytes:
braces, keys, phase and kind of act as they stand, each string any plain ASCII one, each integer any
short one, and the fields that have a form in their form. Whatever matches is written canonically
and has the fields it must have, because only the insides of plain values differ. What matches no
shape may be right as well: it has to be parsed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from fr_cli.audit.canonical import JSON
from fr_cli.audit.line import HEAD, MAX_LINE

#: Shapes that are kept: each costs a millisecond to make and half a microsecond to try.
MAX_SHAPES = 40

# No quote, no backslash, nothing outside of ASCII: such a string has only this spelling.
_PLAIN = rb'"[ !#-\[\]-~]*+"'
_INTEGER = rb"(?:0|-?[1-9][0-9]{0,14}+)"
_DAY = (
    rb"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"  # but for 29 February, any day that exists
    rb"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
)
_FIELDS = {
    "n": rb'"[A-Za-z0-9_-]{21}[AQgw]"',
    "req": rb'"(?P<req>[0-9a-f]{32})"',
    "seq": rb"(?P<seq>0|[1-9][0-9]{0,14})",
    "t": rb'"(?P<t>[1-9][0-9]{3}-' + _DAY + rb"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    rb'\.[0-9]{6}Z)"',
    "v": b"1",
}
_LITERAL = frozenset({"act", "ph"})


class Known(NamedTuple):
    """A line of a known shape, in its parts; base64 and digits as they are written."""

    root: bytes
    signature: bytes
    size: bytes
    body: bytes
    phase: str
    req: str
    seq: bytes
    time: str


class Shapes:
    """The shapes met so far; the one that matched last is tried first."""

    def __init__(self) -> None:
        self._shapes: list[tuple[re.Pattern[bytes], str]] = []

    def known(self, text: bytes) -> Known | None:
        """The parts of a line of a known shape; None if it must be parsed."""
        head = HEAD.match(text)
        if head is None or len(text) > MAX_LINE:
            return None
        start = head.end()
        for index, (shape, phase) in enumerate(self._shapes):
            if found := shape.fullmatch(text, start):
                if index:
                    self._shapes.insert(0, self._shapes.pop(index))
                root, signature, size = head.groups()
                req, seq, time = found.group("req", "seq", "t")
                body = text[start:-2]
                return Known(root, signature, size, body, phase, req.decode(), seq, time.decode())
        return None

    def learn(self, text: bytes, entry: Mapping[str, JSON]) -> None:
        """Keep the shape of a line whose entry is right; one that cannot have a shape is left."""
        if len(self._shapes) >= MAX_SHAPES:
            return
        fields = [
            _key(name)
            + (_FIELDS.get(name) or (_literal(entry[name]) if name in _LITERAL else _value(value)))
            for name, value in sorted(entry.items())
        ]
        shape = re.compile(rb"\{" + b",".join(fields) + rb"\}\}\n")
        head = HEAD.match(text)
        if head and shape.fullmatch(text, head.end()):
            self._shapes.append((shape, str(entry["ph"])))


def _key(name: str) -> bytes:
    return _literal(name) + b":"


def _literal(value: JSON) -> bytes:
    return re.escape(json.dumps(value).encode())


def _value(value: JSON) -> bytes:
    if isinstance(value, str):
        return _PLAIN
    if value is None or isinstance(value, bool):
        return _literal(value)
    if isinstance(value, int):
        return _INTEGER
    if isinstance(value, Mapping):
        pairs = (_key(name) + _value(one) for name, one in sorted(value.items()))
        return rb"\{" + b",".join(pairs) + rb"\}"
    assert isinstance(value, list)
    kinds = [_value(one) for one in value]
    if len(set(kinds)) == 1:  # such a list may have any length
        return rb"\[(?:" + kinds[0] + b"(?:," + kinds[0] + rb")*+)?+\]"
    return rb"\[" + b",".join(kinds) + rb"\]"
