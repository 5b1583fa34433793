"""Attack: somebody sends the bytes of an officer's request once more.

Defence: they say nothing of who asks, so whoever sends them asks for themselves; and each sending
is an act of its own.
"""

from __future__ import annotations

import contextlib

from fr_cli.service.frame import REPLY, receive
from fr_cli.service.request import Request
from tests.conftest import MATED, jpeg, small
from tests.service.station import Station

RECORDED = (
    Request("identify", {"case": "CR/26/1", "reason": "test"}, blobs={"photo": jpeg(small(MATED))})
    .frame()
    .encode()
)


def test_a_stranger_gains_nothing_by_it(station: Station) -> None:
    codes = []
    for who in ("officer", "stranger", "officer"):
        with station.line(who) as line:
            line.sendall(RECORDED)
            codes.append(receive(line, REPLY, 60).body["code"])
    assert codes == [0, 4, 0]
    acts = [one for one in station.log() if one["ph"] == "intent"][-3:]
    assert len({one["req"] for one in acts}) == 3
    uids = [station.desk.accounts[who].uid for who in ("officer", "stranger", "officer")]
    assert [one["op"]["uid"] for one in acts] == uids


def test_a_connection_takes_one_request(station: Station) -> None:
    before = sum(one["ph"] == "intent" for one in station.log())
    with station.line("officer") as line:
        with contextlib.suppress(BrokenPipeError):
            line.sendall(RECORDED + RECORDED)
        assert receive(line, REPLY, 60).body["code"] == 0
    assert sum(one["ph"] == "intent" for one in station.log()) == before + 1
