"""Frames: whole however they come in pieces, and never more than was allowed."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fr_cli.service.frame import (
    REQUEST,
    Frame,
    GoneError,
    Limits,
    NotAFrameError,
    Parser,
    receive,
    send,
)
from fr_cli.service.request import NARROWEST, WIDEST, Request, Show

NAMES = st.text(max_size=20)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=50), st.lists(st.text(max_size=9))
)


@given(
    st.dictionaries(NAMES, VALUES, max_size=5),
    st.dictionaries(NAMES, st.binary(max_size=300), max_size=5),
    st.integers(1, 700),
)
def test_what_is_sent_comes_whole_in_any_pieces(
    body: dict[str, object], blobs: dict[str, bytes], step: int
) -> None:
    data = Frame(body, blobs).encode() + b"what follows"
    parser, taken, frame = Parser(REQUEST), 0, None
    while frame is None:
        piece = data[taken : taken + min(step, parser.wanted)]
        taken += len(piece)
        frame = parser.feed(piece)
    assert (dict(frame.body), dict(frame.blobs)) == (body, blobs)
    assert data[taken:] == b"what follows"  # not a byte more was asked for


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_none(data: bytes) -> None:
    parser = Parser(Limits(header=100, blobs=2, bytes=100))
    try:
        for byte in data:
            if parser.wanted == 0 or parser.feed(bytes([byte])) is not None:
                break
    except NotAFrameError:
        pass
    assert parser.held <= 208


def test_a_line_that_ends_is_said() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(Frame({}).encode()[:-1])
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(GoneError):
            receive(ours, REQUEST, 5)


def test_a_request_comes_as_it_was_sent() -> None:
    ours, theirs = socket.socketpair()
    asked = Request(
        "identify", {"case": "é", "n": None, "l": ["a"]}, Show(True, 90), {"photo": b"x"}
    )
    with ours, theirs:
        send(theirs, asked.frame())
        assert Request.of(receive(ours, REQUEST, 5)) == asked


@pytest.mark.parametrize(("width", "is_taken_as"), [(1, NARROWEST), (10**9, WIDEST), (None, None)])
def test_the_width_is_bounded(width: int | None, is_taken_as: int | None) -> None:
    assert Request.of(Request("x", {}, Show(width=width)).frame()).show.width == is_taken_as
