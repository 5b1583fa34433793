"""A small log to tamper with."""

from __future__ import annotations

from pathlib import Path

import pytest

from fr_cli.audit.log import AuditLog
from fr_cli.keys import SigningKey

from .tampering import ORIGIN, SmallLog
from .two_people import Station


@pytest.fixture(scope="session")
def _pair(tmp_path_factory: pytest.TempPathFactory) -> Station:
    return Station.make(tmp_path_factory.mktemp("station"))


@pytest.fixture
def pair(_pair: Station, tmp_path: Path) -> Station:
    """A home with acts of two people."""
    return _pair.copy(tmp_path)


@pytest.fixture
def small(tmp_path: Path) -> SmallLog:
    """Ten lines: genesis, identification, enrolment with a batch, purge, identification."""
    signer = SigningKey.create(tmp_path)
    (tmp_path / "audit").mkdir()
    log = AuditLog.create(tmp_path / "audit", signer, ORIGIN)
    with log.act("identify", "consultation", why={"case": "CR/26/1"}) as act:
        act.decide(result="candidates", cands=[{"ref": "r-1", "score": "0.6812"}])
    with log.act("enroll", "collection") as act:
        act.batch(references=["r-2"])
    with log.act("purge", "erasure", subject="s-1"):
        pass
    with log.act("identify", "consultation", why={"case": "CR/26/2"}) as act:
        act.decide(result="no_candidate")
    return SmallLog(log, signer)
