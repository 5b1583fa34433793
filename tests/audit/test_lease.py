"""A living act is never closed by another, a dead one always, and only once."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from fr_cli.audit import lease
from fr_cli.audit.lease import Leases
from fr_cli.audit.log import Act, AuditLog
from fr_cli.errors import AuditUnwritable

from .conftest import ORIGIN, Bench

HANG = f"""
import sys, time
from pathlib import Path
from fr_cli.audit.log import Act, AuditLog
from fr_cli.keys import SigningKey
home = Path(sys.argv[1])
log = AuditLog(home / "audit", SigningKey.load(home), {ORIGIN!r})
with log.act("purge", "erasure", subject="7") as act:
    act.batch(slot=1)
    print(act.id, flush=True)
    time.sleep(60)
"""


def slots(bench: Bench) -> int:
    """How many there are, free ones included."""
    return -(-(bench.folder / lease.FILE).stat().st_size // 256)


def note(bench: Bench, text: str, slot: int = 0) -> None:
    with (bench.folder / lease.FILE).open("r+b") as file:
        file.seek(256 * slot)
        file.write(text.encode().ljust(256))


def test_a_killed_act_is_abandoned_by_the_next_and_a_living_one_is_not(bench: Bench) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HANG, str(bench.home)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    req = child.stdout.readline().strip()
    bench.some_act()
    assert bench.phases() == ["genesis", "intent", "batch", "intent", "outcome"]
    assert bench.verify().open_intents == (req,)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    bench.some_act()
    bench.some_act()
    assert bench.phases().count("abandoned") == 1
    closing = bench.entries()[5]
    assert (closing["ph"], closing["req"]) == ("abandoned", req)
    assert (closing["cmd"], closing["act"]) == ("purge", "erasure")
    found = bench.verify()
    assert (found.abandoned, found.open_intents) == (1, ())
    assert bench.leases() == []


def test_an_act_uses_the_slot_that_another_has_ended(bench: Bench) -> None:
    """Of its own process, and of one that is gone."""
    for _ in range(3):
        bench.some_act()
    bench.log = AuditLog(bench.folder, bench.signer, ORIGIN)
    bench.some_act()
    with bench.log.act("enroll", "collection"):
        bench.some_act()
        assert slots(bench) == 2
        assert len(bench.leases()) == 1
    assert (slots(bench), bench.leases()) == (2, [])


@pytest.mark.parametrize("dead", [False, True])
def test_another_act_takes_the_free_slot_first(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, dead: bool
) -> None:
    """Between the look at the slots and the lock; it may be dead already."""
    bench.some_act()
    real, looks, others = Leases._named, list[Leases](), list[Act]()

    def late(leases: Leases) -> set[int]:
        named = real(leases)
        if leases is bench.log._leases:
            looks.append(leases)
            if len(looks) == 2:  # the first is for dead ones
                log = AuditLog(bench.folder, bench.signer, ORIGIN)
                others.append(log.act("identify", "consultation"))
                if dead:
                    others[0]._lease.drop()
        return named

    monkeypatch.setattr(Leases, "_named", late)
    act = bench.log.act("identify", "consultation")
    monkeypatch.undo()
    assert act._lease.slot != others[0]._lease.slot
    assert sorted(bench.leases()) == sorted([act.id, others[0].id])
    AuditLog(bench.folder, bench.signer, ORIGIN).act("identify", "consultation")
    assert bench.phases().count("abandoned") == dead


def test_a_fork_leaves_the_leases_to_its_parent(bench: Bench) -> None:
    act = bench.log.act("identify", "consultation")
    child = os.fork()
    if child == 0:  # pragma: no cover
        code = 1
        try:
            bench.log.act("purge", "erasure")
            code = slots(bench) + 10
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 12
    with act:
        pass
    bench.some_act()
    assert bench.phases().count("abandoned") == 1
    bench.verify()


def test_a_fork_that_opens_the_file_itself_keeps_what_it_holds(bench: Bench) -> None:
    """Its parent had made the log, and no act yet."""
    log = AuditLog(bench.folder, bench.signer, ORIGIN)
    child = os.fork()
    if child == 0:  # pragma: no cover
        code = 1
        try:
            with log.act("purge", "erasure"), log.act("purge", "erasure"):
                code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert bench.phases() == ["genesis", "intent", "intent", "outcome", "outcome"]


def test_leases_are_let_go_with_their_log(bench: Bench) -> None:
    for _ in range(50):
        AuditLog(bench.folder, bench.signer, ORIGIN).act("x", "administration")
    bench.some_act()
    assert bench.verify().abandoned == 50
    assert slots(bench) <= 2


def test_many_dead_acts_are_all_closed_at_once(bench: Bench) -> None:
    for _ in range(20):
        bench.log.act("x", "administration")
    bench.die()
    AuditLog(bench.folder, bench.signer, ORIGIN).act("y", "administration")
    assert bench.verify().abandoned == 20
    assert len(bench.leases()) == 1


@pytest.mark.parametrize("which", [0, 3, 6])
def test_among_many_living_acts_each_dead_one_is_found_in_time(bench: Bench, which: int) -> None:
    acts = [bench.log.act("x", "administration") for _ in range(7)]
    others = Leases(bench.folder)
    assert not any(others.any_dead() for _ in range(50))
    acts[which]._lease.drop()
    assert any(others.any_dead() for _ in range(500))


def test_a_lease_that_cannot_be_written_is_no_act(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite

    def full(handle: int, data: bytes, offset: int) -> int:
        return real(handle, data[:40] if b'"req"' in data else data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(AuditUnwritable, match="No space"):
            bench.some_act()
    assert bench.phases() == ["genesis"]
    bench.some_act()
    assert (bench.phases(), bench.leases()) == (["genesis", "intent", "outcome"], [])


def test_whoever_holds_every_slot_is_not_waited_for(bench: Bench) -> None:
    bench.some_act()
    with (bench.folder / lease.FILE).open("rb") as file:
        everything = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, everything)
        with pytest.raises(AuditUnwritable, match="holds the locks of running"):
            bench.some_act()
    bench.some_act()
    assert bench.verify().entries == 5


def test_a_lease_that_cannot_be_ended_is_left_to_the_next_act(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, act = os.pwrite, bench.log.act("identify", "consultation")

    def failing(handle: int, data: bytes, offset: int) -> int:
        if handle == act._lease.leases._handle:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(handle, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", failing)
        with pytest.raises(AuditUnwritable), act:
            pass
    assert (bench.phases()[1:], bench.leases()) == (["intent", "outcome"], [act.id])
    bench.some_act()
    assert (bench.verify().abandoned, bench.leases()) == (0, [])


def test_a_lease_left_before_its_intent_was_written_is_free_again(bench: Bench) -> None:
    bench.log._lease("a" * 32).drop()
    bench.some_act()
    assert bench.phases() == ["genesis", "intent", "outcome"]
    assert bench.leases() == []


def test_a_lease_left_after_its_outcome_is_free_again(bench: Bench) -> None:
    bench.log._lease(bench.some_act()).drop()
    bench.some_act()
    assert bench.phases() == ["genesis", "intent", "outcome", "intent", "outcome"]
    assert bench.leases() == []
    bench.verify()


@pytest.mark.parametrize("offset", [7, 999_999, -5])
def test_a_wrong_place_in_a_lease_still_closes_its_intent(bench: Bench, offset: int) -> None:
    act = bench.log.act("identify", "consultation")
    act._lease.drop()
    note(bench, json.dumps({"req": act.id, "offset": offset}))
    bench.some_act()
    assert bench.entries()[-3]["ph"] == "abandoned"
    assert bench.verify().abandoned == 1


@pytest.mark.parametrize("text", ["", "[]", "{", '{"offset":1}', '{"req":"a","offset":"x"}'])
def test_a_slot_that_cannot_be_read_names_no_intent(bench: Bench, text: str) -> None:
    bench.some_act()
    note(bench, text)
    bench.some_act()
    assert bench.phases() == ["genesis", *["intent", "outcome"] * 2]
    assert bench.leases() == []


def test_two_acts_of_a_process_never_share_a_slot(bench: Bench) -> None:
    """Whatever the file says."""
    first = bench.log.act("identify", "consultation")
    (bench.folder / lease.FILE).write_bytes(b"")
    second = bench.log.act("identify", "consultation")
    assert first._lease.slot != second._lease.slot
    first._lease.drop()
    assert Leases(bench.folder).take("a" * 32, 0).slot == first._lease.slot


def test_the_file_is_for_its_owner_and_one_that_cannot_be_read_is_suspicious(bench: Bench) -> None:
    bench.some_act()
    file = bench.folder / lease.FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.unlink()
    file.mkdir()
    assert Leases(bench.folder).any_dead()


def test_what_was_never_opened_is_closed_without_a_word(bench: Bench) -> None:
    Leases(bench.folder).__del__()
    assert not (bench.folder / lease.FILE).exists()


def test_a_file_that_is_gone_is_made_again(bench: Bench) -> None:
    bench.some_act()
    (bench.folder / lease.FILE).unlink()
    with bench.log.act("identify", "consultation") as act:
        assert bench.leases() == [act.id]
        (bench.folder / lease.FILE).unlink()
    assert bench.leases() == []
    before = len(os.listdir("/proc/self/fd"))
    with bench.log.act("identify", "consultation") as act:
        assert bench.leases() == [act.id]
    assert len(os.listdir("/proc/self/fd")) == before
    bench.verify()


def test_an_id_inside_a_body_does_not_close_an_act(bench: Bench) -> None:
    act = bench.log.act("identify", "consultation")
    with bench.log.act("decide", "alteration", search={"req": act.id, "ph": "outcome"}):
        act._lease.drop()
    bench.some_act()
    assert bench.phases().count("abandoned") == 1
    bench.verify()


def test_a_worker_process_does_not_keep_the_lease(bench: Bench) -> None:
    act = bench.log.act("identify", "consultation")
    command = [sys.executable, "-c", "print(flush=True); input()"]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert worker.stdout is not None
    worker.stdout.readline()  # it has started, and opens no more files
    held = {os.readlink(path) for path in Path(f"/proc/{worker.pid}/fd").iterdir()}
    act._lease.drop()
    bench.some_act()
    assert bench.phases()[2] == "abandoned"
    assert str(bench.folder / lease.FILE) not in held
    worker.communicate(b"\n")
