"""Attack: frames that announce or bring more than a request may have.

Defence: each is refused as soon as its header says so, and nothing is allocated for the promise.
"""

from __future__ import annotations

import json
import struct

import pytest

from fr_cli.service.frame import REPLY, REQUEST, receive
from tests.conftest import MATED, jpeg, small
from tests.service.station import Station


def framed(header: object) -> bytes:
    data = json.dumps(header).encode()
    return struct.pack(">4sI", b"fr/1", len(data)) + data


BODY = {
    "command": "identify",
    "parameters": {},
    "show": {"json": True, "width": 0, "colour": False},
}


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">4sI", b"fr/1", REQUEST.header + 1),
        struct.pack(">4sI", b"fr/1", 2**32 - 1),
        struct.pack(">4sI", b"fr/1", 0),
        b"GET / HTTP/1.1\r\n\r\n",
        framed({"body": BODY, "blobs": [["photo", REQUEST.bytes + 1]]}),
        framed({"body": BODY, "blobs": [["photo", 10**18]]}),
        framed({"body": BODY, "blobs": [["photo", -1]]}),
        framed({"body": BODY, "blobs": [["photo", True]]}),
        framed({"body": BODY, "blobs": [["photo", 1], ["photo", 1]]}),
        framed({"body": BODY, "blobs": [[str(n), 0] for n in range(REQUEST.blobs + 1)]}),
        framed({"body": BODY | {"parameters": {"case": "x" * 20_000}}, "blobs": []}),
        framed({"body": BODY | {"parameters": {"case": {"a": 1}}}, "blobs": []}),
        framed({"body": BODY | {"parameters": {"wait": float("inf")}}, "blobs": []}),
        framed({"body": {"parameters": [[[]]] * 1000}, "blobs": []}),
        struct.pack(">4sI", b"fr/1", 60_000) + b"[" * 60_000,
    ],
)
def test_it_is_refused(station: Station, data: bytes) -> None:
    before = len(station.log())
    with station.line("officer") as line:
        line.sendall(data)
        reply = receive(line, REPLY, 60)
    assert reply.body["error"]["name"] == "UsageProblem"
    assert len(station.log()) == before


def test_a_photo_that_is_too_large_is_refused_as_any_other(station: Station) -> None:
    error = station.identify("officer", b"\xff\xd8\xff" + bytes(20_000_100), code=20)
    assert error["error"] == "PhotoUnreadable"


def test_others_are_served_meanwhile(station: Station) -> None:
    with station.line("officer") as line:
        line.sendall(framed({"body": BODY, "blobs": [["photo", REQUEST.bytes]]}) + bytes(10_000))
        assert station.identify("officer", jpeg(small(MATED)))["candidates"]
