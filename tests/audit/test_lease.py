"""A living act is never closed by another, a dead one always, and only once."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fr_cli.audit import lease as leases
from fr_cli.audit import storage

from .conftest import ORIGIN, Bench

HANG = f"""
import sys, time
from pathlib import Path
from fr_cli.audit.log import AuditLog
from fr_cli.keys import SigningKey
home = Path(sys.argv[1])
log = AuditLog(home / "audit", SigningKey.load(home), {ORIGIN!r})
with log.act("purge", "erasure", subject="7") as act:
    act.batch(slot=1)
    print(act.id, flush=True)
    time.sleep(60)
"""


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


@pytest.mark.parametrize("judged", [False, True])
def test_a_lease_that_another_act_meets_before_it_is_locked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, judged: bool
) -> None:
    """The other may only have looked, or has taken it for a dead one's and ended it."""
    real, met = storage.lock, list[str]()

    def late(handle: int) -> None:
        if not met:
            met.extend(path.name for path in bench.leases())
            if judged:
                for lease in leases.dead(bench.folder / "leases"):
                    lease.end()
            else:
                looking = os.open(bench.leases()[0], os.O_RDONLY)
                fcntl.flock(looking, fcntl.LOCK_SH)
                threading.Timer(0.05, os.close, [looking]).start()
        real(handle)

    monkeypatch.setattr(leases, "lock", late)
    act = bench.log.act("identify", "consultation")
    assert [path.name for path in bench.leases()] == [act.id] == met
    bench.some_act()
    assert bench.phases() == ["genesis", "intent", "intent", "outcome"]  # it is seen to live
    act._lease.drop()
    bench.some_act()
    assert bench.phases().count("abandoned") == 1
    bench.verify()


def test_a_lease_left_before_its_intent_was_written_is_just_removed(bench: Bench) -> None:
    folder = bench.folder / "leases"
    folder.mkdir()
    (folder / ("a" * 32)).write_text('{"boot":"","offset":0,"pid":1}')
    bench.some_act()
    assert bench.phases() == ["genesis", "intent", "outcome"]
    assert bench.leases() == []


def test_a_lease_left_after_its_outcome_is_just_removed(bench: Bench) -> None:
    req = bench.some_act()
    (bench.folder / "leases" / req).write_text("")  # as a power cut may leave it
    bench.some_act()
    assert bench.phases() == ["genesis", "intent", "outcome", "intent", "outcome"]
    assert bench.leases() == []
    bench.verify()


def test_a_lease_whose_note_was_lost_still_closes_its_intent(bench: Bench) -> None:
    notes = ("", "[]", '{"offset":"x"}', "{", '{"offset":7}', '{"offset":999999}', '{"offset":-5}')
    for note in notes:
        act = bench.log.act("identify", "consultation")
        act._lease.drop()
        (bench.folder / "leases" / act.id).write_text(note)
        bench.some_act()
        assert bench.entries()[-3]["ph"] == "abandoned"
    assert bench.verify().abandoned == len(notes)


def test_other_files_in_the_folder_are_left_alone(bench: Bench) -> None:
    bench.some_act()
    stray = bench.folder / "leases" / "README"
    stray.write_text("not a lease")
    bench.some_act()
    assert bench.leases() == [stray]


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
    assert str(bench.folder / "leases" / act.id) not in held
    worker.communicate(b"\n")
