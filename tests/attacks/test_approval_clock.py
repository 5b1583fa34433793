"""Attack: the clock is set back, so that an expired approval seems to count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from .two_people import Station


def shifted(by: timedelta) -> type[datetime]:
    """A clock that is so much ahead."""

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + by

    return Shifted


def test_the_log_knows_a_later_time(pair: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    request = pair.ask()
    signature = pair.sign(request.data)
    with monkeypatch.context() as then:
        then.setattr("fr_cli.audit.entry.datetime", shifted(timedelta(hours=49)))
        with pair.bench() as bench, bench.act("models pin", "administration"):
            pass
    said = pair.refused(request.data, signature)
    assert said.startswith(f"The request expired on {request.expires}: the log goes on after that")


def test_a_request_that_is_yet_to_be_made(pair: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as then:
        then.setattr("fr_cli.operations.approvals.datetime", shifted(timedelta(hours=1)))
        request = pair.ask()
    said = pair.refused(request.data, pair.sign(request.data))
    assert said.startswith(f"The request was made at {request.made}, which is yet to come")
