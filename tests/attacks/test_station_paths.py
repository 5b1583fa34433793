"""Attack: a client names files of the service's machine, to have them read or overwritten.

Defence: a parameter that is a path is never a path of the service: what is to be read comes as
bytes, what is written goes back as bytes. A client that was rewritten gains nothing.
"""

from __future__ import annotations

import pytest

from fr_cli.service.frame import REPLY, Frame, receive, send
from fr_cli.service.request import Request, Value
from tests.conftest import MATED, jpeg, small
from tests.service.station import Station

GROUNDS: dict[str, Value] = {"case": "CR/26/1", "reason": "test"}


def ask(station: Station, who: str, request: Request) -> tuple[dict[str, object], dict[str, bytes]]:
    with station.line(who) as line:
        send(line, request.frame())
        reply = receive(line, REPLY, 60)
    return dict(reply.body), dict(reply.blobs)


def test_a_photo_is_never_read_from_a_path(station: Station) -> None:
    secret = f"{station.home}/keys/site.key"
    body, _ = ask(station, "officer", Request("identify", GROUNDS | {"photo": secret}))
    assert body["code"] == 20
    body, _ = ask(
        station,
        "officer",
        Request("identify", GROUNDS | {"photo": secret}, blobs={"photo": jpeg(small(MATED))}),
    )
    assert body["code"] == 0  # what is searched is what was sent


@pytest.mark.parametrize("path", ["keys/site.key", "policy.yaml", "../stolen", "/etc/passwd"])
def test_a_sheet_is_never_written_to_a_path(station: Station, path: str) -> None:
    target = station.home / path
    before = target.read_bytes() if target.exists() else None
    request = Request(
        "identify", GROUNDS | {"html": str(target)}, blobs={"photo": jpeg(small(MATED))}
    )
    body, blobs = ask(station, "officer", request)
    assert body["code"] == 0
    assert blobs["html"].startswith(b"<!doctype html>")
    assert (target.read_bytes() if target.exists() else None) == before


@pytest.mark.parametrize("name", ["log", "key", "witnessed"])
def test_a_log_or_a_key_is_never_read_from_a_path(station: Station, name: str) -> None:
    value: Value = f"{station.home}/keys/site.key"
    body, blobs = ask(station, "auditor", Request("audit verify", {name: value}))
    secret = (station.home / "keys/site.key").read_bytes().strip()
    assert secret not in b"".join(blobs.values())
    assert secret.decode() not in str(body)
    if name == "log":
        assert body["code"] == 2


@pytest.mark.parametrize("source", ["/etc", "/proc/self/environ", "keys"])
def test_a_feed_is_never_read_from_a_path(station: Station, source: str) -> None:
    with station.line("manager") as line:
        send(line, Request("enroll", {"source": source}).frame())
        send(line, Frame({"end": True}))  # and no row
        reply = receive(line, REPLY, 60)
    assert reply.body["code"] == 0
    assert b" 0 updated, 0 unchanged, 0 refused" in reply.blobs[":out"]
    assert b"root" not in b"".join(reply.blobs.values())


def test_a_row_does_not_name_a_file_of_the_service(station: Station) -> None:
    row = {"subject_id": "X", "reference_id": "r", "image": f"{station.home}/keys/site.key"}
    with station.line("manager") as line:
        send(line, Request("enroll", {}).frame())
        send(line, Frame({"line": 1, "row": row | {"extra": {}}}))
        send(line, Frame({"end": True}))
        reply = receive(line, REPLY, 60)
    assert reply.body["code"] == 100
    assert b"cannot be read" in reply.blobs[":out"]
