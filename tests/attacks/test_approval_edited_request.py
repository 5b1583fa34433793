"""Attack: the request is changed after it was signed, or was never made by fr."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .two_people import Station, edited

ALTERED = "The signature of bob does not hold for this request: one of the two was altered."


@pytest.mark.parametrize(
    "change",
    [
        {"what": {"key": "site.key, which wraps all other keys"}},
        {"kind": "export"},
        {"expires": "2999-01-01T00:00:00Z"},
        {"nonce": "0" * 32},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_field_is_another(pair: Station, change: dict[str, Any]) -> None:
    data = pair.ask().data
    assert pair.refused(edited(data, **change), pair.sign(data)) == ALTERED


def test_each_byte_counts(pair: Station) -> None:
    data = pair.ask().data
    signature = pair.sign(data)
    for spoiled in (data[:-1], data + b"\n", data.replace(b":", b": ", 1), b"\xef\xbb\xbf" + data):
        assert pair.refused(spoiled, signature).startswith("The file is no request: it ")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda it: it | {"more": 1},
        lambda it: {name: one for name, one in it.items() if name != "nonce"},
        lambda it: it | {"kind": "everything"},
        lambda it: it | {"schema": "fr/request/2"},
        lambda it: it | {"expires": "tomorrow"},
        lambda it: it | {"requester": {"uid": "4001", "user": "alice", "loginuid": None}},
        lambda it: [it],
    ],
)
def test_other_forms_are_no_request(pair: Station, spoil: Any) -> None:
    import rfc8785

    data = rfc8785.dumps(spoil(json.loads(pair.ask().data))) + b"\n"
    assert pair.refused(data, pair.sign(data)).startswith("The file is no request: it ")


@pytest.mark.parametrize("data", [b"[" * 50_000, b'{"a":1,"a":1}\n', b"1" * 5000, b"\xff", b"null"])
def test_what_is_hardly_json_is_no_request(pair: Station, data: bytes) -> None:
    assert pair.refused(data, pair.sign(data)).startswith("The file is no request: it ")


def test_one_made_by_hand_and_signed_is_not_known_to_the_log(pair: Station) -> None:
    data = edited(pair.ask().data, nonce="ab" * 16)
    said = pair.refused(data, pair.sign(data))
    assert said == "The log of this home does not know this request."
