"""What expires and what is kept, by rule; nothing that is in doubt goes."""

from __future__ import annotations

from datetime import date

import pytest

from fr_cli.gallery.retention import Facts, judge

TODAY = date(2026, 6, 1)
RULES = {"default": None, "charged": 3650, "custody": 90}


def facts(
    retention: str = "custody",
    enrolled: str = "2026-05-01T03:00:00Z",
    review_date: str = "",
    captured_at: str = "",
) -> Facts:
    return Facts(enrolled, retention, review_date, captured_at)


@pytest.mark.parametrize(
    ("one", "expires", "rule"),
    [
        (facts(), False, "group custody: up to 90 days"),
        (facts(enrolled="2026-03-03T00:00:00Z"), False, "group custody: up to 90 days"),
        (facts(enrolled="2026-03-02T23:59:59Z"), True, "group custody: older than 90 days"),
        (facts(captured_at="2025-01-01"), True, "group custody: older than 90 days"),
        (facts(captured_at="2025-01-01T10:00:00+02:00"), True, "group custody: older than 90 days"),
        (facts("charged", captured_at="2025-01-01"), False, "group charged: up to 3650 days"),
        (facts("", enrolled="1990-01-01T00:00:00Z"), False, "group default: no limit"),
        # The day the photo was taken cannot lie after its enrolment, and may be free text.
        (facts(enrolled="2025-01-01", captured_at="2926-05-01"), True, "group custody: older than 90 days"),  # noqa: E501
        (facts(enrolled="2025-01-01", captured_at="spring"), True, "group custody: older than 90 days"),  # noqa: E501
        # A review date is a limit of its own; it does not lengthen the group's.
        (facts("", review_date="2026-05-31"), True, "review date has passed"),
        (facts("", review_date="2026-06-01"), False, "group default: no limit"),
        (facts(enrolled="2025-01-01", review_date="2030-01-01"), True, "group custody: older than 90 days"),  # noqa: E501
    ],
)  # fmt: skip
def test_the_first_limit_that_has_passed_expires_a_reference(
    one: Facts, expires: bool, rule: str
) -> None:
    verdict = judge(one, RULES, TODAY)
    assert (verdict.expires, verdict.rule, verdict.doubt) == (expires, rule, False)


@pytest.mark.parametrize(
    ("one", "rule"),
    [
        (facts("chargd", enrolled="1990-01-01"), "group chargd is not in the policy"),
        (facts(review_date="1.6.2020", enrolled="1990-01-01"), "review date cannot be read"),
        (facts(enrolled="?"), "day of enrolment cannot be read"),
    ],
)
def test_what_is_in_doubt_is_kept_and_said(one: Facts, rule: str) -> None:
    verdict = judge(one, RULES, TODAY)
    assert (verdict.expires, verdict.rule, verdict.doubt) == (False, rule, True)


def test_a_reference_without_a_group_is_in_doubt_where_the_policy_has_no_default() -> None:
    assert judge(facts(""), {"custody": 90}, TODAY).doubt


def test_a_hold_goes_before_every_rule() -> None:
    held = Facts("1990-01-01", "custody", "1990-01-01", "1990-01-01", hold=True)
    assert judge(held, RULES, TODAY).rule == "hold"
    assert not judge(held, RULES, TODAY).expires
