"""Going on with a log as the last writer left it, also one whose sync failed or that was killed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fr_cli.audit import resuming
from fr_cli.audit.caching import CALM, DOUBT, FILE, REPAIR
from fr_cli.audit.log import AuditLog
from fr_cli.audit.writer import Writer
from fr_cli.errors import AuditBroken, AuditUnwritable
from fr_cli.keys import SigningKey

from .conftest import ORIGIN, Bench, Disk


class Killed(BaseException):
    """As a process ends that hears of nothing."""


def die(*given: object) -> None:
    raise Killed


def note(bench: Bench) -> Path:
    return bench.folder / FILE


def killed_before_its_sync(bench: Bench) -> str:
    """An act whose process died with its intent written and not synced; its id."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fdatasync", die)
        with pytest.raises(Killed):
            bench.some_act()
    return str(bench.entries()[-1]["req"])


def test_an_act_that_follows_another_reads_and_checks_nothing(
    bench: Bench, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.some_act()
    synced = disk.syncs
    monkeypatch.setattr(resuming, "read_tail", None)
    bench.some_act()
    assert disk.syncs == synced + 2  # one an entry


def test_what_a_killed_process_has_written_is_synced_before_anything_is_built_on_it(
    bench: Bench, disk: Disk
) -> None:
    killed_before_its_sync(bench)
    synced = disk.syncs
    bench.some_act()
    assert disk.syncs == synced + 1 + 1 + 2  # what was there; what is abandoned; the act
    assert bench.phases() == ["genesis", "intent", "abandoned", "intent", "outcome"]


def test_what_a_killed_process_has_written_is_cut_back_if_it_cannot_be_synced(
    bench: Bench, disk: Disk
) -> None:
    bench.some_act()
    before = bench.log.path.read_bytes()
    killed_before_its_sync(bench)
    assert bench.log.path.read_bytes() != before
    disk.failing = True
    with pytest.raises(AuditUnwritable):
        bench.some_act()
    assert bench.log.path.read_bytes() == before
    disk.failing = False
    bench.some_act()
    assert bench.phases() == ["genesis", *["intent", "outcome"] * 2]


def test_lines_of_an_earlier_boot_are_on_disk_though_the_note_is_older(
    bench: Bench, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut takes the note of an acknowledged act; then a sync fails: the act stays."""
    old = note(bench).read_bytes()
    bench.some_act()
    before = bench.log.path.read_bytes()
    note(bench).write_bytes(old)
    for module in ("entry", "lease", "resuming", "waiting"):
        monkeypatch.setattr(f"fr_cli.audit.{module}.boot_id", lambda: "another-boot")
    disk.failing = True
    with pytest.raises(AuditUnwritable):
        bench.some_act()
    assert bench.log.path.read_bytes() == before
    disk.failing = False
    bench.some_act()
    assert bench.log.path.read_bytes().startswith(before)
    bench.verify()


def test_a_failed_sync_is_cut_back_and_not_tried_again(bench: Bench, disk: Disk) -> None:
    bench.some_act()
    before, synced = bench.log.path.read_bytes(), disk.syncs
    disk.failing = True
    with pytest.raises(AuditUnwritable):
        bench.some_act()
    assert disk.syncs == synced + 1
    assert bench.log.path.read_bytes() == before
    assert note(bench).read_bytes().startswith(REPAIR)
    disk.failing = False
    bench.some_act()
    assert note(bench).read_bytes().startswith(CALM)
    assert bench.phases() == ["genesis", *["intent", "outcome"] * 2]


def test_a_log_that_cannot_be_cut_back_is_not_written(
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
        assert note(bench).read_bytes().startswith(DOUBT)
    disk.failing = False
    bench.some_act()
    assert bench.log.path.read_bytes().startswith(whole)
    assert bench.phases() == ["genesis", "intent", "abandoned", "intent", "outcome"]
    bench.verify()


def test_an_entry_that_cannot_be_noted_is_not_acknowledged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a sync that fails later could be cut back to the note before it."""
    act = bench.log.act("identify", "consultation")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda handle, data, offset: len(data) // 2)
        with pytest.raises(AuditUnwritable, match="No space"), act:
            pass
    with pytest.raises(RuntimeError):  # nothing of it may be shown
        _ = act.head
    bench.some_act()
    assert bench.phases() == ["genesis", "intent", "outcome", "intent", "outcome"]
    assert (bench.verify().abandoned, bench.leases()) == (0, [])


def doubtful(bench: Bench) -> None:
    data = note(bench).read_bytes()
    note(bench).write_bytes(data.replace(CALM, DOUBT, 1))


def test_a_marked_log_that_was_cut_as_well_is_left_as_it_is(bench: Bench, disk: Disk) -> None:
    bench.some_act()
    doubtful(bench)
    cut = b"".join(bench.log.path.read_bytes().splitlines(keepends=True)[:2])
    bench.log.path.write_bytes(cut)
    with pytest.raises(AuditBroken, match="was cut") as caught:
        bench.some_act()
    assert FILE in caught.value.hint
    assert bench.log.path.read_bytes() == cut


def test_a_mark_of_another_file_cuts_nothing(bench: Bench, disk: Disk) -> None:
    """As after the log was restored from its backup, and the note was not."""
    log = bench.log.path
    bench.some_act()
    doubtful(bench)
    marked = note(bench).read_bytes()
    note(bench).write_bytes(marked.replace(DOUBT, CALM, 1))
    bench.some_act()
    copy = bench.folder / "copy"
    copy.write_bytes(log.read_bytes())
    copy.replace(log)
    note(bench).write_bytes(marked)
    bench.some_act()
    assert bench.verify().entries == 7


def test_a_mark_without_a_note_asks_for_a_person(bench: Bench, disk: Disk) -> None:
    bench.some_act()
    note(bench).write_bytes(DOUBT)
    before = bench.log.path.read_bytes()
    with pytest.raises(AuditUnwritable, match="not known from where on") as caught:
        bench.some_act()
    assert FILE in caught.value.hint
    assert bench.log.path.read_bytes() == before
    note(bench).unlink()
    bench.some_act()
    assert bench.verify().entries == 5


def test_a_mark_that_outlives_a_power_cut_takes_nothing_that_was_acknowledged(
    bench: Bench, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On disk is the marked note, or the one that was synced when the mark was taken away."""
    bench.some_act()
    killed_before_its_sync(bench)
    doubtful(bench)
    synced = list[bytes]()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: synced.append(note(bench).read_bytes()))
        acknowledged = bench.some_act()
    assert len(synced) == 1
    assert synced[0].startswith(REPAIR)
    note(bench).write_bytes(synced[0])
    bench.some_act()
    assert acknowledged in {entry["req"] for entry in bench.entries()}
    bench.verify()


def test_the_record_of_a_repair_that_could_not_be_synced_is_made_again(
    bench: Bench, disk: Disk
) -> None:
    with bench.log.path.open("ab") as file:
        file.write(b"torn")
    disk.failing = True
    with pytest.raises(AuditUnwritable):
        bench.some_act()
    assert bench.phases() == ["genesis"]
    disk.failing = False
    bench.some_act()
    assert bench.phases() == ["genesis", "recovery", "intent", "outcome"]


@pytest.mark.parametrize("keep", [0, 1000, 2500])
def test_a_torn_note_is_as_none(bench: Bench, disk: Disk, keep: int) -> None:
    bench.some_act()
    data = note(bench).read_bytes()
    note(bench).write_bytes(data[:keep].rstrip()[:-3] + b"\0" * (2600 - keep))
    bench.some_act()
    assert bench.verify().entries == 5


def test_a_forged_note_is_as_none(bench: Bench, disk: Disk) -> None:
    """One who cannot sign cannot have a changed line built on."""
    bench.some_act()
    data = note(bench).read_bytes()
    end = bench.log.path.stat().st_size
    note(bench).write_bytes(data.replace(f'"end":{end},'.encode(), b'"end":9999,'))
    bench.some_act()
    changed = bench.log.path.read_bytes()
    bench.log.path.write_bytes(changed.replace(b'"exit":0', b'"exit":1'))
    with pytest.raises(AuditBroken):
        bench.some_act()


def test_an_older_note_makes_nothing_lost(bench: Bench, disk: Disk) -> None:
    old = note(bench).read_bytes()
    bench.some_act()
    note(bench).write_bytes(old)
    bench.some_act()
    assert bench.verify().entries == 5


def test_nobody_goes_on_by_a_note_under_the_key_before(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the sync of a rotation and its note."""
    with monkeypatch.context() as patch:
        patch.setattr(Writer, "_note", die)
        with pytest.raises(Killed):
            bench.log.rotate(SigningKey.new(), bench.home)
    AuditLog(bench.folder, SigningKey.load(bench.home), ORIGIN).act("x", "administration")
    assert [key.first for key in bench.verify().keys] == [1, 3]


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
    killed_before_its_sync(bench)
    synced = disk.syncs
    assert bench.log.head().size == 2
    assert disk.syncs == synced + 1
    disk.failing = True
    with pytest.raises(AuditBroken):
        bench.log.head()


def test_a_sync_is_not_asked_for_twice(bench: Bench, disk: Disk) -> None:
    synced = disk.syncs
    with bench.log._writer():
        pass
    assert disk.syncs == synced
