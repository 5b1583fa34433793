"""Attack: clients that send a byte now and then, or never take their answer, to keep others out.

Defence: nobody works on a request before it is there as a whole, and a request has a time to come.
"""

from __future__ import annotations

import contextlib

from fr_cli.service.request import Request
from fr_cli.service.visits import Room
from tests.conftest import MATED, jpeg, small
from tests.service.station import Station

REQUEST = Request(
    "identify", {"case": "CR/26/1", "reason": "test"}, blobs={"photo": jpeg(small(MATED))}
)


def test_slow_ones_keep_nobody_waiting(station: Station) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(Room().of_one - 1):
            line = stack.enter_context(station.line("stranger"))
            line.sendall(REQUEST.frame().encode()[:1000])
        assert station.identify("officer", jpeg(small(MATED)))["candidates"]


def test_answers_that_nobody_takes_keep_nobody_waiting(station: Station) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            line = stack.enter_context(station.line("second"))
            line.sendall(REQUEST.frame().encode())
        assert station.identify("officer", jpeg(small(MATED)))["candidates"]
