"""Attack: an approval is used after its time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from .two_people import Station, edited


class Later(datetime):
    """The clock, in 48 hours and a second."""

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return datetime.now(UTC) + timedelta(hours=48, seconds=1)


def test_a_day_too_late(pair: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    request = pair.ask()
    signature = pair.sign(request.data)
    monkeypatch.setattr("fr_cli.operations.approvals.datetime", Later)
    said = pair.refused(request.data, signature)
    assert said == f"The request expired on {request.expires}."


def test_the_approver_signs_a_longer_time(pair: Station) -> None:
    """Even with a good signature: this home never made such a request."""
    data = edited(pair.ask().data, expires="2999-01-01T00:00:00Z")
    said = pair.refused(data, pair.sign(data))
    assert said == "The log of this home does not know this request."
