"""Whose turn it is: a bounded queue for each account, and the accounts one after the other."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Queues(Generic[T]):
    """Who asks much waits behind themselves, not before others."""

    def __init__(self, longest: int) -> None:
        """`longest` is how many may wait for one account."""
        self._longest = longest
        self._waiting: OrderedDict[int, deque[T]] = OrderedDict()

    def put(self, uid: int, one: T) -> bool:
        """Let it wait; False if that account's queue is full."""
        mine = self._waiting.setdefault(uid, deque())
        if len(mine) >= self._longest:
            return False
        mine.append(one)
        return True

    def take(self, may: Callable[[int], bool] = lambda uid: True) -> T | None:
        """The next one, of the account (among those that may) whose turn is longest ago."""
        uid = next(filter(may, self._waiting), None)
        if uid is None:
            return None
        mine = self._waiting.pop(uid)
        one = mine.popleft()
        if mine:
            self._waiting[uid] = mine  # behind all others
        return one

    def drain(self) -> Iterator[T]:
        """All that wait, of whomever; none of them waits any more."""
        while (one := self.take()) is not None:
            yield one
