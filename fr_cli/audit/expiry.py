"""Which acts of the log have been kept for long enough, and what keeps the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fr_cli.audit.entry import CLOSING
from fr_cli.audit.erasing import MAX_ERASED
from fr_cli.audit.show import ActRecord

#: The rule for a command that has none of its own.
DEFAULT = "default"

# What keeps an act, whatever its age.
HISTORY = "it says how the log came about"
DELETION = "it records a deletion"
OPEN = "it is not over"
NAMED = "a later act that is kept names it"
TOO_LONG = f"it has more than {MAX_ERASED:,} entries"


@dataclass(frozen=True)
class Over:
    """An act whose time is over: its command, its entries, and the earlier ones that it names."""

    command: str
    seqs: Sequence[int]
    names: frozenset[str]


@dataclass
class Expiry:
    """Acts that may be erased, by their ids in the order of the log, and how many are kept why."""

    over: dict[str, Over] = field(default_factory=dict)
    kept: Counter[str] = field(default_factory=Counter)

    @property
    def entries(self) -> int:
        """How many entries may be erased."""
        return sum(len(act.seqs) for act in self.over.values())

    @property
    def commands(self) -> Counter[str]:
        """The acts that may be erased, by command."""
        return Counter(act.command for act in self.over.values())

    def batches(self) -> Iterator[list[int]]:
        """The entries, in portions that one erasure may take; an act is in one portion."""
        batch: list[int] = []
        for act in self.over.values():
            if len(batch) + len(act.seqs) > MAX_ERASED:
                yield batch
                batch = []
            batch = [*batch, *act.seqs]
        if batch:
            yield batch


def expired(
    acts: Iterable[ActRecord],
    rules: Mapping[str, int | None],
    now: datetime,
    leave: str = "",
    needed: Collection[str] = (),
) -> Expiry:
    """Hold each act but `leave` against the days that its command is kept, from its end on.

    `rules` has days by command, None for no limit; `DEFAULT` is for those that it lacks. `needed`
    are acts that must stay all the same: something that is kept rests on them. Memory grows with
    what has expired, not with the log.
    """
    found = Expiry()
    named = set(needed)
    for act in acts:
        if act.req == leave:
            continue
        names = frozenset(text for text in act.strings() if text in found.over)
        if kept := _rule(act, rules, now):
            found.kept[kept] += 1
            named |= names
        else:
            found.over[act.req] = Over(act.command, act.seqs, names - {act.req})
    # Backwards, for what is kept keeps what it names in turn.
    for req in [*reversed(found.over)]:
        if req in named:
            named |= found.over.pop(req).names
            found.kept[NAMED] += 1
    return found


def _rule(act: ActRecord, rules: Mapping[str, int | None], now: datetime) -> str:
    """What keeps the act; nothing if its time is over."""
    if not any(entry["ph"] == "intent" for entry in act.entries):
        return HISTORY
    if act.kind == "erasure":
        return DELETION
    if act.last["ph"] not in CLOSING:
        return OPEN
    group = act.command if act.command in rules else DEFAULT
    days = rules.get(group)
    if days is None:
        return f"{group}: no limit"
    if datetime.fromisoformat(act.last["t"]) > now - timedelta(days=days):
        return f"{group}: {days:,} days are not over"
    return TOO_LONG if len(act.entries) > MAX_ERASED else ""
