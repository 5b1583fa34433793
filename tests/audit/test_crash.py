"""Crashes, full disks, and many processes: no entry that was acknowledged is lost."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fr_cli.audit import storage, writer
from fr_cli.audit.log import AuditLog
from fr_cli.errors import AuditBroken, AuditUnwritable
from fr_cli.keys import SigningKey

from .conftest import ORIGIN, Bench

#: How often processes are killed at a random moment; the whole proof is FR_KILLS=200.
KILLS = int(os.environ.get("FR_KILLS", "6"))

WRITERS, ACTS_EACH = 32, 4

ACTS = f"""
import sys
from pathlib import Path
from fr_cli.audit.log import AuditLog
from fr_cli.keys import SigningKey
home, count = Path(sys.argv[1]), int(sys.argv[2])
log = AuditLog(home / "audit", SigningKey.load(home), {ORIGIN!r})
for number in range(count):
    with log.act("identify", "consultation") as act:
        act.decide(number=number)
    print(act.id, flush=True)
"""


@pytest.fixture
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fdatasync", lambda handle: None)
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def spawn(bench: Bench, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ACTS, str(bench.home), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.usefixtures("fast_disk")
def test_a_line_torn_at_any_byte_is_set_aside_and_recorded(bench: Bench) -> None:
    whole = bench.log.path.read_bytes()
    cache = (bench.folder / "frontier.json").read_bytes()
    act = bench.log.act("identify", "consultation")
    act._lease.drop()
    last = bench.log.path.read_bytes()[len(whole) :]
    for cut in range(1, len(last)):
        bench.log.path.write_bytes(whole + last[:cut])
        (bench.folder / "frontier.json").write_bytes(cache)
        with pytest.raises(AuditBroken, match="line 2 is unfinished"):
            bench.verify(full=False)
        bench.some_act()
        assert bench.phases() == ["genesis", "recovery", "intent", "outcome"]
        (torn,) = bench.folder.glob("audit.jsonl.torn-*")
        recovery = bench.entries()[1]
        assert torn.read_bytes() == last[:cut]
        assert (recovery["offset"], recovery["len"]) == (len(whole), cut)
        assert torn.name == f"audit.jsonl.torn-{len(whole)}-{recovery['sha256'][:12]}"
        assert bench.verify(full=False).recovered == 1
        torn.unlink()


@pytest.mark.parametrize("tail", [b"\0" * 5000, b"x" * 200_000, b'{"cp"'])
def test_any_torn_tail_is_set_aside(bench: Bench, tail: bytes) -> None:
    with bench.log.path.open("ab") as file:
        file.write(tail)
    bench.some_act()
    assert bench.verify().recovered == 1
    (torn,) = bench.folder.glob("audit.jsonl.torn-*")
    assert torn.read_bytes() == tail


def test_a_crash_between_the_cut_and_its_entry_is_still_recorded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bench.log.path.open("ab") as file:
        file.write(b"torn")
    with monkeypatch.context() as patch:
        patch.setattr(writer.Writer, "_record_torn", lambda self: os._exit(9))
        child = os.fork()
        if child == 0:  # pragma: no cover
            bench.some_act()
        os.waitpid(child, 0)
    assert bench.phases() == ["genesis"]
    bench.some_act()
    assert bench.phases() == ["genesis", "recovery", "intent", "outcome"]


def test_a_whole_line_that_is_wrong_is_never_set_aside(bench: Bench) -> None:
    with bench.log.path.open("ab") as file:
        file.write(b"garbage\n")
    before = bench.log.path.read_bytes()
    with pytest.raises(AuditBroken):
        bench.some_act()
    assert bench.log.path.read_bytes() == before


@pytest.mark.parametrize("torn", [b"", b'{"cp'])
def test_a_log_cut_behind_its_cache_is_not_gone_on_with(bench: Bench, torn: bytes) -> None:
    whole = bench.log.path.read_bytes()
    bench.some_act()
    bench.log.path.write_bytes(whole + torn)
    with pytest.raises(AuditBroken, match="cut"):
        bench.some_act()
    assert bench.log.path.read_bytes() == whole + torn


@pytest.mark.parametrize(
    "cache",
    [None, b"", b"[]", b"{}", b'{"offset":0,"peaks":[],"size":1}', b'{"offset":7,"peaks":["AA=="],'
     b'"size":1}', b'{"offset":-1,"peaks":[],"size":0}', b'{"offset":1e999,"peaks":[],"size":0}'],
)  # fmt: skip
def test_the_cache_is_never_believed(bench: Bench, cache: bytes | None) -> None:
    for _ in range(3):
        bench.some_act()
    path = bench.folder / "frontier.json"
    path.unlink() if cache is None else path.write_bytes(cache)
    bench.some_act()
    assert bench.verify().entries == 9
    assert b'"size":9,' in path.read_bytes()


def test_a_stale_cache_is_brought_up_to_date(bench: Bench) -> None:
    stale = (bench.folder / "frontier.json").read_bytes()
    bench.some_act()
    (bench.folder / "frontier.json").write_bytes(stale)
    bench.some_act()
    assert bench.verify().entries == 5


def test_an_edit_before_a_stale_cache_is_found_by_appending(bench: Bench) -> None:
    bench.some_act()
    data = bench.log.path.read_bytes()
    bench.log.path.write_bytes(data.replace(b"CR/26/1", b"CR/26/2"))
    (bench.folder / "frontier.json").unlink()
    with pytest.raises(AuditBroken):
        bench.some_act()


def half_write(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    real = os.write

    def write(handle: int, data: bytes) -> int:
        if data.startswith(b'{"cp"'):
            return real(handle, data[: int(len(data) * share)])
        return real(handle, data)

    monkeypatch.setattr(os, "write", write)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_short_write_leaves_the_log_as_it_was(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    before = bench.log.path.read_bytes()
    with monkeypatch.context() as patch:
        half_write(patch, share)
        with pytest.raises(AuditUnwritable, match=r"written: No space left on device\.$"):
            bench.some_act()
    assert bench.log.path.read_bytes() == before
    bench.some_act()
    assert bench.phases() == ["genesis", "intent", "outcome"]
    assert bench.leases() == []


@pytest.mark.parametrize("call", ["write", "fdatasync"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_failing_call_is_not_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    act = bench.log.act("identify", "consultation")
    before, calls = bench.log.path.read_bytes(), list[int]()

    def fail(handle: int, data: bytes = b"") -> int:
        calls.append(handle)
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(AuditUnwritable), act:
            pass
    assert len(calls) == 1
    assert bench.log.path.read_bytes() == before
    with pytest.raises(RuntimeError):  # nothing of it may be shown
        _ = act.head
    bench.some_act()
    assert bench.phases() == ["genesis", "intent", "abandoned", "intent", "outcome"]
    bench.verify()


def test_an_interrupt_between_write_and_sync_leaves_an_act_that_is_closed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(handle: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            bench.some_act()
    assert bench.phases() == ["genesis", "intent"]  # others may have written behind it
    bench.some_act()
    assert bench.phases() == ["genesis", "intent", "abandoned", "intent", "outcome"]
    assert (bench.verify().open_intents, bench.leases()) == ((), [])


def test_a_held_lock_is_waited_for_and_then_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "PATIENCE", 0.05)
    bench.some_act()
    with bench.log.path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(AuditUnwritable, match="lock"):
            bench.some_act()
        assert bench.log.head().size == bench.verify().entries == 3  # looking needs no lock


def test_what_was_torn_off_is_kept_for_good_before_it_is_cut(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bench.log.path.open("ab") as file:
        file.write(b"torn")
    seen, synced, real = list[tuple[bool, int]](), list[int](), os.fsync

    def sync_file(handle: int) -> None:
        synced.append(os.fstat(handle).st_size)
        real(handle)

    def sync(folder: Path) -> None:
        kept = list(folder.glob("audit.jsonl.torn-*"))
        seen.append((bench.log.path.read_bytes().endswith(b"torn"), len(kept)))

    monkeypatch.setattr("fr_cli.audit.writer.sync_folder", sync)
    monkeypatch.setattr(os, "fsync", sync_file)
    bench.some_act()
    assert seen == [(True, 1)]
    assert len(b"torn") in synced


def test_a_log_replaced_while_waiting_is_not_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replaced(handle: int, kind: int, wait: object) -> None:
        bench.log.path.rename(bench.home / "rotated")
        bench.log.path.write_bytes((bench.home / "rotated").read_bytes())

    with monkeypatch.context() as patch:
        patch.setattr(storage, "lock", replaced)
        with pytest.raises(AuditUnwritable, match="replaced"):
            bench.some_act()


def test_thirty_two_processes_lose_nothing(bench: Bench) -> None:
    """Forked and not spawned: it is their writing that is tested, not 32 starts of Python."""
    reader, writer = os.pipe()
    children = [forked(bench, number, writer) for number in range(WRITERS)]
    os.close(writer)
    with os.fdopen(reader) as pipe:
        acknowledged = pipe.read().split()
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    found = bench.verify()
    assert found.entries == 1 + 2 * WRITERS * ACTS_EACH
    assert (found.abandoned, found.recovered, found.open_intents) == (0, 0, ())
    outcomes = [entry for entry in bench.entries() if entry["ph"] == "outcome"]
    assert sorted(entry["req"] for entry in outcomes) == sorted(acknowledged)
    for number in range(WRITERS):
        theirs = [entry["dec"]["turn"] for entry in outcomes if entry["dec"]["writer"] == number]
        assert theirs == list(range(ACTS_EACH))
    assert bench.leases() == []


def forked(bench: Bench, number: int, pipe: int) -> int:
    child = os.fork()
    if child == 0:  # pragma: no cover
        code = 1
        try:
            log = AuditLog(bench.folder, SigningKey.load(bench.home), ORIGIN)
            for turn in range(ACTS_EACH):
                with log.act("identify", "consultation") as act:
                    act.decide(writer=number, turn=turn)
                os.write(pipe, f"{act.id}\n".encode())
            code = 0
        finally:
            os._exit(code)
    return child


def test_kill_9_loses_nothing_that_was_acknowledged(bench: Bench) -> None:
    acknowledged = list[str]()
    for turn in range(KILLS):
        workers = [spawn(bench, 100_000) for _ in range(1 + turn % 3)]
        pause = random.Random(turn).uniform(0, 0.05)
        for worker in workers:
            assert worker.stdout is not None
            acknowledged.append(worker.stdout.readline().strip())
        for worker in workers:
            time.sleep(pause / len(workers))
            worker.send_signal(signal.SIGKILL)
        for worker in workers:
            assert worker.stdout is not None
            # Not by `communicate`, which passes over what `readline` has read ahead.
            acknowledged += worker.stdout.read().split()
            worker.stdout.close()
            worker.wait()
    bench.some_act()
    found = bench.verify()
    assert found.open_intents == ()
    closed = {entry["req"]: entry["ph"] for entry in bench.entries()[1:]}
    assert all(closed[req] == "outcome" for req in acknowledged)
    assert bench.leases() == []


def test_the_log_is_the_same_with_and_without_its_cache(bench: Bench, tmp_path: Path) -> None:
    for number in range(20):
        bench.some_act()
        if number % 3:
            (bench.folder / "frontier.json").unlink()
    assert bench.verify().entries == 41
