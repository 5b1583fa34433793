"""Entries left to whoever has the log's lock: each is written once, and its writer is told."""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fr_cli.audit import storage, waiting
from fr_cli.audit.entry import Draft
from fr_cli.audit.line import read_line
from fr_cli.audit.log import Act, AuditLog
from fr_cli.audit.storage import locked
from fr_cli.audit.waiting import FILE, Inbox, Served, Turn
from fr_cli.errors import AuditUnwritable
from fr_cli.keys import SigningKey
from fr_cli.records import Head

from .conftest import ORIGIN, Bench, Disk

REQ = "c" * 32


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_PAUSE", 0.002)


def draft(number: int = 0, phase: str = "intent") -> Draft:
    return Draft(cmd="x", act="administration", ph=phase, req=REQ[:31] + str(number), number=number)


def left(bench: Bench, number: int = 0, text: Draft | None = None) -> Turn:
    """A turn whose draft is left to others, as by one who finds the lock taken."""
    turn = Turn(text or draft(number), bench.folder, bench.signer, Inbox())
    turn.wait(0)
    return turn


def told(turn: Turn) -> Head | None:
    """The head that its writer has been told of."""
    try:
        turn.wait(0)
    except Served as served:
        return served.head
    return None


def queue(bench: Bench) -> Path:
    return bench.folder / FILE


def numbers(bench: Bench) -> list[object]:
    return [entry["number"] for entry in bench.entries() if "number" in entry]


def test_whoever_has_the_lock_writes_for_all_with_one_sync(bench: Bench, disk: Disk) -> None:
    turns = [left(bench, number) for number in range(5)]
    assert stat.S_IMODE(queue(bench).stat().st_mode) == 0o600  # it says who searches for what
    synced = disk.syncs
    with bench.log._writer():
        pass
    assert disk.syncs == synced + 1
    assert numbers(bench) == [0, 1, 2, 3, 4]  # in the order in which they came
    heads = [told(turn) for turn in turns]
    assert [head.size for head in heads if head] == [2, 3, 4, 5, 6]
    assert heads[-1] == bench.log.head()
    assert queue(bench).stat().st_size == 0
    bench.verify()


def test_what_waits_is_written_before_what_the_holder_brings(bench: Bench) -> None:
    """An interrupted batch is still there when the outcome of its act comes."""
    turn = left(bench)
    act = bench.log.act("enroll", "collection", number=1)
    assert numbers(bench) == [0, 1]
    assert told(turn)
    with act:
        pass


def test_nobody_is_told_before_the_sync(bench: Bench, disk: Disk) -> None:
    turn = left(bench)
    disk.failing = True
    with pytest.raises(AuditUnwritable):
        bench.some_act()
    assert numbers(bench) == []
    disk.failing = False
    bench.some_act()
    assert told(turn) is None
    assert numbers(bench) == []  # it was lost, and is left to its writer


def test_a_holder_that_fails_for_its_own_entry_leaves_those_of_others(bench: Bench) -> None:
    turn = left(bench)
    with pytest.raises(ValueError, match="bytes"):
        bench.log.act("x", "administration", text="x" * 70_000)
    assert numbers(bench) == [0]
    with bench.log._writer(turn.wait) as writer:
        head = writer.found(turn)
    assert head == bench.log.head() == Head(2, bench.verify().root)


def test_a_draft_is_left_again_where_it_was_lost(bench: Bench) -> None:
    turn = left(bench)
    queue(bench).write_bytes(b"")  # taken by one who was killed then
    turn.wait(0)
    queue(bench).unlink()
    turn.wait(0)
    with bench.log._writer():
        pass
    assert told(turn) == bench.log.head()
    assert numbers(bench) == [0]


def test_a_draft_that_is_not_taken_yet_is_not_left_again(bench: Bench) -> None:
    turn = left(bench)
    size = queue(bench).stat().st_size
    turn.wait(0)
    assert queue(bench).stat().st_size == size


def test_a_draft_that_lies_there_twice_is_written_once(bench: Bench) -> None:
    turn = left(bench)
    text = queue(bench).read_bytes()
    queue(bench).write_bytes(text * 2)
    bench.some_act()
    queue(bench).write_bytes(text)  # put there again by who cannot sign, or by who was not told
    bench.some_act()
    assert numbers(bench) == [0]
    with bench.log._writer() as writer:
        assert writer.found(turn) == told(turn)


def test_one_that_has_the_lock_itself_finds_what_another_wrote_for_it(bench: Bench) -> None:
    """The other was killed before it could tell; or its answer does not reach."""
    turn = left(bench)
    with bench.log._writer():
        pass
    bench.some_act()
    with bench.log._writer() as writer:
        assert writer.found(turn) == Head(2, root_at(bench, 2))
        assert writer.found(Turn(draft(), bench.folder, bench.signer, Inbox())) is None


def root_at(bench: Bench, size: int) -> str:
    return read_line(bench.log.path.read_bytes().splitlines(keepends=True)[size - 1]).root


def test_what_was_written_is_found_after_an_erasure_too(bench: Bench) -> None:
    bench.some_act()
    turn = left(bench)
    with bench.log._writer():
        pass
    bench.log.erase([1, 2], "retention is over")
    with bench.log._writer() as writer:
        assert writer.found(turn) == told(turn)


def test_a_draft_for_the_file_before_an_erasure_is_left_to_its_writer(bench: Bench) -> None:
    """Nobody can tell by the place that it names whether it is in the new file."""
    bench.some_act()
    other = bench.log.path.with_name("other")
    other.write_bytes(bench.log.path.read_bytes())
    left(bench)
    other.replace(bench.log.path)
    bench.some_act()
    assert numbers(bench) == []


def test_a_draft_of_long_ago_is_left_to_its_writer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    left(bench)
    text = queue(bench).read_bytes()
    queue(bench).write_bytes(b"")
    bench.some_act()
    monkeypatch.setattr(waiting, "FAR", 10)
    queue(bench).write_bytes(text)
    bench.some_act()
    assert numbers(bench) == []


@pytest.mark.parametrize("place", [0, 70, -5])
def test_a_draft_that_was_changed_is_not_signed(bench: Bench, place: int) -> None:
    left(bench)
    data = bytearray(queue(bench).read_bytes())
    data[place] ^= 1
    queue(bench).write_bytes(bytes(data))
    bench.some_act()
    assert numbers(bench) == []


@pytest.mark.parametrize("keep", [0, 1, 40, -1])
def test_a_torn_draft_is_as_none_and_loses_no_other_for_good(bench: Bench, keep: int) -> None:
    left(bench)
    torn = queue(bench).read_bytes()[:keep]
    queue(bench).write_bytes(torn)
    second = left(bench, 1)
    bench.some_act()
    if keep:  # it stood on the torn one's line, and is left again
        second.wait(0)
        bench.some_act()
    assert told(second)
    assert numbers(bench) == [1]


def test_a_draft_under_another_key_is_not_signed(bench: Bench) -> None:
    stranger = Turn(draft(), bench.folder, SigningKey.new(), Inbox())
    stranger.wait(0)
    bench.some_act()
    assert numbers(bench) == []


def test_a_draft_of_another_boot_is_not_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process is dead, and its times would be those of another."""
    left(bench)
    for module in ("entry", "lease", "resuming", "waiting"):
        monkeypatch.setattr(f"fr_cli.audit.{module}.boot_id", lambda: "another-boot")
    bench.some_act()
    assert numbers(bench) == []


def test_an_answer_of_no_holder_of_the_key_is_not_believed(bench: Bench) -> None:
    turn = left(bench)
    assert turn.request
    head = Head(9, "A" * 43 + "=")
    forged = [
        (turn.request._replace(signer=SigningKey.new()), head),
        (turn.request._replace(draft=draft()), head),  # of another entry
    ]
    waiting.answer(forged)
    waiting._send([(turn.request.address, b"\xff 9 x"), (turn.request.address, b"")])
    for _ in range(4):
        turn.wait(0)
    waiting.answer([(turn.request, head)])
    assert told(turn) == head
    del turn._inbox
    waiting.answer([(turn.request, head)])  # it has gone


def test_what_came_too_late_for_one_turn_is_not_for_the_next(bench: Bench) -> None:
    inbox = Inbox()
    turns = [Turn(draft(number), bench.folder, bench.signer, inbox) for number in range(2)]
    for turn in turns:
        turn.wait(0)
        bench.some_act()
    assert turns[0].request
    assert turns[1].request
    assert turns[0].request.address == turns[1].request.address
    assert told(turns[1]) is None  # that was for the first
    head = told(turns[1])
    assert head
    assert head.size == 5
    assert bench.entries()[head.size - 1]["number"] == 1


def test_a_fork_hears_for_itself(bench: Bench) -> None:
    inbox = Inbox()
    address = inbox.address()
    child = os.fork()
    if child == 0:  # pragma: no cover
        os._exit(10 + (inbox.address() == inbox.address() != address))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 11
    waiting._send([(address, b"x")])
    assert inbox.hear() == b"x"


def test_an_outcome_that_a_dead_process_left_closes_its_act(bench: Bench) -> None:
    act = bench.log.act("identify", "consultation")
    left(bench, text=act._draft("outcome", {"exit": 0, "dec": {}}))
    act._lease.drop()
    bench.some_act()
    assert bench.phases() == ["genesis", "intent", "outcome", "intent", "outcome"]
    assert (bench.verify().abandoned, bench.leases()) == (0, [])


def test_an_intent_that_a_dead_process_left_is_closed(bench: Bench) -> None:
    lease = bench.log._lease(REQ)
    left(bench, text=Draft(cmd="x", act="administration", ph="intent", req=REQ))
    lease.drop()
    bench.some_act()
    assert bench.phases()[:3] == ["genesis", "intent", "abandoned"]
    assert (bench.verify().open_intents, bench.leases()) == ((), [])


def test_a_draft_that_is_too_long_to_leave_waits_for_the_lock(bench: Bench) -> None:
    long = Draft(cmd="x", act="administration", ph="intent", req=REQ, text="x" * 50_000)
    turn = Turn(long, bench.folder, bench.signer, Inbox())
    began = time.monotonic()
    turn.wait(0.01)
    assert time.monotonic() - began >= 0.01
    assert not queue(bench).exists()


def wait_for_a_draft(bench: Bench) -> None:
    while not (queue(bench).exists() and queue(bench).stat().st_size):
        time.sleep(0.001)


def test_whoever_waits_is_woken_when_the_lock_is_free(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_PAUSE", 60)
    waiter = threading.Thread(target=bench.some_act)
    with bench.log._writer():
        waiter.start()
        wait_for_a_draft(bench)
    waiter.join(timeout=20)
    assert not waiter.is_alive()
    assert bench.phases() == ["genesis", "intent", "outcome"]


def test_an_act_whose_entries_another_wrote_is_as_any_other(bench: Bench) -> None:
    begun, go, acts = threading.Event(), threading.Event(), list[Act]()

    def work() -> None:
        with AuditLog(bench.folder, bench.signer, ORIGIN).act("x", "consultation") as act:
            begun.set()
            go.wait()
        acts.append(act)

    waiter = threading.Thread(target=work)
    for step in (waiter.start, go.set):
        with bench.log._writer() as writer:
            step()
            wait_for_a_draft(bench)
            writer.serve()
        begun.wait(timeout=20)
    waiter.join(timeout=20)
    assert acts[0].head == bench.log.head() == Head(3, bench.verify().root)
    assert bench.phases() == ["genesis", "intent", "outcome"]
    assert bench.leases() == []


def test_half_a_draft_keeps_nobody_from_ending(bench: Bench) -> None:
    with bench.log._writer():
        queue(bench).write_bytes(b"half")
    bench.some_act()
    bench.verify()


def test_one_that_is_stopped_keeps_nobody_from_writing(bench: Bench) -> None:
    turn = left(bench)
    assert turn.request
    waiting.answer([(turn.request, Head(2, "A" * 43 + "="))] * 1000)  # it hears none of them


def test_nothing_stays_open(bench: Bench) -> None:
    bench.some_act()
    before = len(os.listdir("/proc/self/fd"))
    for number in range(3):
        turn = left(bench, number)
        with bench.log._writer():
            pass
        assert told(turn)
        with AuditLog(bench.folder, bench.signer, ORIGIN).act("x", "consultation"):
            pass
    del turn
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("call", ["open", "write", "stat"])
def test_a_writer_that_cannot_leave_its_draft_says_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    turn = Turn(draft(), bench.folder, bench.signer, Inbox())

    def fail(*given: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with locked(bench.log.path), monkeypatch.context() as patch:
        real = storage.lock

        def lock(handle: int, kind: int, wait: Callable[[float], None]) -> None:
            patch.setattr(os, call, fail)
            real(handle, kind, wait)

        patch.setattr(storage, "lock", lock)
        with pytest.raises(AuditUnwritable, match="No space"), bench.log._writer(turn.wait):
            pass


def test_a_turn_that_takes_too_long_is_given_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "PATIENCE", 0.02)
    with locked(bench.log.path), pytest.raises(AuditUnwritable, match="lock"):
        bench.some_act()
    bench.some_act()  # what it left is written, and closed
    assert bench.phases() == ["genesis", "intent", "abandoned", "intent", "outcome"]
    assert (bench.verify().open_intents, bench.leases()) == ((), [])


def test_a_rotation_while_others_wait(bench: Bench) -> None:
    turn = left(bench)
    bench.log.rotate(SigningKey.new(), bench.home)
    assert told(turn) == Head(2, root_at(bench, 2))
    late = left(bench, 1)  # still with the old key
    bench.some_act()
    with AuditLog(bench.folder, bench.signer, ORIGIN)._writer(late.wait) as writer:
        assert writer.found(late) is None
        writer.append(late.draft)
    assert numbers(bench) == [0, 1]
    assert len(bench.verify().keys) == 2


def test_an_erasure_while_others_wait_keeps_their_lines(bench: Bench) -> None:
    bench.some_act()
    turn = left(bench)
    bench.log.erase([1, 2], "retention is over")
    assert told(turn) == Head(4, root_at(bench, 4))
    assert bench.verify().erased_entries == (1, 2)
