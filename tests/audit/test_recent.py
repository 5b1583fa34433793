"""What the end of the log tells: the newest time, and who searched how often within a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from fr_cli.audit import entry as entries
from fr_cli.audit.recent import Recent, newest_time
from fr_cli.errors import FrError, LimitReached, NoFace, NotAllowed
from fr_cli.records import utc
from tests.audit.conftest import Bench

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SEARCHES = frozenset({"identify", "verify"})


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the clock that entries are written by: minutes from noon."""

    def set_clock(minutes: float) -> None:
        class Clock(datetime):
            @classmethod
            def now(cls, tz: object = None) -> Clock:
                return cls.fromtimestamp((NOON + timedelta(minutes=minutes)).timestamp(), UTC)

        monkeypatch.setattr(entries, "datetime", Clock)

    set_clock(0)
    return set_clock


def asks(
    bench: Bench, trouble: Exception | None = None, *, command: str = "identify", uid: int = 1
) -> str:
    """An act of a search by this account, refused with this trouble; its id."""
    bench.log.behalf = {"op": {"uid": uid, "user": "x", "loginuid": None, "tty": ""}}
    with suppress(FrError), bench.log.act(command, "consultation", policy="0" * 64) as act:
        if trouble:
            raise trouble
    return act.id


def minutes(times: list[datetime]) -> list[float]:
    return [(one - NOON).total_seconds() / 60 for one in times]


def counted(bench: Bench, recent: Recent, now: float, uid: int = 1) -> tuple[list[float], ...]:
    """The searches and refusals of an account in the hour before a new search of it."""
    act = asks(bench, uid=uid)
    found = recent.before(act, uid, NOON + timedelta(minutes=now) - HOUR)
    return tuple(minutes(times) for times in found)


@pytest.fixture
def recent(bench: Bench) -> Recent:
    return Recent(bench.log.path, SEARCHES)


def test_searches_and_refusals_of_one_account_in_the_hour(
    bench: Bench, recent: Recent, at: Callable[[float], None]
) -> None:
    at(-90)
    asks(bench)
    at(-50)
    asks(bench)
    asks(bench, uid=2)
    asks(bench, command="enroll")
    at(-40)
    asks(bench, NotAllowed("no"))
    at(-30)
    asks(bench, LimitReached("no more"))  # neither: else going on trying would go on locking
    at(-20)
    asks(bench, NoFace("none"), command="verify")  # it was asked, whatever came of it
    at(0)
    assert counted(bench, recent, 0) == ([-50, -20], [-40])
    assert counted(bench, recent, 0, uid=2) == ([-50], [])
    assert counted(bench, recent, 0, uid=3) == ([], [])


def test_what_was_read_before_is_read_on_and_grows_old(
    bench: Bench, recent: Recent, at: Callable[[float], None]
) -> None:
    asks(bench)
    assert counted(bench, recent, 0) == ([0], [])
    at(40)
    asks(bench, NotAllowed("no"))
    assert counted(bench, recent, 40) == ([0, 0], [40])
    at(65)
    assert counted(bench, recent, 65) == ([40], [40])
    # Whoever begins now finds the same.
    assert counted(bench, Recent(bench.log.path, SEARCHES), 65) == ([40, 65], [40])


def test_of_several_at_once_the_first_is_the_first(
    bench: Bench, recent: Recent, at: Callable[[float], None]
) -> None:
    bench.log.behalf = {"op": {"uid": 1, "user": "x", "loginuid": None, "tty": ""}}
    first = bench.log.act("identify", "consultation")
    second = bench.log.act("identify", "consultation")
    assert [len(recent.before(one.id, 1, NOON - HOUR)[0]) for one in (second, first)] == [1, 0]
    for one in (first, second):
        with one:
            pass


def test_a_search_that_runs_when_it_is_first_read_counts_as_what_it_becomes(
    bench: Bench, recent: Recent, at: Callable[[float], None]
) -> None:
    bench.log.behalf = {"op": {"uid": 1, "user": "x", "loginuid": None, "tty": ""}}
    running = bench.log.act("identify", "consultation")
    assert counted(bench, recent, 0) == ([0], [])
    with pytest.raises(NotAllowed), running:
        raise NotAllowed("no")
    assert counted(bench, recent, 0) == ([0], [0])


def test_an_erasure_writes_the_log_anew_and_the_count_holds(
    bench: Bench, recent: Recent, at: Callable[[float], None]
) -> None:
    at(-100)
    asks(bench)
    at(-10)
    asks(bench)
    at(0)
    assert counted(bench, recent, 0) == ([-10], [])
    before = bench.log.path.stat().st_ino
    bench.log.erase([1, 2], "retention")
    assert bench.log.path.stat().st_ino != before
    assert counted(bench, recent, 0) == ([-10, 0], [])


def test_no_file_but_the_log_holds_a_count(
    bench: Bench, recent: Recent, at: Callable[[float], None]
) -> None:
    asks(bench)
    for path in bench.folder.iterdir():
        if path.is_file() and path != bench.log.path:
            path.unlink()
    assert counted(bench, Recent(bench.log.path, SEARCHES), 0) == ([0], [])


def test_the_newest_time_is_that_of_the_last_entry(
    bench: Bench, at: Callable[[float], None]
) -> None:
    at(1)
    asks(bench)
    at(2)
    bench.log.act("identify", "consultation")._lease.drop()  # an intent without a policy
    assert newest_time(bench.log.path) == NOON + timedelta(minutes=2)


def test_entries_under_a_clock_set_back_do_not_hide_the_newest_time(
    bench: Bench, at: Callable[[float], None]
) -> None:
    at(30)
    asks(bench)
    at(-3000)
    for _ in range(3):  # as a bench writes them, with what it knew
        newest = utc(newest_time(bench.log.path), exact=True)
        with bench.log.act("identify", "consultation", policy="", clock=newest):
            pass
    assert newest_time(bench.log.path) == NOON + timedelta(minutes=30)


def test_a_clock_that_was_set_back_for_a_while_sets_no_count_to_nought(
    bench: Bench, recent: Recent, at: Callable[[float], None]
) -> None:
    asks(bench)
    at(-3000)
    newest = utc(newest_time(bench.log.path), exact=True)
    with bench.log.act("identify", "consultation", policy="", clock=newest):
        pass
    at(5)
    assert counted(bench, recent, 5)[0] == [0]
