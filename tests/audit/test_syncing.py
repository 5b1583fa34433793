"""Writers that wait together for one sync: who may believe what, and what a failed one does."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from fr_cli.audit import storage
from fr_cli.audit.caching import FILE
from fr_cli.audit.entry import Draft
from fr_cli.audit.log import AuditLog
from fr_cli.audit.writer import Writer
from fr_cli.errors import AuditBroken, AuditUnwritable
from fr_cli.keys import SigningKey

from .conftest import ORIGIN, Bench


class Disk:
    """Counts the syncs of the log, and fails those that are asked to."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.syncs = 0
        self.failing = False
        patch.setattr(os, "fdatasync", self._sync)

    def _sync(self, handle: int) -> None:
        self.syncs += 1
        if self.failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@contextmanager
def waiting(bench: Bench, count: int) -> Iterator[list[Writer]]:
    """Writers that have each written a line, and wait for its sync."""
    with ExitStack() as stack:
        writers = []
        for _ in range(count):
            log = AuditLog(bench.folder, bench.signer, ORIGIN)
            writer = stack.enter_context(log._locked())
            writer.resume()
            req = secrets.token_hex(16)
            writer.append(Draft(cmd="x", act="administration", ph="intent", req=req))
            writer.release()
            writers.append(writer)
        yield writers


def test_one_sync_serves_all_that_wait(bench: Bench, disk: Disk) -> None:
    with waiting(bench, 5) as writers:
        for writer in (writers[2], writers[0], writers[4], writers[1], writers[3]):
            writer.settle()
    assert disk.syncs == 1
    assert bench.verify().entries == 6


def test_whoever_waits_for_a_sync_of_another_needs_no_turn_of_its_own(
    bench: Bench, disk: Disk
) -> None:
    """On a slow disk somebody syncs at any moment: the lock would be had by few."""
    with waiting(bench, 2) as writers:
        writers[1].settle()
        handle = os.open(bench.folder / FILE, os.O_RDONLY)
        assert storage.got(handle)  # a third one syncs
        writers[0].settle()
        os.close(handle)
    assert disk.syncs == 1


def test_a_line_written_after_the_sync_needs_another(bench: Bench, disk: Disk) -> None:
    with waiting(bench, 2) as first:
        first[0].settle()
        with waiting(bench, 1) as later:
            later[0].settle()
            assert disk.syncs == 2
            first[1].settle()
    assert disk.syncs == 2


def test_a_failed_sync_fails_everyone_who_waits(bench: Bench, disk: Disk) -> None:
    bench.some_act()
    before = bench.log.path.read_bytes()
    with waiting(bench, 4) as writers:
        disk.failing = True
        with pytest.raises(OSError, match="Input/output"):
            writers[1].settle()
        disk.failing = False
        for writer in (writers[0], writers[3]):
            with pytest.raises(OSError, match="has just failed"):
                writer.settle()
        assert bench.log.path.read_bytes() != before
        synced = disk.syncs
        bench.some_act()  # cuts back first
        with pytest.raises(OSError, match="was cut back"):
            writers[2].settle()
    assert disk.syncs == synced + 2
    assert bench.log.path.read_bytes().startswith(before)
    assert bench.phases() == ["genesis", *["intent", "outcome"] * 2]
    bench.verify()


def test_what_was_durable_before_a_failed_sync_stays(bench: Bench, disk: Disk) -> None:
    with waiting(bench, 2) as first:
        first[0].settle()
        durable = bench.log.path.read_bytes()
        with waiting(bench, 1) as later:
            disk.failing = True
            with pytest.raises(OSError):
                later[0].settle()
            disk.failing = False
            first[1].settle()  # is not of those in doubt
            with waiting(bench, 1) as next_one:
                assert bench.log.path.read_bytes().startswith(durable)
                next_one[0].settle()
    assert bench.verify().entries == 4


def test_a_mark_that_cannot_be_cut_back_keeps_everyone_from_writing(
    bench: Bench, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = bench.log.path.read_bytes()
    act = bench.log.act("identify", "consultation")
    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", lambda *given: os.fdatasync(-1))
        disk.failing = True
        with pytest.raises(AuditUnwritable), act:
            pass
        for _ in range(2):
            with pytest.raises(AuditUnwritable):
                bench.some_act()
    disk.failing = False
    bench.some_act()
    assert bench.log.path.read_bytes().startswith(whole)
    assert bench.phases() == ["genesis", "intent", "abandoned", "intent", "outcome"]
    bench.verify()


def test_nothing_is_cut_back_while_another_syncs(
    bench: Bench, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with waiting(bench, 1) as (writer,):
        disk.failing = True
        with pytest.raises(OSError):
            writer.settle()
        disk.failing = False
    before = bench.log.path.read_bytes()
    handle = os.open(bench.folder / FILE, os.O_RDONLY)
    assert storage.got(handle)
    monkeypatch.setattr(storage, "PATIENCE", 0.05)
    with pytest.raises(AuditUnwritable, match="lock"):
        bench.some_act()
    assert bench.log.path.read_bytes() == before
    os.close(handle)
    bench.some_act()
    assert bench.verify().entries == 3


def test_a_marked_log_that_was_cut_as_well_is_left_as_it_is(bench: Bench, disk: Disk) -> None:
    bench.some_act()
    path = bench.folder / FILE
    path.write_bytes(path.read_bytes().replace(b'{"doubt":false,', b'{"doubt":true ,', 1))
    cut = b"".join(bench.log.path.read_bytes().splitlines(keepends=True)[:2])
    bench.log.path.write_bytes(cut)
    with pytest.raises(AuditBroken, match="was cut"):
        bench.some_act()
    assert bench.log.path.read_bytes() == cut


def test_a_mark_without_a_note_asks_for_a_person(bench: Bench, disk: Disk) -> None:
    bench.some_act()
    path = bench.folder / FILE
    path.write_bytes(b'{"doubt":true ,')
    before = bench.log.path.read_bytes()
    with pytest.raises(AuditUnwritable, match="not known from where on") as caught:
        bench.some_act()
    assert FILE in caught.value.hint
    assert bench.log.path.read_bytes() == before
    path.unlink()
    bench.some_act()
    assert bench.verify().entries == 5


def test_a_mark_that_outlives_a_power_cut_takes_nothing_that_was_acknowledged(
    bench: Bench, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On disk is the marked note, or the one that was synced when the mark was taken away."""
    bench.some_act()
    path, synced = bench.folder / FILE, list[bytes]()
    with waiting(bench, 1) as (writer,):
        disk.failing = True
        with pytest.raises(OSError):
            writer.settle()
        disk.failing = False
        marked = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: synced.append(path.read_bytes()))
        acknowledged = bench.some_act()
    assert len(synced) == 1
    assert marked.startswith(b'{"doubt":true ,')
    assert synced[0].startswith(b'{"doubt":false,')
    path.write_bytes(synced[0])
    bench.some_act()
    assert acknowledged in {entry["req"] for entry in bench.entries()}
    bench.verify()


def test_an_erasure_while_others_wait_keeps_their_lines(bench: Bench, disk: Disk) -> None:
    bench.some_act()
    with waiting(bench, 2) as writers:
        writers[0].settle()
        bench.log.erase([1, 2], "retention is over")
        writers[1].settle()
        known = writers[1]._notes.durable(bench.signer)
        assert known  # and not of the file before, or nothing behind it would ever be cut back
        assert known.file == bench.log.path.stat().st_ino
    found = bench.verify()
    assert found.erased_entries == (1, 2)
    assert found.entries == 3 + 2 + 2


def test_a_sync_that_fails_on_the_file_before_an_erasure_marks_nothing(
    bench: Bench, disk: Disk
) -> None:
    bench.some_act()
    with waiting(bench, 1) as (writer,):
        bench.log.erase([1, 2], "retention is over")
        disk.failing = True
        with pytest.raises(OSError):
            writer.settle()
        disk.failing = False
    bench.some_act()
    assert bench.verify().entries == 3 + 1 + 2 + 2


def test_a_rotation_while_others_wait(bench: Bench, disk: Disk) -> None:
    with waiting(bench, 2) as writers:
        bench.log.rotate(SigningKey.new(), bench.home)
        for writer in writers:
            writer.settle()
    bench.some_act()
    AuditLog(bench.folder, SigningKey.load(bench.home), ORIGIN).act("x", "administration")
    assert len(bench.verify().keys) == 2


@pytest.mark.parametrize("keep", [0, 1000, 2600, 4000])
def test_a_torn_note_is_as_none(bench: Bench, disk: Disk, keep: int) -> None:
    bench.some_act()
    path = bench.folder / FILE
    path.write_bytes(path.read_bytes()[:keep] + b"\0" * (5200 - keep))
    with waiting(bench, 2) as writers:
        for writer in writers:
            writer.settle()
    assert bench.verify().entries == 5


def test_a_forged_note_is_as_none(bench: Bench, disk: Disk) -> None:
    """One who cannot sign can neither have a changed line built on, nor an act believed synced."""
    bench.some_act()
    path = bench.folder / FILE
    data = path.read_bytes()
    whole = bench.log.path.read_bytes()
    path.write_bytes(data.replace(f'"end":{len(whole)},'.encode(), b'"end":9999,'))
    synced = disk.syncs
    bench.some_act()
    assert disk.syncs == synced + 2
    changed = bench.log.path.read_bytes()
    bench.log.path.write_bytes(changed.replace(b'"exit":0', b'"exit":1'))
    with pytest.raises(AuditBroken):
        bench.some_act()


def test_an_older_note_makes_nothing_lost(bench: Bench, disk: Disk) -> None:
    old = (bench.folder / FILE).read_bytes()
    bench.some_act()
    (bench.folder / FILE).write_bytes(old)
    bench.some_act()
    assert bench.verify().entries == 5


def test_a_sync_that_hangs_is_waited_for_and_then_refused(
    bench: Bench, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "PATIENCE", 0.05)
    handle = os.open(bench.folder / FILE, os.O_RDONLY)
    assert storage.got(handle)
    with pytest.raises(AuditUnwritable, match="lock"):
        bench.some_act()
    os.close(handle)
    monkeypatch.undo()
    bench.some_act()
    assert bench.phases() == ["genesis", "intent", "abandoned", "intent", "outcome"]


def test_a_failed_first_sync_leaves_no_log(
    disk: Disk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    signer = SigningKey.create(home)
    disk.failing = True
    with pytest.raises(AuditUnwritable):
        AuditLog.create(home, signer, ORIGIN)
    disk.failing = False
    assert AuditLog.create(home, signer, ORIGIN).head().size == 1


def test_a_head_is_given_out_only_of_what_is_durable(bench: Bench, disk: Disk) -> None:
    with waiting(bench, 1):
        synced = disk.syncs
        assert bench.log.head().size == 2
        assert disk.syncs == synced + 1
        disk.failing = True
        with pytest.raises(AuditBroken):
            bench.log.head()
