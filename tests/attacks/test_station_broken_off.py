"""Attack: a client that hangs up in the middle of its request, its feed or its answer.

Defence: what was not asked in full is not done; what was begun is in the log with its end.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from fr_cli.service.frame import send
from fr_cli.service.request import Request
from tests.conftest import MATED, jpeg, small
from tests.service.station import Station

REQUEST = Request(
    "identify", {"case": "BROKEN/1", "reason": "test"}, blobs={"photo": jpeg(small(MATED))}
)


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


def cases(station: Station) -> list[str]:
    return [str(one.get("why", {}).get("case")) for one in station.log() if "why" in one]


def test_half_a_request_is_not_carried_out(station: Station) -> None:
    data = REQUEST.frame().encode()
    for length in (1, 7, 9, 60, len(data) // 2, len(data) - 1):
        with station.line("officer") as line:
            line.sendall(data[:length])
    assert station.identify("officer", jpeg(small(MATED)))["candidates"]
    assert "BROKEN/1" not in cases(station)


def test_who_hangs_up_before_the_answer_is_in_the_log_all_the_same(station: Station) -> None:
    request = Request("identify", {"case": "BROKEN/2", "reason": "test"}, blobs=REQUEST.blobs)
    with station.line("officer") as line:
        send(line, request.frame())
        wait_for(lambda: "BROKEN/2" in cases(station))
    (act,) = [one["req"] for one in station.log() if one.get("why", {}).get("case") == "BROKEN/2"]
    wait_for(lambda: [one["ph"] for one in station.log() if one["req"] == act][1:] == ["outcome"])


def test_a_feed_that_breaks_off_ends_with_its_reason(station: Station) -> None:
    def ended() -> list[str]:
        return [one["error"] for one in station.log() if one["cmd"] == "enroll" and "error" in one]

    before = ended()
    with station.line("manager") as line:
        send(line, Request("enroll", {}).frame())
        wait_for(lambda: station.log()[-1]["cmd"] == "enroll")
        line.sendall(b"fr/1\0\0\0")
    wait_for(lambda: ended() == [*before, "UsageProblem"])
