"""The signing key is changed: each key has its range, and a crash never locks the log."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fr_cli.audit.caching import Notes
from fr_cli.audit.log import AuditLog
from fr_cli.audit.verify import verify_log
from fr_cli.audit.writer import Writer
from fr_cli.errors import AuditBroken, AuditUnwritable
from fr_cli.keys import AUDIT_KEY, AUDIT_NEXT, SigningKey

from .conftest import ORIGIN, Bench


class PowerCut(BaseException):
    """What stands for a crash: nothing between here and the test handles it."""


def reopened(bench: Bench) -> Bench:
    """The log as another process opens it."""
    log = AuditLog(bench.folder, SigningKey.load(bench.home), ORIGIN)
    return Bench(bench.home, bench.signer, log)


def test_each_key_signs_its_own_range(bench: Bench) -> None:
    bench.some_act()
    keys = [bench.signer]
    for _ in range(3):
        keys.append(SigningKey.new())
        bench.log.rotate(keys[-1], bench.home)
        bench.some_act()
    for full in (False, True):
        found = bench.verify(full=full)  # against the first key
        assert [key.key for key in found.keys] == [
            base64.b64encode(key.public).decode() for key in keys
        ]
        assert [(key.first, key.last) for key in found.keys] == [(1, 4), (5, 7), (8, 10), (11, 12)]
    assert bench.phases().count("rotation") == 3
    assert SigningKey.load(bench.home) == keys[-1]
    assert not (bench.home / AUDIT_NEXT).exists()
    for later in keys[1:]:
        with pytest.raises(AuditBroken):
            verify_log(bench.log.path, later.public, ORIGIN)


def test_the_log_verifies_where_the_rotation_is_its_last_line(bench: Bench) -> None:
    new = SigningKey.new()
    head = bench.log.rotate(new, bench.home)
    assert bench.log.head() == reopened(bench).log.head() == head
    for full in (False, True):
        assert bench.verify(full=full).keys[1][1:] == (3, 2)
    notes = Notes(bench.folder)
    durable = notes.state(new)
    notes.close()
    assert durable  # else nobody would notice if the log were cut before the next act
    assert durable.frontier.size == head.size


def test_another_process_learns_of_the_new_key(bench: Bench) -> None:
    other = reopened(bench)
    act = other.log.act("enroll", "collection")
    bench.log.rotate(SigningKey.new(), bench.home)
    assert other.log.head().size == 3
    with act:
        act.batch(references=["1"])
    assert act.head == bench.log.head()
    bench.verify()


def test_without_the_new_key_nothing_is_appended(bench: Bench) -> None:
    other = reopened(bench)
    bench.log.rotate(SigningKey.new())  # the caller keeps it
    with pytest.raises(AuditBroken):
        other.some_act()
    bench.some_act()
    assert bench.verify().entries == 4


def crash_in(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, *, after: bool) -> None:
    real: Callable[..., object] = getattr(owner, name)

    def crashing(*given: object, **named: object) -> object:
        if after:
            real(*given, **named)
        raise PowerCut

    monkeypatch.setattr(owner, name, crashing)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("owner", "name", "rotated"),
    [(SigningKey, "stage", (False, False)), (Writer, "append", (False, True)),
     (Path, "replace", (True, True)), (os, "fdatasync", (True, True))],
)  # fmt: skip
def test_a_crash_at_any_step_leaves_a_key_to_go_on_with(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    rotated: tuple[bool, bool],
    after: bool,
) -> None:
    bench.some_act()
    with monkeypatch.context() as patch:
        crash_in(patch, owner, name, after=after)
        with pytest.raises(PowerCut):
            reopened(bench).log.rotate(SigningKey.new(), bench.home)
    again = reopened(bench)
    again.some_act()
    assert len(again.verify().keys) == 1 + rotated[after]
    again.log.rotate(SigningKey.new(), bench.home)
    reopened(bench).some_act()
    assert len(again.verify().keys) == 2 + rotated[after]


def test_the_new_key_is_found_where_it_could_not_be_renamed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: SigningKey) -> SigningKey:
        if self.path and self.path.name == AUDIT_NEXT:
            raise PermissionError(13, "Permission denied")
        return self

    new = SigningKey.new()
    with monkeypatch.context() as patch:
        patch.setattr(SigningKey, "install", refused)
        with pytest.raises(AuditUnwritable):
            bench.log.rotate(new, bench.home)
        reopened(bench).some_act()
        with pytest.raises(AuditUnwritable):  # it would write over the key that is in force
            reopened(bench).log.rotate(SigningKey.new(), bench.home)
        reopened(bench).some_act()
    assert SigningKey.load(bench.home) != new
    reopened(bench).some_act()
    assert SigningKey.load(bench.home) == new
    assert len(bench.verify().keys) == 2


def test_a_half_written_next_key_is_passed_over(bench: Bench) -> None:
    (bench.home / AUDIT_NEXT).write_bytes(b"-----BEGIN")
    (bench.home / AUDIT_NEXT).chmod(0o600)
    bench.log.rotate(SigningKey.new(), bench.home)
    reopened(bench).some_act()
    assert len(bench.verify().keys) == 2


def test_a_key_that_is_staged_by_another_is_not_put_in_force(bench: Bench) -> None:
    new = SigningKey.new().stage(bench.home)
    SigningKey.new().stage(bench.home)
    assert new.install() == new
    assert SigningKey.load(bench.home) == bench.signer
    assert (bench.home / AUDIT_KEY).exists()
