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


def test_a_day_too_late(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    request = station.ask()
    signature = station.sign(request.data)
    monkeypatch.setattr("fr_cli.operations.approvals.datetime", Later)
    said = station.refused(request.data, signature)
    assert said == f"The request expired on {request.expires}."


def test_the_approver_signs_a_longer_time(station: Station) -> None:
    """Even with a good signature: this home never made such a request."""
    data = edited(station.ask().data, expires="2999-01-01T00:00:00Z")
    said = station.refused(data, station.sign(data))
    assert said == "The log of this home does not know this request."
