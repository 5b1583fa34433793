"""Turns: each account behind its own requests, the accounts one after the other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fr_cli.service.queues import Queues


def test_the_accounts_take_turns() -> None:
    queues: Queues[str] = Queues(3)
    for uid, one in ((1, "a"), (1, "b"), (1, "c"), (2, "d"), (3, "e"), (2, "f")):
        assert queues.put(uid, one)
    assert not queues.put(1, "too many")
    assert list(queues.drain()) == ["a", "d", "e", "b", "f", "c"]
    assert queues.put(1, "again")


def test_who_may_not_is_passed_over_and_keeps_their_place() -> None:
    queues: Queues[str] = Queues(3)
    queues.put(1, "a")
    queues.put(2, "b")
    assert queues.take(lambda uid: uid == 2) == "b"
    assert queues.take(lambda uid: uid == 2) is None
    assert queues.take() == "a"


@given(st.lists(st.integers(0, 4), max_size=60))
def test_nobody_waits_for_more_than_one_of_each_other(uids: list[int]) -> None:
    queues: Queues[int] = Queues(100)
    for uid in uids:
        queues.put(uid, uid)
    served = list(queues.drain())
    assert sorted(served) == sorted(uids)
    for uid in set(uids):
        places = [place for place, one in enumerate(served) if one == uid]
        gaps = [b - a - 1 for a, b in zip([-1, *places], places, strict=False)]
        assert max(gaps) <= len(set(uids)) - 1
