"""Checking by other processes finds the same as checking line by line."""

from __future__ import annotations

from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest

from fr_cli.audit import chunks
from fr_cli.audit.check import Check, Verification
from fr_cli.audit.verify import verify_log
from fr_cli.errors import AuditBroken
from fr_cli.keys import SigningKey
from fr_cli.records import Head

from .conftest import ORIGIN, Bench


class Here:
    """A pool that examines at once and counts what it vouched for."""

    def __init__(self) -> None:
        self.vouched = self.asked = 0

    def submit(self, work: Any, *given: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(found := work(*given))
        self.asked += 1
        self.vouched += found is not None
        return future

    def shutdown(self, **how: object) -> None:
        """Nothing is left to end."""


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    pool = Here()
    monkeypatch.setattr(chunks, "LINES", 4)
    monkeypatch.setattr(chunks, "ProcessPoolExecutor", lambda *given, **named: pool)
    return pool


def both(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    *,
    full: bool,
    witnessed: tuple[Head, ...] = (),
) -> Verification | str:
    """What both ways say, which must be the same."""
    said = list[Verification | str]()
    for large in (10**12, 0):
        monkeypatch.setattr(chunks, "LARGE", large)
        monkeypatch.setattr(chunks, "LARGE_FULL", large)
        try:
            path, key = bench.log.path, bench.signer.public
            said.append(verify_log(path, key, ORIGIN, full=full, witnessed=witnessed))
        except AuditBroken as trouble:
            said.append(trouble.message)
    assert said[0] == said[1]
    return said[1]


@pytest.fixture
def varied(bench: Bench) -> Bench:
    """All that a log can hold: 45 lines or so, in two key ranges."""
    for number in range(6):
        bench.some_act(text="Zoë" if number % 2 else "x")
    bench.log.erase([3, 4, 5, 6], "x")
    with bench.log.path.open("ab") as file:
        file.write(b"torn")
    act = bench.log.act("enroll", "collection")
    act.batch(references=["1"])
    bench.log.rotate(SigningKey.new())
    act._lease.drop()
    for _ in range(8):
        bench.some_act()
    bench.log.act("running", "consultation")
    return bench


@pytest.mark.parametrize("full", [False, True])
def test_a_right_log(
    varied: Bench, here: Here, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    one_by_one, real = list[bytes](), Check.line

    def line(self: Check, text: bytes) -> None:
        one_by_one.append(text)
        real(self, text)

    monkeypatch.setattr(Check, "line", line)
    found = both(varied, monkeypatch, full=full)
    assert isinstance(found, Verification)
    assert found.entries < len(one_by_one) <= 2 * found.entries - 2 * chunks.LINES
    assert (found.erased, found.abandoned, found.recovered, len(found.keys)) == (4, 1, 1, 2)
    assert 3 <= here.vouched < here.asked
    again = verify_log(varied.log.path, varied.signer.public, None, full=full)
    assert again == found  # where the genesis entry has to name the origin first


@pytest.mark.parametrize("full", [False, True])
def test_any_one_wrong_line(
    varied: Bench, here: Here, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    lines = varied.log.path.read_bytes().splitlines(keepends=True)
    for index in range(0, len(lines), 3 if full else 1):
        wrong = {
            "gone": [], "twice": [lines[index]] * 2, "garbage": [b"garbage\n"],
            "digit": [lines[index].replace(b'"v":1', b'"v":2')],
            "hash": [lines[index][:30] + b"A" + lines[index][31:]],
            "signature": [lines[index][:90] + b"AAAA" + lines[index][94:]],
        }  # fmt: skip
        for what, instead in wrong.items():
            changed = [*lines[:index], *instead, *lines[index + 1 :]]
            varied.log.path.write_bytes(b"".join(changed))
            said = both(varied, monkeypatch, full=full)
            unseen = changed == lines or what == "signature"
            assert isinstance(said, str) or unseen or (what == "gone" and index == len(lines) - 1)


def test_a_witnessed_head(varied: Bench, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    size = varied.log.head().size
    for seen in (1, 9, 10, 30, size, size + 1):
        wrong = Head(seen, "A" * 43 + "=")
        said = both(varied, monkeypatch, full=False, witnessed=(wrong,))
        assert "witness" in str(said)
        kept = (Head(size, varied.verify().root), wrong, Head(3, "B" * 43 + "="))
        said = str(both(varied, monkeypatch, full=False, witnessed=kept))
        assert "line 3 has another root" in said
        assert said.count("another root") + said.count("it was cut") == 2


class Broken(Here):
    """A pool whose processes cannot start."""

    def submit(self, work: Any, *given: Any) -> Future[Any]:
        self.asked += 1
        if self.asked % 2:
            raise BrokenProcessPool
        future: Future[Any] = Future()
        future.set_exception(BrokenProcessPool())
        return future


def test_without_processes_the_lines_are_checked_here(
    varied: Bench, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Broken()
    monkeypatch.setattr(chunks, "ProcessPoolExecutor", lambda *given, **named: pool)
    assert isinstance(both(varied, monkeypatch, full=True), Verification)
    assert pool.asked > 4


def test_real_processes(varied: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    started = list[int]()

    class Pool(ProcessPoolExecutor):
        def submit(self, *given: Any, **named: Any) -> Future[Any]:
            started.append(1)
            return super().submit(*given, **named)

    monkeypatch.setattr(chunks, "LINES", 4)
    monkeypatch.setattr(chunks, "ProcessPoolExecutor", Pool)
    assert isinstance(both(varied, monkeypatch, full=True), Verification)
    assert started
