"""Which acts have been kept for long enough: by command, from their end on, and what keeps them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fr_cli.audit import expiry
from fr_cli.audit.erasing import MAX_ERASED
from fr_cli.audit.expiry import expired
from fr_cli.audit.show import ActRecord

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
count = 0


def act(
    req: str, *phases: str, days: float = 100, cmd: str = "identify", kind: str = "consultation",
    **more: Any,
) -> ActRecord:  # fmt: skip
    """An act of these phases that ended so many days ago."""
    global count
    time = (NOW - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    entries = []
    for phase in phases or ("intent", "outcome"):
        count += 1
        entries.append(
            {"seq": count, "cmd": cmd, "act": kind, "ph": phase, "req": req, "t": time, **more}
        )
    return ActRecord(req, entries)


def over(*acts: ActRecord, **rules: int | None) -> tuple[list[str], dict[str, int]]:
    found = expired(acts, rules, NOW)
    assert found.entries == sum(len(one.seqs) for one in acts if one.req in found.over)
    return [*found.over], dict(found.kept)


def test_days_count_from_the_end_and_by_command() -> None:
    old, young = act("a", days=31), act("b", days=29.9)
    assert over(old, young, default=30) == (["a"], {"default: 30 days are not over": 1})
    assert over(old, young, default=None, identify=30)[0] == ["a"]
    assert over(old, young, default=30, identify=None) == ([], {"identify: no limit": 2})
    assert over(old, young, enroll=1) == ([], {"default: no limit": 2})
    spaced = act("c", days=31, cmd="audit show")
    assert over(spaced, **{"audit show": 30})[0] == ["c"]


def test_the_last_moment_still_counts() -> None:
    assert over(act("a", days=30), default=30)[0] == ["a"]
    assert over(act("a", days=30 - 1e-6), default=30)[0] == []


@pytest.mark.parametrize(
    ("one", "rule"),
    [
        (act("a", "genesis"), expiry.HISTORY),
        (act("a", "rotation"), expiry.HISTORY),
        (act("a", "recovery"), expiry.HISTORY),
        (act("a", "intent"), expiry.OPEN),
        (act("a", "intent", "batch"), expiry.OPEN),
        (act("a", cmd="purge", kind="erasure"), expiry.DELETION),
        (act("a", cmd="audit-erase", kind="erasure"), expiry.DELETION),
        (act("a", "intent", *["batch"] * MAX_ERASED, "outcome"), expiry.TOO_LONG),
    ],
)
def test_what_is_kept_whatever_its_age(one: ActRecord, rule: str) -> None:
    assert over(one, default=1) == ([], {rule: 1})


def test_an_abandoned_act_goes_too() -> None:
    assert over(act("a", "intent", "abandoned"), default=30)[0] == ["a"]


def test_what_a_kept_act_names_is_kept_and_what_that_names_in_turn() -> None:
    search = act("a")
    decision = act("b", dec={"search": "a"})
    appeal = act("c", days=1, dec={"of": ["b"]})
    stranger = act("d", dec={"search": "x"})
    assert over(search, decision, stranger, default=30)[0] == ["a", "b", "d"]
    found, kept = over(search, decision, stranger, appeal, default=30)
    assert found == ["d"]
    assert kept[expiry.NAMED] == 2


def test_an_act_that_names_itself_is_not_kept_by_that() -> None:
    assert over(act("a", dec={"id": "a"}), default=30)[0] == ["a"]


def test_the_act_that_asks_is_left_out() -> None:
    assert expired([act("a", "intent")], {}, NOW, leave="a").kept == {}


def test_batches_hold_whole_acts_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "MAX_ERASED", 5)
    acts = [act(str(n), *(["intent"] + ["batch"] * (n % 3) + ["outcome"])) for n in range(9)]
    found = expired(acts, {"default": 1}, NOW)
    batches = [*found.batches()]
    assert all(0 < len(batch) <= 5 for batch in batches)
    assert [seq for batch in batches for seq in batch] == [s for one in acts for s in one.seqs]
    for one in acts:
        assert sum(set(one.seqs) <= set(batch) for batch in batches) == 1
    assert [*expired([], {}, NOW).batches()] == []
