"""What the bundle, the log and the report say of the story, held against what happened in it."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

from tests.end_to_end.oversight import CASE, FEED, Story
from tests.end_to_end.oversight_truth import COUNTS, total


def a_case_for_the_court(story: Story, searches: dict[str, str]) -> None:
    """The auditor hands out the case, which takes two; decisions and outcomes are in it."""
    out = story.exchange / "bundle"
    export = ("audit", "export", "--case", CASE, "--to", "the court", "--out", out)
    story.refuse("auditor", *export, code=4, error="NotAllowed", says="second person: export")
    request = story.request("auditor", *export)
    assert not out.exists()
    story.act("auditor", *export, "--approved", story.sign("reviewer", request))
    assert out.owner() == story.name("auditor")
    handed = "".join(one.read_text() for one in out.rglob("*") if one.suffix in {".jsonl", ".json"})
    assert all(one in handed for one in searches.values())
    assert all(f'"{word}"' in handed for word in ("confirmed", "rejected", "arrest"))


def the_log_holds_it_all(story: Story) -> None:
    """The auditor sees every refusal of the story, and no more; the log is whole."""
    acts = story.act("auditor", "audit", "show", "--limit", "0")["acts"]
    ends = [(one["command"], one["entries"][-1]) for one in acts if one["state"] == "failed"]
    assert Counter((name, end["exit"], end["error"]) for name, end in ends) == story.refused
    story.station.json("auditor", "audit", "verify", "--full")
    text = (story.station.home / "audit" / "audit.jsonl").read_text()
    assert not [person for person in FEED if person in text]


def report(story: Story, late: str) -> None:
    """The numbers of the report are those of the story."""
    table, page = story.exchange / "report.csv", story.exchange / "report.html"
    expected_done, searches = dict(story.done), list(story.searches.values())
    found = story.act("auditor", "report", "--csv", table, "--html", page)
    assert {name: found["searches"][name] for name in COUNTS} == total(searches)
    for by in ("operator", "reason", "place", "watchlist"):
        (rows,) = [one["rows"] for one in found["by"] if one["by"] == by]
        said = {row["value"]: {name: row[name] for name in COUNTS} for row in rows}
        values = {getattr(one, by) for one in searches}
        assert said == {
            value: total([one for one in searches if getattr(one, by) == value])
            for value in values
        }  # fmt: skip
    (rows,) = [one["rows"] for one in found["by"] if one["by"] == "outcome"]
    words = Counter(word for one in searches for word in one.outcomes or ["not recorded"])
    assert {row["value"]: row["asked"] for row in rows} == words
    shown = Counter(verdict for one in searches for verdict in one.shown.values())
    verdicts = ("confirmed", "rejected", "unresolved", "undecided")
    assert found["candidates"] == {"shown": shown.total()} | {one: shown[one] for one in verdicts}

    assert {one["command"]: one["done"] for one in found["acts"]} == expected_done
    refused = {(one["command"], one["exit"], one["error"]): one["count"]
               for one in found["refused_acts"]}  # fmt: skip
    assert refused == story.refused
    not_searched = Counter[tuple[int, str]]()
    for (command, code, error), number in story.refused.items():
        not_searched[code, error] += number * (command == "identify")
    assert {(one["exit"], one["error"]): one["count"] for one in found["refusals"]} == {
        name: number for name, number in not_searched.items() if number
    }
    assert [(one["search_id"], one["operator"]) for one in found["decisions"]["overdue"]] == [
        (late, story.name("officer"))
    ]
    decisions = found["decisions"]
    assert [decisions[name] for name in ("second", "third", "late", "corrections")] == [4, 1, 0, 0]
    assert [(one["command"], one["operator"], one["approved"]) for one in found["overrides"]] == [
        ("purge", story.name("manager"), True),
        ("purge", story.name("manager"), False),
    ]
    assert {name: number for name, number in found["sums"].items() if number} == story.sums
    as_files(story, found, table, page)


def as_files(story: Story, found: dict[str, Any], table: Path, page: Path) -> None:
    """The same numbers in the table and on the page; no candidate is named in either."""
    assert {table.owner(), page.owner()} == {story.name("auditor")}
    with table.open(newline="") as file:
        rows = {(one["table"], one["value"], one["measure"]): one for one in csv.DictReader(file)}
    of_all = found["searches"]
    assert rows["searches", "all", "asked"]["count"] == str(of_all["asked"])
    for name in ("refused", "no_candidate", "lists"):
        row = rows["searches", "all", f"{name} of asked"]
        assert (row["count"], row["of"]) == (str(of_all[name]), str(of_all["asked"]))
    assert rows["decisions", "all", "overdue"]["count"] == "1"
    assert rows["overrides", "all", "overrides"]["count"] == "2"
    assert rows["sums", "all", "subjects purged"]["count"] == "3"
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert f"{of_all['no_candidate']} of {of_all['asked']}" in text
    assert not [person for person in FEED if person in text + table.read_text()]
