"""The canonical form of what stands in the log: one spelling for each entry.

RFC 8785 narrowed to a profile: no floats (a score is a decimal string), integers below 2^53,
strings in Unicode form NFC, no key twice.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeAlias, Union

import rfc8785

JSON: TypeAlias = Union[bool, int, str, "Sequence[JSON]", "Mapping[str, JSON]", None]

#: Integers of the log are below it.
LIMIT = 2**53


def canonical(value: JSON) -> bytes:
    """The RFC 8785 bytes of a value, its strings brought to NFC.

    TypeError for a float or any other type; ValueError for an integer of 2^53 or more, or two
    keys that NFC makes one.
    """
    # The standard encoder differs from RFC 8785 only in the order of non-ASCII keys; it is many
    # times as fast, and almost every entry is ASCII.
    return _ENCODER.encode(value).encode() if _plain(value) else rfc8785.dumps(_profiled(value))


def _plain(value: Any) -> bool:
    """Whether it stands in the profile as it is, and all its text is ASCII."""
    kind = type(value)
    if kind is str:
        return bool(value.isascii())
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str or not key.isascii() or not _plain(item):
                return False
        return True
    if kind is list or kind is tuple:
        return all(map(_plain, value))
    return value is None or kind is bool or (kind is int and -LIMIT < value < LIMIT)


def _profiled(value: JSON) -> JSON:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        if abs(value) >= LIMIT:
            raise ValueError("an integer of the log must be below 2^53")
        return int(value)
    if isinstance(value, Mapping):
        pairs = {_text(key): _profiled(item) for key, item in value.items()}
        if len(pairs) != len(value):
            raise ValueError("two keys of an object are the same in NFC")
        return pairs
    if isinstance(value, (list, tuple)):
        return [_profiled(item) for item in value]
    raise TypeError(f"a {type(value).__name__} cannot stand in the log; write it as a string")


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:  # the undecodable bytes of a file name or an argument
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return unicodedata.normalize("NFC", text)


def parse(body: bytes) -> dict[str, JSON]:
    """Read an entry; ValueError unless these bytes are the only spelling of it."""
    try:
        text = body.decode()
        # A key that is there twice is lost in reading, so the bytes differ in writing. As in
        # `canonical`, ASCII needs no more than the standard encoder; and ASCII is NFC.
        entry, end = _SCANNER(text, 0)
        if end == len(text) and _ENCODER.encode(entry) == text and body.isascii():
            return dict(entry)
        return _strictly(text, body)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except (UnicodeError, json.JSONDecodeError, StopIteration) as trouble:
        raise ValueError(f"is not JSON ({trouble})") from None


def _strictly(text: str, body: bytes) -> dict[str, JSON]:
    """The same for any entry, and the words for what is wrong with it."""
    entry: dict[str, JSON] = _DECODER.decode(text)
    if canonical(entry) != body:
        raise ValueError("is not canonical (RFC 8785, NFC)")
    return entry


def _once(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    entry = dict(pairs)
    if len(entry) != len(pairs):
        raise ValueError("has a key twice")
    return entry


def _integer(digits: str) -> int:
    if len(digits) < 16:
        return int(digits)
    if len(digits) > 17 or abs(value := int(digits)) >= LIMIT:
        raise ValueError("has an integer of 2^53 or more")
    return value


def _no_float(text: str) -> NoReturn:
    raise ValueError("has a number that is not an integer")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_once, parse_int=_integer, parse_float=_no_float, parse_constant=_no_float
)
_SCANNER = json.JSONDecoder(
    parse_int=_integer, parse_float=_no_float, parse_constant=_no_float
).scan_once  # type: ignore[attr-defined]
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")
)
