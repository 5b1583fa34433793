"""Attack: one account opens as many connections as it can, to keep others out.

Defence: so many for one account, so many waiting requests of one account; the accounts take turns.
"""

from __future__ import annotations

import contextlib
import socket

from fr_cli.service.frame import REPLY, GoneError, receive, send
from fr_cli.service.request import Request
from fr_cli.service.visits import Room
from tests.conftest import MATED, jpeg, small
from tests.service.station import Station

REQUEST = Request(
    "identify", {"case": "CR/26/1", "reason": "test"}, blobs={"photo": jpeg(small(MATED))}
)


def test_one_account_cannot_take_all_connections(station: Station) -> None:
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(station.line("second")) for _ in range(Room().of_one + 20)]
        assert station.identify("officer", jpeg(small(MATED)))["candidates"]
        refused = 0
        for line in lines:
            with contextlib.suppress(GoneError):
                refused += receive(line, REPLY, 0.05).body["error"]["name"] == "StationBusy"
    assert refused == 20


def test_who_asks_much_waits_behind_themselves(station: Station) -> None:
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(station.line("second")) for _ in range(12)]
        for line in many:
            send(line, REQUEST.frame())
        with station.line("officer") as one:
            send(one, REQUEST.frame())
            receive(one, REPLY, 60)
        waiting = sum(not _has_answer(line) for line in many)
        for line in many:
            assert receive(line, REPLY, 60).body["code"] == 0
    assert waiting >= 4  # of twelve; the officer had to wait for those alone that ran


def _has_answer(line: socket.socket) -> bool:
    line.settimeout(0)
    try:
        return bool(line.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
