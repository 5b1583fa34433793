"""Acts of two people over a station: asked here, signed by another, carried out there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ENROLLED, Fr
from tests.service.station import Desk, Station, made_station

PURGE = ("purge", "--subject", ENROLLED[0], "--yes")


@pytest.fixture
def own(accounts: Desk, enrolled: Fr) -> Iterator[Station]:
    with made_station(accounts, enrolled) as one:
        one.start()
        yield one


def place(own: Station, who: str) -> Path:
    folder = own.folder / who
    folder.mkdir()
    shutil.chown(folder, own.desk.accounts[who].name)
    return folder


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="openssh-client is not installed")
def test_a_purge_is_asked_signed_and_carried_out(own: Station) -> None:
    mine, theirs = place(own, "manager"), place(own, "second")
    key = theirs / "key"
    words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    assert own.desk.run("second", *words).code == 0
    manager, second = (own.desk.accounts[who].name for who in ("manager", "second"))
    public = key.with_suffix(".pub").read_text().strip()
    own.policy(
        operators={
            manager: {"roles": ["gallery-manager"]},
            second: {"roles": ["reviewer", "gallery-manager"], "key": public},
        },
        approvals={"acts": ["purge"]},
    )
    assert own.fr("manager", *PURGE).code != 0
    request = mine / "request.json"
    assert own.fr("manager", *PURGE, "--request", request).code == 0
    assert request.owner() == manager
    mine.chmod(0o755)
    request.chmod(0o644)
    shutil.copy(request, theirs / "request.json")
    shutil.chown(theirs / "request.json", second)
    signed = own.fr("second", "approve", theirs / "request.json", "--key", key, "--yes")
    assert signed.code == 0, signed
    unsigned = own.fr("manager", *PURGE, "--approved", request)
    assert unsigned.code != 0
    assert f"{request}.sig cannot be read" in unsigned.stderr.replace("\n", "")
    shutil.copy(theirs / "request.json.sig", mine / "request.json.sig")
    shutil.chown(mine / "request.json.sig", manager)
    report = own.json("manager", *PURGE, "--approved", request)
    assert report["references"] == 1
    assert own.fr("manager", *PURGE, "--approved", request).code != 0  # it counts once
