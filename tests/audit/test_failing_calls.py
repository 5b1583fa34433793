"""Every call to the system of an act fails once, each in its turn, in each of several ways.

Whatever fails: either the act's outcome is on disk and it says so, or it raises and nothing of
its result may be shown. The log verifies after, the next act works, and closes what was open.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from fr_cli.audit import storage
from fr_cli.audit.log import AuditLog
from fr_cli.errors import AuditUnwritable, ConfigurationError, FrError
from fr_cli.keys import SigningKey

from .conftest import ORIGIN, Bench

CALLS = [
    (os, "open"), (os, "write"), (os, "pread"), (os, "pwrite"), (os, "fdatasync"), (os, "fsync"),
    (os, "ftruncate"), (os, "rename"), (os, "replace"), (os, "unlink"), (os, "mkdir"),
    (os, "listdir"), (os, "close"), (os, "dup"), (os, "dup2"), (os, "fstat"), (fcntl, "flock"),
    (fcntl, "fcntl"),
]  # fmt: skip
KINDS = [errno.ENOSPC, "short", "interrupt"]  # no code tells one number from another


class Faulty:
    """Lets calls through up to the n-th, which fails; it and all after are counted."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int, how: int | str) -> None:
        self.at, self.how, self.count = at, how, 0
        self.failed = ""
        for owner, name in CALLS:
            patch.setattr(owner, name, self._wrapped(name, getattr(owner, name)))

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            self.count += 1
            if self.count != self.at:
                return real(*given, **named)
            self.failed = name
            if self.how == "interrupt":
                real(*given, **named)
                raise KeyboardInterrupt
            if self.how == "short":
                if name in ("write", "pwrite"):
                    return real(given[0], given[1][: len(given[1]) // 2], *given[2:])
                return real(*given, **named)
            if name == "close":  # as Linux: the handle is gone all the same
                real(*given, **named)
            assert isinstance(self.how, int)
            raise OSError(self.how, os.strerror(self.how))

        return call


def act_of(bench: Bench) -> Callable[[], str]:
    def work() -> str:
        with bench.log.act("enroll", "collection", why={"case": "CR/26/1"}) as act:
            act.batch(references=["1"])
            act.decide(result="stored")
        return act.id

    return work


def erasure_of(bench: Bench) -> Callable[[], str]:
    bench.some_act()
    return lambda: bench.log.erase([1, 2], "x").root


def rotation_of(bench: Bench) -> Callable[[], str]:
    return lambda: bench.log.rotate(SigningKey.new(), bench.home).root


def closing_of(bench: Bench) -> Callable[[], str]:
    bench.log.act("purge", "erasure")._lease.drop()
    with bench.log.path.open("ab") as file:
        file.write(b"torn")
    return act_of(bench)


@pytest.mark.parametrize("how", KINDS)
@pytest.mark.parametrize("work_of", [act_of, closing_of, erasure_of, rotation_of])
def test_any_call_fails_once(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    work_of: Callable[[Bench], Callable[[], str]],
    how: int | str,
) -> None:
    monkeypatch.setattr(storage, "PATIENCE", 0.02)
    for name in ("fsync", "fdatasync"):  # that they are called and may fail is what counts here
        monkeypatch.setattr(os, name, lambda handle: None)
    at, failed = 0, set[str]()
    while True:
        at += 1
        bench = fresh(bench, at)
        work, done = work_of(bench), ""
        before = bench.log.path.read_bytes()
        with monkeypatch.context() as patch:
            faulty = Faulty(patch, at, how)
            try:
                done = work()
            except KeyboardInterrupt:
                assert how == "interrupt"
                patch.undo()
                bench.die()
            except FrError as trouble:
                # The second is of a key's file; anything else would be a fault of the program.
                expected = isinstance(trouble, (AuditUnwritable, ConfigurationError))
                assert expected, faulty.failed
        if not faulty.failed:
            break
        failed.add(faulty.failed)
        again = AuditLog(bench.folder, SigningKey.load(bench.home), ORIGIN)
        Bench(bench.home, bench.signer, again).some_act()
        found = bench.verify()
        phases = {entry["req"]: entry["ph"] for entry in readable(bench)}
        if done and work_of in (act_of, closing_of):
            assert phases[done] == "outcome", (at, faulty.failed)
        assert set(phases.values()) <= {"genesis", "recovery", "rotation", "outcome", "abandoned"}
        assert (found.open_intents, bench.leases()) == ((), []), (at, faulty.failed)
        if work_of is not erasure_of:
            whole = before[: before.rindex(b"\n") + 1]
            assert bench.log.path.read_bytes().startswith(whole)
    assert {"open", "write", "fdatasync", "flock"} <= failed
    assert "fcntl" in failed or work_of is rotation_of  # which is no act


def readable(bench: Bench) -> list[dict[str, Any]]:
    lines = map(json.loads, bench.log.path.read_bytes().splitlines())
    return [line["e"] for line in lines if "e" in line]


def fresh(bench: Bench, number: int) -> Bench:
    home = bench.home / f"turn-{number}" if number == 1 else bench.home.parent / f"turn-{number}"
    (home / "audit").mkdir(parents=True)
    signer = SigningKey.create(home)
    return Bench(home, signer, AuditLog.create(home / "audit", signer, ORIGIN))
