"""`fr report`: the numbers are those of what happened."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest

from fr_cli.casework.oversight import Tally
from fr_cli.cli.oversight.tables import LEAST, percent, share
from fr_cli.errors import NoFace, NotAllowed, QualityTooLow
from fr_cli.operations.drift import watch
from fr_cli.operations.owed import owed
from fr_cli.records import Silence
from tests.conftest import Fr
from tests.operations.story import (
    ALICE,
    BOB,
    CAROL,
    asks_for_a_second,
    at,
    entries,
    says,
    search,
)


@pytest.fixture
def told(fr: Fr) -> Fr:
    """Eight searches: one confirmed, two rejected, one in doubt, one open; one, false, later."""
    one = search(fr, "P003", "P001", by=ALICE, place="street")
    says(fr, ALICE, one, P003="confirmed", P001="rejected")
    for who in (ALICE, BOB):
        says(fr, who, search(fr, "P002", by=who, reason="test"), P002="rejected")
    says(fr, BOB, search(fr, "P004", by=BOB), P004="unresolved")
    search(fr, "P005", by=BOB, flags=["child"])
    later = search(fr, "P001", by=ALICE)
    says(fr, ALICE, later, P001="confirmed")
    fr.json("outcome", later, "false-candidate", "--reason", "another name was proven")
    fr.json("outcome", later, "complaint", "--reason", "letter of complaint")
    fr.json("outcome", one, "arrest", "--reason", "custody record")
    search(fr, by=ALICE)
    search(fr, by=BOB, outcome="inconclusive")
    search(fr, by=BOB, error=NoFace(""))
    search(fr, by=BOB, error=NoFace(""))
    search(fr, by=ALICE, error=QualityTooLow(""))
    return fr


def rows(found: dict[str, Any], by: str) -> dict[str, dict[str, Any]]:
    (table,) = [one["rows"] for one in found["by"] if one["by"] == by]
    return {row["value"]: row for row in table}


def test_the_numbers_are_those_of_the_story(told: Fr) -> None:
    found = told.json("report")
    whole = found["searches"]
    assert {name: whole[name] for name in vars(Tally())} == {
        "asked": 11, "answered": 8, "refused": 3, "broken_off": 0, "no_candidate": 1,
        "inconclusive": 1, "lists": 6, "confirmed": 2, "rejected": 2, "unresolved": 1,
        "undecided": 1, "false": 3,
    }  # fmt: skip
    assert (whole["false_of_searches"]["cases"], whole["false_of_searches"]["of"]) == (3, 11)
    assert (whole["false_of_lists"]["cases"], whole["false_of_lists"]["of"]) == (3, 6)
    assert found["candidates"] == {
        "shown": 7, "confirmed": 2, "rejected": 3, "unresolved": 1, "undecided": 1,
    }  # fmt: skip
    assert found["refusals"] == [
        {"exit": 21, "error": "NoFace", "count": 2},
        {"exit": 23, "error": "QualityTooLow", "count": 1},
    ]
    operators = rows(found, "operator")
    assert {who: (row["asked"], row["lists"], row["false"]) for who, row in operators.items()} == {
        "alice": (5, 3, 2),
        "bob": (6, 3, 1),
    }
    assert {name: row["asked"] for name, row in rows(found, "reason").items()} == {
        "unknown-person": 9,
        "test": 2,
    }
    assert rows(found, "place")["street"]["confirmed"] == 1
    outcomes = {name: row["asked"] for name, row in rows(found, "outcome").items()}
    assert outcomes == {"arrest": 1, "false-candidate": 1, "complaint": 1, "not recorded": 9}
    assert rows(found, "flag")["child"]["undecided"] == 1
    assert found["sums"]["references_enrolled"] == 5
    assert {one["command"]: one["done"] for one in found["acts"]}["decide"] == 5
    assert found["live"]["exists"] is False
    assert found["live"]["rows"] == []
    assert len(found["live"]["columns"]) > 10
    intent, outcome = entries(told, "report")[-2:]
    assert (intent["act"], intent["asked"]["what"]) == ("consultation", "oversight")
    assert outcome["dec"] == {"searches": 11, "lists": 6, "overdue": 0}


def test_each_way_of_counting_apart_adds_up(told: Fr) -> None:
    found = told.json("report")
    for name in ("reason", "operator", "place", "watchlist", "flag", "perceived group"):
        table = rows(found, name)
        for count in ("asked", "lists", "confirmed", "false", "refused"):
            assert sum(row[count] for row in table.values()) == found["searches"][count], name


def test_groups_are_counted_where_they_were_recorded_and_else_it_is_said(told: Fr) -> None:
    assert "No search says what group" in told("report").stdout
    assert told.json("report")["groups_recorded"] is False
    says(told, BOB, search(told, "P003", perceived="B4"), P003="rejected")
    found = told.json("report")
    group = rows(found, "perceived group")["B4"]
    assert (group["asked"], group["false"]) == (1, 1)
    assert (group["false_of_searches"]["of"], group["false_of_lists"]["of"]) == (1, 1)
    text = told("report").stdout
    assert "By perceived group" in text
    assert "No search says what group" not in text


def test_a_period_counts_what_began_in_it_with_what_was_decided_after(fr: Fr) -> None:
    before = search(fr, "P003")
    begin = fr.log()[-1]["t"]
    within = search(fr, "P001")
    end = fr.log()[-1]["t"]
    says(fr, ALICE, before, P003="rejected")
    says(fr, ALICE, within, P001="confirmed")
    search(fr, "P002")
    found = fr.json("report", "--since", begin, "--until", end)
    assert (found["searches"]["asked"], found["searches"]["confirmed"]) == (1, 1)
    assert found["searches"]["rejected"] == 0
    assert found["acts"] == [{"command": "identify", "done": 1}]


def test_disagreements_show_as_third_decisions(fr: Fr) -> None:
    asks_for_a_second(fr)
    shown = search(fr, "P003")
    says(fr, ALICE, shown, P003="confirmed")
    says(fr, BOB, shown, P003="rejected")
    found = fr.json("report")
    assert found["searches"]["undecided"] == 1  # not final
    says(fr, CAROL, shown, P003="confirmed")
    found = fr.json("report")
    assert (found["decisions"]["second"], found["decisions"]["third"]) == (1, 1)
    assert found["searches"]["confirmed"] == 1


def test_an_override_stays_flagged_until_it_is_approved(fr: Fr) -> None:
    acts = []
    with at(fr, ALICE) as bench:
        for _ in range(2):
            with bench.audit.act("purge", "erasure", override="court order") as act:
                act.batch(overridden="purge")
            acts.append(act.id)
        with bench.audit.act("purge", "erasure", override="x"):  # it was not needed
            pass
        assert [one["approved"] for one in fr.json("report")["overrides"]] == [False, False]
        assert fr("report").stdout.count("NOT approved") == 2
        # Each intent repeats what stands open; one of them is approved.
        log = fr.home / "audit" / "audit.jsonl"
        with bench.audit.act("approve", "administration", **owed(log).repeated()) as act:
            act.decide(approves=acts[0])
    found = fr.json("report")["overrides"]
    assert [(one["act"], one["operator"], one["approved"]) for one in found] == [
        (acts[0], "alice", True),
        (acts[1], "alice", False),
    ]


def test_refused_acts_and_purges_are_counted(fr: Fr) -> None:
    shown = search(fr, "P003")
    says(fr, ALICE, shown, P003="rejected")
    with pytest.raises(NotAllowed):
        says(fr, ALICE, shown, P003="rejected")
    fr.json("purge", "--subject", "P005", "--yes")
    found = fr.json("report")
    refused = {"command": "decide", "exit": 4, "error": "NotAllowed", "count": 1}
    assert refused in found["refused_acts"]
    assert (found["sums"]["subjects_purged"], found["sums"]["references_purged"]) == (1, 1)


def test_a_changed_log_is_not_reported_on(told: Fr) -> None:
    log = told.home / "audit" / "audit.jsonl"
    text = log.read_text()
    log.write_text(text.replace('"decision":"rejected"', '"decision":"confirmed"', 1))
    assert told.json("report", code=31)["error"] == "AuditBroken"


def test_the_table_for_a_spreadsheet_has_every_number(told: Fr, tmp_path: Path) -> None:
    with (
        at(told, ALICE) as bench,
        bench.audit.act("identify", "consultation", why={"case": "1", "reason": "=cmd()"}),
    ):
        pass
    path = tmp_path / "report.csv"
    told.json("report", "--csv", path)
    with path.open(newline="") as file:
        table = list(csv.DictReader(file))
    assert path.stat().st_mode & 0o077 == 0
    (false,) = [
        row for row in table
        if (row["table"], row["value"], row["measure"]) == ("operator", "alice", "false of lists")
    ]  # fmt: skip
    assert (false["count"], false["of"], false["share"]) == ("2", "3", "")  # too few for a share
    assert float(false["low"]) < 2 / 3 < float(false["high"])
    assert {row["value"] for row in table if row["table"] == "reason"} >= {"'=cmd()"}
    assert told("report", "--csv", path).code == 0  # replaced
    other = tmp_path / "letter.csv"
    other.write_text("dear sir")
    told.json("report", "--csv", other, code=3)
    told.json("report", "--csv", told.home / "a.csv", code=3)
    assert other.read_text() == "dear sir"


def test_the_page_needs_nothing_from_outside_and_cannot_be_broken(told: Fr, tmp_path: Path) -> None:
    search(told, by=ALICE, place="<script>alert(1)</script>")
    path = tmp_path / "report.html"
    assert told("report", "--html", path).code == 0
    text = path.read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert not re.search(r"https?:|<script|<link|<iframe| on[a-z]+=|url\(|@import|style=", text)
    assert "&lt;script&gt;" in text
    assert len(re.findall(r'<img src="data:image/svg\+xml;base64,[^"]+" alt="[^"]+"', text)) == 3
    assert "P00" not in re.sub(r"(base64,|sha256-)[^\"']+", "", text)
    for words in ("There is no live mode yet", "false alerts of alerts", "3 of 12", "3 of 6"):
        assert words in text, words
    assert path.stat().st_mode & 0o077 == 0


def test_an_empty_log_has_a_report_too(fresh: Fr, tmp_path: Path) -> None:
    found = fresh.json("report", "--html", tmp_path / "a.html", "--csv", tmp_path / "a.csv")
    assert found["searches"]["asked"] == 0
    assert found["searches"]["false_of_lists"]["value"] is None
    assert "0 of 0" in (tmp_path / "a.html").read_text()


@pytest.mark.parametrize(
    "words", [("--drift", "--csv", "a.csv"), ("--to", "me"), ("--subject", "P001", "--drift")]
)
def test_options_that_do_not_go_together(fr: Fr, words: tuple[str, ...]) -> None:
    assert fr.json("report", *words, code=2)["error"] == "UsageProblem"
    assert not any(entry["cmd"].startswith("report") for entry in fr.log())


def test_drift_goes_on_working(told: Fr) -> None:
    with at(told, ALICE) as bench:
        assert watch("", "", bench, Silence()).drift.lists.cases == 6


@pytest.mark.parametrize("of", [1, LEAST - 1])
def test_small_numbers_are_shown_as_such(of: int) -> None:
    assert share(1, of) == f"1 of {of}"


def test_a_share_comes_with_its_count_and_interval() -> None:
    assert share(1, LEAST) == "1 of 20 (5.0%; 0.1% to 24.9%)"
    assert share(0, 1000) == "0 of 1,000 (0%; 0% to 0.4%)"


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0%"), (1.0, "100%"), (0.5, "50.0%"), (0.00004, "0.004%"), (0.9996, "99.96%"),
     (1e-9, "under 0.0001%"), (1 - 1e-9, "over 99.9999%")],
)  # fmt: skip
def test_a_percentage_that_is_not_none_never_reads_none(value: float, said: str) -> None:
    assert percent(value) == said
