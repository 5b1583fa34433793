"""How much one operator may ask within an hour, and when the clock can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from fr_cli.errors import ConfigurationError, LimitReached
from fr_cli.records import counted, utc

if TYPE_CHECKING:
    from fr_cli.authority.policy import Limits

HOUR = timedelta(hours=1)
#: How far the clock may fall behind the log: as far as one is set right by a time server.
SLACK = timedelta(minutes=5)


def within(limits: Limits, searches: Sequence[datetime], refusals: Sequence[datetime]) -> None:
    """LimitReached (4) if this operator may not search now.

    `searches` and `refusals` are the times of those in the last hour, the oldest first. What this
    refuses is no refusal of its own, so a lock-out ends though somebody goes on trying.
    """
    most = limits.refusals_per_hour
    if most and len(refusals) >= most:
        raise LimitReached(
            f"{counted(len(refusals), 'search', 'searches')} of yours were refused within an hour, "
            f"so no other is taken until {_clock(refusals[-most] + HOUR)}.",
            hint="An auditor can see why each was refused, with: fr audit show",
        )
    most = limits.searches_per_hour
    if most and len(searches) >= most:
        raise LimitReached(
            f"The policy lets one operator search {counted(most, 'time')} an hour; the next search "
            f"is taken at {_clock(searches[-most] + HOUR)}.",
            hint="If that is too few for the work, an administrator can change limits in the "
            "policy.",
        )


def believe(now: datetime, newest: datetime) -> None:
    """ConfigurationError (3) if the clock was set back: it is behind the log's newest entry."""
    if newest - now > SLACK:
        raise ConfigurationError(
            f"The clock was set back: it says {utc(now)}, and the log goes to {utc(newest)}.",
            hint="Set the clock right. If the log was written under a wrong clock, an "
            "administrator says so with: fr policy clock --reason WORDS",
        )


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S} UTC"
