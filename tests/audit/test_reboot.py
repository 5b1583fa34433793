"""A power cut may take the leases with it: the first act after it closes what was open."""

from __future__ import annotations

import os

import pytest

from fr_cli.audit import lease
from fr_cli.audit.canonical import parse
from fr_cli.audit.entry import Draft
from fr_cli.audit.log import AuditLog
from fr_cli.audit.writer import Writer
from fr_cli.keys import SigningKey

from .conftest import ORIGIN, Bench


def restart(monkeypatch: pytest.MonkeyPatch, boot: str) -> None:
    for module in ("entry", "lease", "resuming"):
        monkeypatch.setattr(f"fr_cli.audit.{module}.boot_id", lambda: boot)


def cut_the_power(bench: Bench) -> list[str]:
    """Three acts that were running, one with a batch; their leases are lost."""
    cut = []
    for number in range(3):
        act = bench.log.act("identify", "consultation", nested={"ph": "outcome", "req": "f" * 32})
        if number == 1:
            act.batch(references=["1"])
        act._lease.end()
        cut.append(act.id)
    return cut


def test_lost_leases_are_made_good(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.some_act()
    cut = cut_the_power(bench)
    bench.some_act()
    assert bench.verify().open_intents == tuple(cut)
    restart(monkeypatch, "another-boot")
    bench.some_act()
    found = bench.verify()
    assert (found.open_intents, found.abandoned) == ((), 3)
    assert bench.leases() == []
    bench.some_act()
    assert bench.verify().abandoned == 3


@pytest.mark.parametrize("gone", [False, True])
def test_a_new_key_after_a_power_cut(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    """It is no act, and has no lease of its own."""
    bench.log.act("identify", "consultation")._lease.drop()
    if gone:
        (bench.folder / lease.FILE).unlink()
    restart(monkeypatch, "another-boot")
    log = AuditLog(bench.folder, bench.signer, ORIGIN)
    log.rotate(SigningKey.new())
    found = bench.verify()
    assert (found.abandoned, found.open_intents) == (1, ())


def test_a_new_key_after_a_power_cut_that_cut_nothing_short(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    restart(monkeypatch, "another-boot")
    bench.log.rotate(SigningKey.new())
    assert bench.phases() == ["genesis", "rotation"]


def test_what_was_cut_short_is_on_disk_before_anything_new_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a second power cut could leave a line of this boot, and nothing of those acts."""
    cut = cut_the_power(bench)
    (bench.folder / lease.FILE).unlink()
    bench.log = AuditLog(bench.folder, bench.signer, ORIGIN)
    done, fsync, write = list[str](), os.fsync, os.write

    def synced(handle: int) -> None:
        done.append("synced")
        fsync(handle)

    def written(handle: int, data: bytes) -> int:
        done.append("written")
        return write(handle, data)

    restart(monkeypatch, "another-boot")
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "write", written)
    bench.some_act()
    assert done.index("written") == 2 * len(cut)  # the file and its folder for each
    assert bench.verify().abandoned == len(cut)


def test_a_second_power_cut_on_the_way(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_the_power(bench)
    real, calls = Writer.append, list[str]()

    def append(self: Writer, entry: Draft) -> object:
        calls.append(str(parse(entry.body(0))["ph"]))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, entry)

    restart(monkeypatch, "second-boot")
    with monkeypatch.context() as patch:
        patch.setattr(Writer, "append", append)
        with pytest.raises(KeyboardInterrupt):
            bench.some_act()
    assert bench.verify().abandoned == 1
    bench.some_act()
    assert bench.verify().abandoned == 3


def test_a_torn_line_is_recorded_and_the_leases_are_made_good(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_the_power(bench)
    with bench.log.path.open("ab") as file:
        file.write(b"torn")
    restart(monkeypatch, "another-boot")
    bench.some_act()
    found = bench.verify()
    assert (found.recovered, found.abandoned, found.open_intents) == (1, 3, ())


def test_where_no_boot_has_a_name_each_lease_is_synced(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut nothing else would tell of its act."""
    synced, real = list[str](), os.fsync

    def fsync(handle: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    bench.some_act()
    assert synced == []
    restart(monkeypatch, "")
    bench.some_act()
    assert synced == [str(bench.folder / lease.FILE), str(bench.folder)]
    assert bench.verify().abandoned == 0
