"""Attack: a client says that it is somebody else.

Defence: who asks is not in a request; the kernel says it. A request with another field is refused.
"""

from __future__ import annotations

from typing import Any

import pytest

from fr_cli.service.frame import REPLY, Frame, receive, send
from fr_cli.service.request import Request
from tests.conftest import MATED, jpeg, small
from tests.service.station import Station


@pytest.mark.parametrize("field", ["op", "asker", "peer", "uid", "user", "home"])
def test_another_field_is_refused(station: Station, field: str) -> None:
    officer = station.desk.accounts["officer"]
    body = Request("identify", {"case": "C", "reason": "test"}).frame().body
    said: dict[str, Any] = {**body, field: {"uid": officer.uid, "user": officer.name}}
    with station.line("stranger") as line:
        send(line, Frame(said, {"photo": jpeg(small(MATED))}))
        reply = receive(line, REPLY, 60)
    assert reply.body["error"]["name"] == "UsageProblem"


@pytest.mark.parametrize("name", ["op", "operator", "asker", "context", "self"])
def test_another_parameter_is_refused(station: Station, name: str) -> None:
    officer = station.desk.accounts["officer"]
    request = Request(
        "identify",
        {"case": "C", "reason": "test", name: officer.name},
        blobs={"photo": jpeg(small(MATED))},
    )
    with station.line("officer") as line:
        send(line, request.frame())
        reply = receive(line, REPLY, 60)
    assert reply.body["code"] == 2


def test_a_name_in_the_environment_says_nothing(station: Station) -> None:
    officer = station.desk.accounts["officer"]
    names = dict.fromkeys(("USER", "LOGNAME", "SUDO_USER", "USERNAME"), officer.name)
    words = ("identify", "-", "--case", "CR/26/1", "--reason", "test")
    result = station.fr("stranger", *words, stdin=jpeg(small(MATED)), **names)
    assert result.code == 4
    assert station.log()[-1]["op"]["user"] == station.desk.accounts["stranger"].name
