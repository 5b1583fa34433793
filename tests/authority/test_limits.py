"""How much one operator may ask, and when the clock is not believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fr_cli.authority.limits import believe, within
from fr_cli.authority.policy import Limits
from fr_cli.errors import ConfigurationError, LimitReached

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def ago(*minutes: int) -> list[datetime]:
    return [NOON - timedelta(minutes=one) for one in minutes]


def test_without_limits_nobody_is_stopped() -> None:
    within(Limits(), ago(*range(59, 0, -1)), ago(*range(59, 0, -1)))


def test_the_last_search_of_an_hour_is_taken_and_the_next_one_is_not() -> None:
    limits = Limits(searches_per_hour=3)
    within(limits, ago(50, 10), [])
    with pytest.raises(LimitReached, match=r"3 times an hour; .* at 12:10:00 UTC"):
        within(limits, ago(50, 20, 10), [])
    with pytest.raises(LimitReached, match="at 12:40:00 UTC"):  # when three are left, not two
        within(limits, ago(50, 40, 20, 10, 5), [])


def test_refusals_lock_out_until_enough_of_them_are_an_hour_old() -> None:
    limits = Limits(refusals_per_hour=2)
    within(limits, ago(50, 10), ago(50))
    with pytest.raises(LimitReached, match=r"2 searches of yours were refused .* until 12:10:00"):
        within(limits, [], ago(50, 1))
    with pytest.raises(LimitReached, match="until 12:59:00"):
        within(limits, [], ago(50, 1, 1))


def test_a_limit_is_a_refusal_by_the_policy() -> None:
    with pytest.raises(LimitReached) as found:
        within(Limits(searches_per_hour=1), ago(1), [])
    assert found.value.code == 4
    assert found.value.hint


def test_a_clock_that_was_set_back_is_not_believed() -> None:
    believe(NOON, NOON - timedelta(days=400))
    believe(NOON, NOON + timedelta(minutes=5))  # as a time server sets it right
    with pytest.raises(ConfigurationError, match="it says 2026-03-02T12:00:00Z, and the log"):
        believe(NOON, NOON + timedelta(minutes=5, seconds=1))
