"""An entry's time is over: its body goes, its hash stays, and who waits finds the new file."""

from __future__ import annotations

import base64
import threading
from pathlib import Path

import pytest

from fr_cli.audit import erasing
from fr_cli.audit.entry import Draft
from fr_cli.audit.line import read_line
from fr_cli.audit.log import AuditLog
from fr_cli.audit.writer import Writer
from fr_cli.errors import AuditUnwritable, UsageProblem
from fr_cli.keys import SigningKey

from .conftest import ORIGIN, Bench
from .test_crash import spawn


class PowerCut(BaseException):
    """What stands for a crash."""


@pytest.fixture
def old(bench: Bench) -> Bench:
    """A log with three acts: entries 1 and 2, 3 and 4, 5 and 6."""
    for _ in range(3):
        bench.some_act(result="secret")
    return bench


def test_a_body_goes_and_every_root_stays(old: Bench) -> None:
    before = old.log.path.read_bytes().splitlines()
    head = old.log.erase([3, 4], "retention is over")
    after = old.log.path.read_bytes().splitlines()
    assert head == old.log.head()
    for seq, (was, now) in enumerate(zip(before, after, strict=False)):
        assert now == was if seq not in (3, 4) else b'"x":' in now and b"secret" not in now
        assert now.startswith(was[: was.index(b'"e":')])
    found = old.verify()
    assert (found.erased, found.erased_entries, found.open_intents) == (2, (3, 4), ())
    *_, intent, outcome = (line for line in after if b"audit-erase" in line)
    assert b'"erases":[3,4]' in intent
    assert b'"reason":"retention is over"' in intent
    assert b'"dec":{"erased":2}' in outcome


def test_the_log_goes_on_and_erases_again(old: Bench) -> None:
    for seqs in ([1, 2], [3, 4], [1, 2, 5, 6]):
        old.log.erase(seqs, "retention is over")
        old.some_act()
    assert old.verify().erased_entries == (1, 2, 3, 4, 5, 6)
    (old.folder / "frontier.json").unlink()
    old.some_act()
    old.verify()
    assert (old.log.path.stat().st_mode & 0o777, old.leases()) == (0o600, [])


@pytest.mark.parametrize("seqs", [[], [0], [7], [-1], [3], [4], [3, 4, 5], range(4000)])
def test_only_whole_acts_can_be_erased(old: Bench, seqs: list[int]) -> None:
    before = old.log.path.read_bytes()
    with pytest.raises(UsageProblem):
        old.log.erase(seqs, "x")
    assert old.log.path.read_bytes() == before


def test_what_tells_how_the_log_came_about_stays(old: Bench) -> None:
    old.log.erase([1, 2], "x")  # 7 and 8
    old.log.rotate(SigningKey.new())  # 9
    with old.log.path.open("ab") as file:
        file.write(b"torn")
    old.some_act()  # 10 is the recovery, 11 and 12 the act
    for seqs in ([7, 8], [9], [10]):
        with pytest.raises(UsageProblem, match="must stay"):
            old.log.erase(seqs, "x")
    old.log.erase([11, 12], "x")
    old.verify()


def test_a_living_act_stays(old: Bench) -> None:
    with old.log.act("enroll", "collection") as act:
        act.batch(references=["1"])
        with pytest.raises(UsageProblem, match="not over"):
            old.log.erase([7, 8], "x")
    old.log.erase([7, 8, 9], "x")
    assert old.verify().erased == 3


@pytest.mark.parametrize("step", ["strike", "_copy", "forget", "replace", "move", "outcome"])
def test_a_crash_on_the_way_is_finished_by_the_next_act(
    old: Bench, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def crash(*given: object) -> object:
        raise PowerCut

    owner = {"strike": erasing, "_copy": erasing, "replace": Path}.get(step, Writer)
    if step == "outcome":  # the process dies after the new file is there
        real = Writer.append

        def append(self: Writer, entry: Draft) -> object:
            return crash() if b'"ph":"outcome"' in entry.body(0) else real(self, entry)

        monkeypatch.setattr(Writer, "append", append)
    elif step == "replace":
        rename = Path.replace
        monkeypatch.setattr(
            Path, "replace", lambda a, b: crash() if b == old.log.path else rename(a, b)
        )
    else:
        monkeypatch.setattr(owner, step, crash)
    # The interpreter lives on, so the outcome must not be written either.
    monkeypatch.setattr(
        "fr_cli.audit.log.Act._outcome", lambda self, trouble: crash() if trouble else {}
    )
    with pytest.raises(PowerCut):
        old.log.erase([3, 4], "x")
    monkeypatch.undo()
    old.die()
    AuditLog(old.folder, SigningKey.load(old.home), ORIGIN).act("x", "administration")
    found = old.verify()
    assert (found.erased_entries, found.abandoned) == ((3, 4), 1)
    assert b"secret" not in b"".join(old.log.path.read_bytes().splitlines()[3:5])
    assert not (old.folder / "audit.jsonl.erasing").exists()


def test_a_full_disk_leaves_the_log_as_it_was(old: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(writer: Writer) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "forget", full)
        with pytest.raises(AuditUnwritable):
            old.log.erase([3, 4], "x")
    assert not (old.folder / "audit.jsonl.erasing").exists()
    assert old.verify().erased == 0
    old.log.erase([3, 4], "x")
    assert old.verify().erased == 2


def test_who_waits_for_the_lock_goes_on_in_the_new_file(old: Bench) -> None:
    act = old.log.act("enroll", "collection")
    workers = [spawn(old, 10) for _ in range(3)]
    stop = threading.Event()
    erased = []
    for seqs in ([1, 2], [3, 4], [5, 6]):
        old.log.erase(seqs, "x")
        erased += seqs
        stop.wait(0.05)
    done = [req for worker in workers for req in worker.communicate(timeout=60)[0].split()]
    with act:
        pass
    assert all(worker.returncode == 0 for worker in workers)
    found = old.verify()
    assert found.erased_entries == tuple(erased)
    assert found.entries == 7 + 2 + 6 + 60
    assert (len(done), found.open_intents, found.abandoned) == (30, (), 0)


def test_the_hash_that_stays_is_that_of_the_body(old: Bench) -> None:
    leaf = read_line(old.log.path.read_bytes().splitlines(keepends=True)[3]).leaf
    old.log.erase([3, 4], "x")
    line = old.log.path.read_bytes().splitlines()[3]
    assert line.endswith(b',"x":"' + base64.b64encode(leaf) + b'"}')
