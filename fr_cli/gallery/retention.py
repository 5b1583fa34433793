"""How long a reference is kept: the policy's rules, applied to what is known of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

#: The rule of a reference that names no group.
DEFAULT = "default"
HOLD = "hold"
_NO = ("0", "false", "no")


@dataclass(frozen=True)
class Facts:
    """What the rules look at; dates as the feed wrote them, `enrolled_at` as the gallery did."""

    enrolled_at: str
    retention: str = ""
    review_date: str = ""
    captured_at: str = ""
    hold: bool = False

    @classmethod
    def of(cls, enrolled_at: str, said: Mapping[str, str]) -> Facts:
        """Of a reference, by what is kept of what the feed said of it."""
        dates = {name: said[name] for name in ("retention", "review_date", "captured_at")}
        return cls(enrolled_at, hold=is_hold(said.get("hold", "")), **dates)


@dataclass(frozen=True)
class Verdict:
    """Whether a reference expires, and by which rule; `doubt` if the rule could not be told.

    A reference in doubt is kept: what is deleted cannot be had back, and the doubt is reported.
    """

    expires: bool
    rule: str
    doubt: bool = False


def judge(facts: Facts, rules: Mapping[str, int | None], today: date) -> Verdict:
    """Keep or expire a reference; `rules` gives each group's greatest age in days, None for any.

    A hold goes before everything. Otherwise a reference expires on the day after its review date
    or after its group's last day, whichever comes first. Age counts from the day the photo was
    taken; from enrolment, where that day is not known or lies after it.
    """
    if facts.hold:
        return Verdict(False, HOLD)
    review = _day(facts.review_date)
    if review is not None and review < today:
        return Verdict(True, "review date has passed")
    if facts.review_date and review is None:
        return Verdict(False, "review date cannot be read", doubt=True)
    return _by_age(facts, rules, today)


def _by_age(facts: Facts, rules: Mapping[str, int | None], today: date) -> Verdict:
    group = facts.retention or DEFAULT
    if group not in rules:
        return Verdict(False, f"group {group} is not in the policy", doubt=True)
    days = rules[group]
    if days is None:
        return Verdict(False, f"group {group}: no limit")
    enrolled = _day(facts.enrolled_at)
    if enrolled is None:
        return Verdict(False, "day of enrolment cannot be read", doubt=True)
    taken = _day(facts.captured_at)
    start = enrolled if taken is None else min(taken, enrolled)
    if (today - start).days > days:
        return Verdict(True, f"group {group}: older than {days} days")
    return Verdict(False, f"group {group}: up to {days} days")


def is_hold(said: str) -> bool:
    """Whether the feed puts a reference on hold; anything but a clear no is one."""
    return said.strip().lower() not in ("", *_NO)


def lifts_hold(said: str) -> bool:
    """Whether the feed says in so many words that there is no hold."""
    return said.strip().lower() in _NO


def _day(text: str) -> date | None:
    """The day of an ISO 8601 date or time; None if it is neither."""
    try:
        return datetime.fromisoformat(text.strip()).date()
    except ValueError:
        return None
