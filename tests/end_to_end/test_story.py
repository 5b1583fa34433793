"""One story from an empty machine to the report: whoever answers for it counts what happened.

Real accounts ask one service: two officers, a reviewer, a gallery manager, an auditor, and the
service account that owns the home. Its first part is told with a clock three days behind, so that
a watchlist, an approval and a decision are really over when the second part begins.

One person behind two accounts (a login, `sudo`) cannot be had in a container, where the kernel
counts no logins: here the same account reviews under another role. The other is in
tests/operations/test_decide.py.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.two_people import edited
from tests.conftest import jpeg, small
from tests.end_to_end.oversight import (
    FEED,
    Story,
    again,
    empty_machine,
    poor,
)
from tests.end_to_end.oversight_report import a_case_for_the_court, report, the_log_holds_it_all
from tests.end_to_end.oversight_truth import Refusal
from tests.service.station import Desk

DAYS = 3


@pytest.fixture
def story(accounts: Desk) -> Iterator[Story]:
    with empty_machine(accounts) as told:
        yield told


def test_from_an_empty_machine_to_the_report(story: Story) -> None:
    late, old = three_days_ago(story)
    story.station.start()
    searches = today(story)
    two_people(story, old)
    reviews(story, searches)
    roles(story)
    dip_sample(story)
    without_the_second(story)
    a_case_for_the_court(story, searches)
    the_log_holds_it_all(story)
    report(story, late)


def three_days_ago(story: Story) -> tuple[str, Path]:
    """The home is made, people are enrolled; a search stays undecided, an approval unused."""
    behind, station = story.days_ago(DAYS), story.station
    station.direct("init", **behind)
    story.done["init"] += 1
    policy = story.draft(
        operators=story.operators(),
        places=["street", "custody"],
        decisions={"due_days": DAYS - 1, "second": True},
        approvals={"acts": ["purge", "lift", "export", "policy"], "valid_hours": 24},
    )
    station.direct("policy", "put", policy, **behind)
    story.done["policy"] += 1
    station.start(**behind)

    draw = ("sample", "draw", "--size", "2", "--out", story.exchange / "none")
    story.refuse("manager", *draw, code=10, error="GalleryMissing", says="no gallery")
    enrolled = story.act("manager", "enroll", story.feed())
    assert enrolled["added"] == len(FEED)
    story.sums["references_enrolled"] = len(FEED)

    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    charter = ("--purpose", "Operation Weasel", "--authorised-by", story.name("reviewer"))
    query = ("--where", "offence=burglary", "--where", "borough=Camden", "--reason", "profile 7")
    made = ("watchlist", "create", "weasel", *charter, *query, "--expires", yesterday)
    story.refuse("manager", *made, "--limit", "2", code=4, error="NotAllowed",
                 says="may hold 2 people; with these it would hold 3")  # fmt: skip
    story.refuse("manager", *made, "--limit", "20000", code=4, error="NotAllowed",
                 says="at most 10,000 people, and 20,000 were asked for")  # fmt: skip
    assert story.act("manager", *made)["watchlist"]["people"] == 3
    late = story.search("officer", jpeg(small("P002")), "P002", watchlist="weasel")

    old = story.sign("reviewer", story.request("manager", "purge", "--subject", "P001"))
    station.stop()
    return late, old


def today(story: Story) -> dict[str, str]:
    """Officers search: somebody enrolled, a look-alike, a stranger, poor photos."""
    over = Refusal(4, "NotAllowed", "The watchlist 'weasel' expired on")
    story.search("officer", jpeg(small("P003")), watchlist="weasel", refusal=over)
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    story.act("manager", "watchlist", "create", "stoat", "--purpose", "Operation Stoat",
              "--authorised-by", story.name("reviewer"), "--where", "offence=burglary",
              "--reason", "profile 8", "--expires", tomorrow)  # fmt: skip
    found = {
        "agreed": story.search("officer", jpeg(small("P003")), "P003", watchlist="stoat"),
        "differed": story.search("second", jpeg(small("P002")), "P002", reason="wanted"),
        "lookalike": story.search("officer", jpeg(small("P010")), "P004", place="custody"),
        "doubt": story.search("officer", jpeg(small("P005")), "P005"),
    }
    story.search("second", jpeg(small("P009")))
    story.search("officer", poor(), refusal=Refusal(23, "QualityTooLow", "below"))
    story.search("officer", b"none", refusal=Refusal(20, "PhotoUnreadable", "photo"))
    return found


def two_people(story: Story, old: Path) -> None:
    """A purge takes the manager and the reviewer; every other way to it is refused."""
    purge = ("purge", "--subject", "P001", "--yes")

    def refused(says: str, *words: object, who: str = "manager") -> None:
        story.refuse(who, *words, code=4, error="NotAllowed", says=says)

    refused("asks for a second person: purge", *purge)
    refused("The request expired on", *purge, "--approved", old)
    request = story.request("manager", "purge", "--subject", "P001")
    own = story.sign("manager", again(request, "own.json"))
    refused("cannot approve it as well", *purge, "--approved", own)
    story.sign("reviewer", request)
    other = edited(request.read_bytes(), expires="2999-01-01T00:00:00Z")
    refused("signature", *purge, "--approved", again(request, "edited.json", other))
    refused("What was approved is not what is about to be done: ids, value",
            "purge", "--subject", "P006", "--yes", "--approved", request)  # fmt: skip
    refused("used before", *purge, "--approved", request)  # that attempt has used it

    request = story.sign("reviewer", story.request("manager", "purge", "--subject", "P001"))
    assert story.act("manager", *purge, "--approved", request)["references"] == 1
    story.sums.update(subjects_purged=1, references_purged=1)
    replayed = again(request, "replayed.json")
    refused("used before", *purge, "--approved", replayed)

    lift = ("purge", "--lift", "P001", "--yes")
    refused("asks for a second person: lift", *lift)
    request = story.sign("reviewer", story.request("manager", *lift))
    story.act("manager", *lift, "--approved", request)


def reviews(story: Story, searches: dict[str, str]) -> None:
    """Two decide blind, a third where they differ; the order of the log proves it."""
    agreed, differed, lookalike, doubt = searches.values()
    reason = ("--reason", "features compared")
    story.decide("officer", agreed, final=False, P003="confirmed")
    pending = story.act("second", "decide", "--pending")["pending"]
    (row,) = [one for one in pending if one["search_id"] == agreed]
    assert row["yours"] is True
    assert "confirmed" not in json.dumps(pending)  # nor whether anybody has decided
    assert [one["overdue"] for one in pending].count(True) == 1
    story.refuse("officer", "decide", agreed, "--confirm", "P003", *reason, code=4,
                 error="NotAllowed", says="nobody decides twice")  # fmt: skip
    change(story, story.operators(officer=["officer", "reviewer"]))
    story.refuse("officer", "decide", agreed, "--confirm", "P003", *reason, code=4,
                 error="NotAllowed", says="nobody decides twice")  # fmt: skip
    story.decide("second", agreed, final=True, P003="confirmed")
    story.refuse("reviewer", "decide", agreed, "--reject-all", *reason, code=4,
                 error="NotAllowed", says="is decided, and that is final")  # fmt: skip

    story.decide("second", differed, final=False, P002="confirmed")
    story.decide("officer", differed, final=False, P002="rejected")
    story.decide("reviewer", differed, final=True, P002="confirmed")
    for who in ("officer", "second"):
        story.decide(who, lookalike, final=who == "second", P004="rejected")
        story.decide(who, doubt, final=who == "second", P005="unresolved")

    story.refuse("officer", "decide", "f" * 32, "--reject-all", *reason, code=2,
                 error="SearchUnknown", says="The log holds no search")  # fmt: skip
    story.outcome("officer", agreed, "arrest")
    story.outcome("second", differed, "false-candidate")
    story.outcome("officer", lookalike, "released")
    stages = [one["dec"]["stage"] for one in story.station.log()
              if one["cmd"] == "decide" and "stage" in one.get("dec", {})]  # fmt: skip
    assert Counter(stages) == {"first": 4, "second": 4, "third": 1}


def change(story: Story, operators: dict[str, Any]) -> None:
    """Another policy comes in force by two people; a request made under the one before is void."""
    before = story.sign("reviewer", story.request("manager", "purge", "--subject", "P005"))
    put = ("policy", "put", story.draft(operators=operators))
    story.refuse("service", *put, code=4, error="NotAllowed", says="a second person: policy")
    story.act("service", *put, "--approved", story.sign("reviewer", story.request("service", *put)))
    story.refuse("manager", "purge", "--subject", "P005", "--yes", "--approved", before, code=4,
                 error="NotAllowed", says="The policy was changed since")  # fmt: skip


def roles(story: Story) -> None:
    """Nobody does what is another's."""
    anothers = Refusal(4, "NotAllowed", "may not do this")
    for who, *words in (
        ("second", "purge", "--subject", "P002", "--yes"),
        ("second", "enroll", story.feed()),
        ("second", "audit", "show"),
        ("second", "report"),
        ("manager", "audit", "show"),
        ("manager", "decide", "--pending"),
        ("auditor", "gallery", "stats"),
        ("auditor", "watchlist", "show", "stoat"),
        ("reviewer", "enroll", story.feed()),
    ):
        story.refuse(who, *words, **anothers._asdict())
    for who in ("manager", "auditor", "reviewer"):
        story.search(who, jpeg(small("P003")), refusal=anothers)


def dip_sample(story: Story) -> None:
    """The manager draws a sample, looks, and records that one of three is wrong."""
    folder = story.exchange / "review"
    drawn = story.act("manager", "sample", "draw", "--size", "3", "--seed", "panel",
                      "--by", "none", "--out", folder)  # fmt: skip
    assert (drawn["drawn"], drawn["references"]) == (3, 5)
    table = folder / "findings.csv"
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, finding in zip(rows, ("correct", "wrong-provenance", "correct"), strict=True):
        row["finding"] = finding
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    story.act("manager", "sample", "record", table)
    story.refuse("manager", "sample", "record", table, code=2, error="UsageProblem",
                 says="recorded already")  # fmt: skip
    story.act("manager", "sample", "result", drawn["sample"])
    story.act("manager", "sample", "search", drawn["sample"])


def without_the_second(story: Story) -> None:
    """Two purges by telephone: one is approved after the fact, the other stays flagged."""
    for person in ("P005", "P006"):
        story.act("manager", "purge", "--subject", person, "--yes", "--override", "court order")
        story.sums.update(subjects_purged=1, references_purged=1)
    waiting = story.station.json("reviewer", "status")["overrides"]
    assert [(one["kind"], one["user"]) for one in waiting] == [("purge", story.name("manager"))] * 2
    late = ("approve", "--override", waiting[0]["act"])
    alone = story.station.json("reviewer", *late, "--key", story.key("reviewer"), "--yes", code=2)
    assert alone["message"] == "The station has no key of yours to sign with."
    own = story.sign("manager", story.request("manager", *late))
    story.refuse("manager", *late, "--approved", own, code=4, error="NotAllowed",
                 says="cannot approve it as well")  # fmt: skip
    request = story.sign("reviewer", story.request("reviewer", *late))
    assert story.act("reviewer", *late, "--approved", request)["approver"] == story.name("reviewer")
