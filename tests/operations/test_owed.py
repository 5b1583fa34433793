"""What stands open is known from the end of the log, whatever happened at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import fr_cli
from fr_cli.audit.backwards import newest_first
from fr_cli.audit.canonical import JSON
from fr_cli.audit.log import AuditLog
from fr_cli.errors import AuditBroken
from fr_cli.keys import SigningKey
from fr_cli.operations.owed import Override, Owed, owed

PACKAGE = Path(fr_cli.__file__).parent


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    signer = SigningKey.create(tmp_path)
    (tmp_path / "audit").mkdir()
    return AuditLog.create(tmp_path / "audit", signer, "fr.local/test")


def act(log: AuditLog, command: str = "purge", **intent: JSON) -> str:
    """An act that says what stood open when it began."""
    with log.act(command, "administration", **owed(log.path).repeated(), **intent) as done:
        pass
    return done.id


def override(log: AuditLog, kind: str = "purge") -> str:
    with log.act("purge", "erasure", **owed(log.path).repeated()) as done:
        done.batch(overridden=kind)
    return done.id


def ids(log: AuditLog) -> list[str]:
    return [one.act for one in owed(log.path).overrides]


def test_nothing_stands_open_in_a_log_that_says_nothing(log: AuditLog) -> None:
    assert owed(log.path) == Owed(at=1)
    with log.act("identify", "consultation"):
        pass
    assert owed(log.path) == Owed(at=3)
    assert owed(log.path.with_name("none")) == Owed()


def test_an_override_stands_open_until_it_is_approved(log: AuditLog) -> None:
    first = override(log)
    for _ in range(5):
        act(log)
    second = override(log, "export")
    assert ids(log) == [first, second]
    with log.act("approve", "administration", **owed(log.path).repeated()) as done:
        done.decide(approves=first)
    act(log)
    assert ids(log) == [second]
    (left,) = owed(log.path).overrides
    assert (left.kind, left.user != "" or left.uid >= 0) == ("export", True)


def test_an_approval_that_failed_approves_nothing(log: AuditLog) -> None:
    first = override(log)
    approve = log.act("approve", "administration", **owed(log.path).repeated())
    approve.decide(approves=first)
    approve.__exit__(OSError, OSError("no"), None)
    assert ids(log) == [first]


def test_what_happened_while_others_ran_is_not_lost(log: AuditLog) -> None:
    """One who read the log before an override may write their intent after it."""
    read_before = owed(log.path).repeated()
    running = log.act("purge", "erasure", **owed(log.path).repeated())
    running.batch(overridden="purge")
    with log.act("identify", "consultation", **read_before):
        pass
    assert ids(log) == [running.id]
    act(log)
    assert ids(log) == [running.id]
    with running:
        pass
    assert ids(log) == [running.id]


def test_the_log_is_read_no_further_back_than_the_newest_intent_says(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    override(log)
    for _ in range(50):
        act(log)
    read = 0

    def counted(path: Path) -> Iterator[bytes]:
        nonlocal read
        for line in newest_first(path):
            read += 1
            yield line

    monkeypatch.setattr("fr_cli.operations.owed.newest_first", counted)
    assert len(owed(log.path).overrides) == 1
    assert read <= 4


def test_an_erasure_is_part_of_another_act_and_says_nothing(log: AuditLog) -> None:
    first = override(log)
    old = act(log)
    act(log)
    seqs = [seq for seq, line in enumerate(log.path.read_text().splitlines()) if old in line]
    log.erase([seqs[0], seqs[1]], "retention")
    assert ids(log) == [first]


def test_a_broken_end_is_said(log: AuditLog) -> None:
    act(log)
    text = log.path.read_bytes()
    log.path.write_bytes(text.replace(b'"at":1', b'"at":x'))
    with pytest.raises(AuditBroken):
        owed(log.path)


def test_it_is_overdue_after_so_many_hours() -> None:
    one = Override("a" * 32, "purge", "2026-03-02T10:11:12Z", 1, "alice", -1)
    assert one.due(48) == "2026-03-04T10:11:12Z"
    assert "OVERDUE since 2026-03-04T10:11:12Z" in one.sentence(48)
    assert "due by 2" in one.sentence(24 * 365 * 100)


def test_every_act_of_the_package_says_what_stands_open() -> None:
    """Whoever opened an act of the log by themselves would hide it from those who come after."""
    direct = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if "audit.act(" in path.read_text() and path.parent.name != "audit"
    ]
    assert direct == ["operations/approvals.py"]
