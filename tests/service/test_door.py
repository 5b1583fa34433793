"""The door, with a handler that does as it is told: no models, no accounts, its own bounds."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fr_cli.service.bench import Kept
from fr_cli.service.door import Bounds, Door
from fr_cli.service.frame import REPLY, Frame, GoneError, receive, send
from fr_cli.service.listening import listen
from fr_cli.service.peer import Peer
from fr_cli.service.request import Place, Request
from fr_cli.service.visits import Room

BOUNDS = Bounds(workers=2, room=Room(sending=0.5), working=1.0, grace=5.0)
WORKER, ERRAND = "identify", "purge"


def answer(request: Request, peer: Peer, kept: Kept, line: socket.socket | None) -> Frame:
    """Do what the parameters say, and say who did it for whom."""
    wait = request.parameters.get("wait", 0)
    assert isinstance(wait, int | float)
    time.sleep(wait)
    if request.parameters.get("die"):
        os._exit(9)
    if note := request.parameters.get("note"):
        with Path(str(note)).open("a") as file:
            file.write("done\n")
    size = request.parameters.get("size", 0)
    assert isinstance(size, int)
    said = {"code": 0, "error": None, "uid": peer.uid, "pid": os.getpid()}
    return Frame(said, {":out": bytes(size)})


def place(command: str) -> Place | None:
    places: dict[str, Place] = {WORKER: "worker", ERRAND: "errand"}
    return places.get(command)


class Running:
    """A door in a process of its own."""

    def __init__(self, path: Path, pid: int) -> None:
        self.path, self.pid = path, pid

    @contextmanager
    def line(self) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX) as made:
            made.connect(str(self.path))
            yield made

    def ask(self, command: str = WORKER, **parameters: Any) -> dict[str, Any]:
        with self.line() as line:
            send(line, Request(command, parameters).frame())
            return dict(receive(line, REPLY, 60).body)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Running]:
    """A door that runs."""
    with opened(tmp_path / "s", BOUNDS) as running:
        yield running


@contextmanager
def opened(path: Path, bounds: Bounds) -> Iterator[Running]:
    path.parent.chmod(0o700)
    listener = listen(path, 0o600)
    child = os.fork()
    if not child:
        with suppress(BaseException):
            Door(listener, answer, lambda kept: None, place, bounds).run()
            os._exit(0)
        os._exit(1)
    listener.close()
    try:
        yield Running(path, child)
    finally:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def in_parallel(*calls: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(calls)) as pool:
        return [one.result() for one in [pool.submit(call) for call in calls]]


def test_a_worker_stays_and_an_errand_has_a_process_of_its_own(door: Running) -> None:
    asked = [door.ask() for _ in range(6)]
    assert {one["uid"] for one in asked} == {os.getuid()}
    assert len({one["pid"] for one in asked}) <= BOUNDS.workers
    errands = [door.ask(ERRAND)["pid"] for _ in range(3)]
    assert len(set(errands)) == 3


def test_two_work_at_a_time(door: Running) -> None:
    one, other = in_parallel(lambda: door.ask(wait=0.3), lambda: door.ask(wait=0.3))
    assert one["pid"] != other["pid"]


def test_what_is_not_served_is_said(door: Running) -> None:
    error = door.ask("models pull")["error"]
    assert (error["name"], error["code"]) == ("NotServed", 3)


def test_half_a_request_is_told_when_its_time_is_over(door: Running) -> None:
    with door.line() as line:
        line.sendall(Request(WORKER, {}).frame().encode()[:-1])
        assert receive(line, REPLY, 60).body["error"]["name"] == "StationBusy"


def test_a_request_that_takes_too_long_ends_and_others_go_on(door: Running) -> None:
    slow, quick = in_parallel(lambda: door.ask(wait=30), lambda: door.ask(wait=0.1))
    assert slow["error"]["name"] == "Bug"
    assert quick["code"] == 0
    assert door.ask()["code"] == 0


def test_a_worker_that_dies_is_replaced(door: Running) -> None:
    for _ in range(3):
        assert door.ask(die=True)["error"]["name"] == "Bug"
    assert len({door.ask()["pid"] for _ in range(4)}) <= BOUNDS.workers


def test_an_errand_that_dies_ends_the_line(door: Running) -> None:
    with pytest.raises(GoneError):
        door.ask(ERRAND, die=True)
    assert door.ask(ERRAND)["code"] == 0


def test_a_large_answer_comes_whole(door: Running) -> None:
    for command in (WORKER, ERRAND):
        with door.line() as line:
            send(line, Request(command, {"size": 30_000_000}).frame())
            assert len(receive(line, REPLY, 60).blobs[":out"]) == 30_000_000


def test_who_does_not_take_their_answer_is_dropped(tmp_path: Path) -> None:
    with (
        opened(tmp_path / "s", replace(BOUNDS, room=Room(taking=0.3))) as door,
        door.line() as line,
    ):
        send(line, Request(WORKER, {"size": 30_000_000}).frame())
        time.sleep(1.0)
        with pytest.raises(GoneError):
            receive(line, REPLY, 60)


def test_one_account_waits_in_a_queue_that_ends(tmp_path: Path) -> None:
    with opened(tmp_path / "s", replace(BOUNDS, room=Room(of_one=4))) as door:
        answers = in_parallel(*[lambda: door.ask(wait=0.5)] * 12)
        refused = [one for one in answers if one["code"]]
        assert len(refused) == 8
        assert {one["error"]["code"] for one in refused} == {11}


def test_an_account_has_one_errand_at_a_time(door: Running, tmp_path: Path) -> None:
    began = time.monotonic()
    in_parallel(*[lambda: door.ask(ERRAND, wait=0.3)] * 3)
    assert time.monotonic() - began >= 0.9


def test_stopping_finishes_what_runs_and_refuses_what_comes(door: Running, tmp_path: Path) -> None:
    note = str(tmp_path / "note")

    def stop() -> dict[str, Any]:
        time.sleep(0.2)
        os.kill(door.pid, signal.SIGTERM)
        time.sleep(0.1)
        return door.ask()

    first, errand, late = in_parallel(
        lambda: door.ask(wait=0.8, note=note), lambda: door.ask(ERRAND, wait=0.8, note=note), stop
    )
    assert (first["code"], errand["code"]) == (0, 0)
    assert late["error"]["name"] == "StationBusy"
    assert os.waitpid(door.pid, 0)[1] == 0
    assert Path(note).read_text() == "done\ndone\n"


def test_an_errand_that_does_not_end_is_interrupted(tmp_path: Path) -> None:
    with opened(tmp_path / "s", replace(BOUNDS, grace=0.3)) as door, door.line() as line:
        send(line, Request(ERRAND, {"wait": 60}).frame())
        time.sleep(0.3)
        os.kill(door.pid, signal.SIGTERM)
        assert os.waitpid(door.pid, 0)[1] == 0
        with pytest.raises(GoneError):
            receive(line, REPLY, 5)


def test_who_hung_up_while_waiting_is_not_worked_for(door: Running, tmp_path: Path) -> None:
    note = tmp_path / "note"
    with door.line() as one, door.line() as other:
        for line in (one, other):
            send(line, Request(WORKER, {"wait": 0.4}).frame())
        time.sleep(0.1)
        with door.line() as third:
            send(third, Request(WORKER, {"note": str(note)}).frame())
            time.sleep(0.1)
        for line in (one, other):
            receive(line, REPLY, 60)
    door.ask()
    assert not note.exists()


def test_too_many_bytes_at_once_are_refused(tmp_path: Path) -> None:
    with (
        opened(tmp_path / "s", replace(BOUNDS, room=Room(held=100_000))) as door,
        door.line() as line,
    ):
        with suppress(BrokenPipeError):
            send(line, Request(WORKER, {}, blobs={"photo": bytes(10_000_000)}).frame())
        assert receive(line, REPLY, 60).body["error"]["name"] == "StationBusy"
