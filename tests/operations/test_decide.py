"""`fr decide`: what it records, whom it refuses, and that nobody sees the other's answer."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fr_cli.audit.canonical import JSON
from fr_cli.casework import decisions as rules
from fr_cli.casework.searches import Search
from fr_cli.errors import NoFace, NotAllowed
from fr_cli.gallery.store import Store
from fr_cli.operations.decide import Decided, pending
from fr_cli.operations.searches import find
from tests.conftest import Fr
from tests.operations.story import (
    ALICE,
    BOB,
    CAROL,
    account,
    asks_for_a_second,
    at,
    entries,
    says,
    search,
    uids,
)

WHY = ("--reason", "ears agree")


def test_a_decision_stands_in_the_log_as_others_rely_on(fr: Fr) -> None:
    shown = search(fr, "P003", "P001")
    found = fr.json("decide", shown[:6], "--confirm", "P003", "--reject-all", *WHY)
    assert found["decisions"] == [
        {"subject_id": "P003", "decision": "confirmed"},
        {"subject_id": "P001", "decision": "rejected"},
    ]
    assert (found["search_id"], found["final"], found["late"]) == (shown, True, False)
    intent, outcome = entries(fr, "decide")
    assert intent["act"] == "consultation"
    assert intent["search"] == shown
    assert intent["why"] == {"reason": "ears agree"}
    ids = uids(fr)
    assert outcome["dec"] == {
        "stage": "first",
        "final": True,
        "late": False,
        "decisions": [
            {"subject": ids[who][0], "reference": ids[who][1], "decision": verdict}
            for who, verdict in (("P003", "confirmed"), ("P001", "rejected"))
        ],
    }
    log = fr.said()
    assert "P003" not in log
    assert "P001" not in log
    fr.json("audit", "verify", "--full")


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("ffffffffff", "--reject-all"), 2, "SearchUnknown"),
        (("not-an-id", "--reject-all"), 2, "SearchUnknown"),
        (("{nobody}", "--reject-all"), 2, "SearchUnknown"),
        (("{refused}", "--reject-all"), 2, "SearchUnknown"),
        (("{gone}", "--confirm", "P005"), 2, "SubjectUnknown"),
        (("{gone}", "--reject-all"), 2, "SubjectUnknown"),
        (("{two}", "--confirm", "P009"), 2, "SubjectUnknown"),
        (("{two}", "--confirm", "P003"), 2, "UsageProblem"),  # and the other?
        (("{two}", "--confirm", "P003", "--confirm", "P001"), 2, "UsageProblem"),
        (("{two}", "--reject-all", "--correct"), 4, "NotAllowed"),
        (("{decided}", "--reject-all"), 4, "NotAllowed"),
        (("{two}", "--reject-all", "--reason", "it is P003"), 2, "UsageProblem"),
    ],
)
def test_what_cannot_be_decided_is_refused_and_logged(
    fr: Fr, words: tuple[str, ...], code: int, error: str
) -> None:
    ids = {
        "nobody": search(fr),
        "refused": search(fr, error=NoFace("no face")),
        "gone": search(fr, "P005"),
        "two": search(fr, "P003", "P001"),
        "decided": search(fr, "P003"),
    }
    says(fr, ALICE, ids["decided"], P003="rejected")
    fr.json("purge", "--subject", "P005", "--yes")
    line = [word.format(**ids) for word in words]
    reason = () if "--reason" in line else WHY
    assert fr.json("decide", *line, *reason, code=code)["error"] == error
    intent, outcome = entries(fr, "decide")[-2:]
    assert (outcome["ph"], outcome["error"], outcome["exit"]) == ("outcome", error, code)
    assert "dec" not in outcome
    # What is no id may be anybody's name, and does not enter the log; nor does such a reason.
    assert intent["search"] == ("" if line[0] == "not-an-id" else line[0])
    assert "P00" not in fr.said()


@pytest.mark.parametrize("words", [(), ("{id}", "--pending"), ("{id}", "--reject-all")])
def test_a_line_that_says_too_little_or_too_much(fr: Fr, words: tuple[str, ...]) -> None:
    line = [word.format(id=search(fr, "P003")) for word in words]
    assert fr.json("decide", *line, code=2)["error"] == "UsageProblem"
    assert entries(fr, "decide") == []


def test_one_subject_two_ways_is_refused(fr: Fr) -> None:
    shown = search(fr, "P003")
    words = ("--confirm", "P003", "--reject", "P003")
    assert fr.json("decide", shown, *words, *WHY, code=2)["error"] == "UsageProblem"


def test_who_was_purged_cannot_be_decided_on_and_the_others_can(fr: Fr) -> None:
    shown = search(fr, "P005", "P003")
    fr.json("purge", "--subject", "P005", "--yes")
    found = fr.json("decide", shown, "--confirm", "P003", *WHY)
    assert (found["final"], found["purged"]) == (True, 1)
    assert [one["subject_id"] for one in found["decisions"]] == ["P003"]


def test_ids_that_begin_alike_are_not_guessed(fr: Fr, monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter(["abcdef" + f"{n:026x}" for n in range(9)])
    monkeypatch.setattr("fr_cli.audit.log.secrets.token_hex", lambda size: next(made))
    one, two = search(fr, "P003"), search(fr, "P001")
    error = fr.json("decide", "abcdef", "--reject-all", *WHY, code=2)
    assert (error["error"], "2 searches" in error["message"]) == ("SearchUnknown", True)
    fr.json("decide", two, "--confirm", "P001", *WHY)
    owed = fr.json("decide", "--pending")["pending"]
    assert [row["search_id"] for row in owed] == [one]


def test_two_decide_blind_and_a_third_where_they_differ(fr: Fr) -> None:
    asks_for_a_second(fr)
    shown = search(fr, "P003", by=ALICE)
    assert not says(fr, ALICE, shown, P003="confirmed").final
    seen_by_alice = _owed(fr, ALICE, shown)
    seen_by_carol = _owed(fr, CAROL, shown)
    assert not says(fr, BOB, shown, P003="rejected").final
    # Neither the first nor anybody else can see that the second has decided, or how.
    assert _owed(fr, ALICE, shown) == seen_by_alice
    assert _owed(fr, CAROL, shown) == seen_by_carol
    for who in (ALICE, BOB):
        with pytest.raises(NotAllowed, match="nobody decides twice"):
            says(fr, who, shown, P003="rejected")
    third = says(fr, CAROL, shown, P003="rejected")
    assert (third.final, third.stage) == (True, "third")
    with at(fr, ALICE) as bench:
        assert pending(bench).rows == []
    # The order of the log is the proof.
    done = [one for one in entries(fr, "decide") if "decisions" in one.get("dec", {})]
    assert [(one["op"]["user"], one["dec"]["stage"], one["dec"]["final"]) for one in done] == [
        ("alice", "first", False),
        ("bob", "second", False),
        ("carol", "third", True),
    ]
    fr.json("audit", "verify", "--full")


def _owed(fr: Fr, who: Mapping[str, JSON], shown: str) -> dict[str, object]:
    with at(fr, who) as bench:
        (row,) = pending(bench).rows
    assert row.search_id == shown
    return vars(row)


def test_what_is_printed_does_not_tell_the_second_that_they_differ(fr: Fr) -> None:
    asks_for_a_second(fr)
    one, two = search(fr, "P003"), search(fr, "P003")
    says(fr, ALICE, one, P003="confirmed")
    printed = []
    for shown in (one, two):  # the second to decide on `one`, the first on `two`
        found = fr.json("decide", shown, "--reject-all", *WHY)
        printed.append({name: found[name] for name in found if name not in ("audit", "search_id")})
    assert printed[0] == printed[1]


def test_the_second_must_be_another_person(fr: Fr) -> None:
    asks_for_a_second(fr)
    shown = search(fr, "P003")
    says(fr, ALICE, shown, P003="confirmed")
    for same in (ALICE, account(1001, "alice-reviews"), account(1002, "bob", loginuid=1001)):
        with pytest.raises(NotAllowed):
            says(fr, same, shown, P003="confirmed")
        last = entries(fr, "decide")[-1]
        assert (last["error"], last["exit"]) == ("NotAllowed", 4)
    assert says(fr, BOB, shown, P003="confirmed").final


def test_a_correction_is_marked_and_takes_the_place(fr: Fr) -> None:
    shown = search(fr, "P003")
    says(fr, ALICE, shown, P003="confirmed")
    found = fr.json("decide", shown, "--reject-all", "--correct", *WHY)
    assert (found["correction"], found["final"]) == (True, True)
    stages = [one["dec"]["stage"] for one in entries(fr, "decide") if one["ph"] == "outcome"]
    assert stages == ["first", "correction"]
    rows = fr.json("report")["searches"]
    assert (rows["confirmed"], rows["rejected"]) == (0, 1)


def test_of_two_at_once_one_is_first(fr: Fr, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = search(fr, "P003")
    both = threading.Barrier(2)

    def found(log: Path, text: str) -> Search:
        # Each reads the log when the other has read it too; unless one is made to wait.
        read = find(log, text)
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(timeout=1)
        return read

    def attempt(who: Mapping[str, JSON]) -> Decided | NotAllowed:
        try:
            return says(fr, who, shown, P003="rejected")
        except NotAllowed as refused:
            return refused

    monkeypatch.setattr("fr_cli.operations.decide.find", found)
    with ThreadPoolExecutor(2) as pool:
        results = [*pool.map(attempt, (ALICE, BOB))]
    assert sum(isinstance(one, Decided) for one in results) == 1


def test_who_is_being_purged_is_purged_already(fr: Fr) -> None:
    shown = search(fr, "P005")
    with contextlib.closing(Store.open(fr.home / "gallery" / "gallery.db")) as store:
        store.mark(uids(fr)["P005"][0], "purged:0")
    found = fr.json("decide", shown, "--reject-all", *WHY, code=2)
    assert found["error"] == "SubjectUnknown"


def test_what_comes_late_is_recorded_so(fr: Fr, monkeypatch: pytest.MonkeyPatch) -> None:
    search(fr, by=BOB)  # which gave nothing to decide
    shown = search(fr, "P003", by=BOB)
    past = datetime(2020, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(rules, "due", lambda answered, days: past)
    (row,) = fr.json("decide", "--pending")["pending"]
    assert (row["search_id"], row["overdue"], row["owes"]) == (shown, True, ["bob"])
    assert (row["due"], row["case"], row["yours"]) == ("2020-01-01T00:00:00Z", "CR/26/1", True)
    assert "1 search undecided, 1 overdue." in fr("decide", "--pending").stdout
    (late,) = fr.json("report")["decisions"]["overdue"]
    assert (late["search_id"], late["operator"]) == (shown, "bob")
    assert fr.json("decide", shown, "--reject-all", *WHY)["late"]
    assert entries(fr, "decide")[-1]["dec"]["late"]
    assert fr.json("report")["decisions"]["late"] == 1


def test_pending_lists_what_is_owed_and_no_more(fr: Fr) -> None:
    search(fr)
    gone, decided, owed = search(fr, "P005"), search(fr, "P003"), search(fr, "P001", "P005")
    says(fr, ALICE, decided, P003="unresolved")
    fr.json("purge", "--subject", "P005", "--yes")
    found = fr.json("decide", "--pending")
    assert [row["search_id"] for row in found["pending"]] == [owed]
    assert gone not in json.dumps(found)
    assert found["purged"] == 1
    last = entries(fr, "decide")[-2:]
    assert last[0]["asked"] == {"what": "pending"}
    assert last[1]["dec"] == {"pending": 1, "overdue": 0}


def test_a_gallery_that_is_gone_lists_nobody(fr: Fr) -> None:
    search(fr, "P003")
    (fr.home / "gallery" / "gallery.db").rename(fr.home.parent / "elsewhere.db")
    assert fr.json("decide", "--pending")["pending"] == []


def test_at_a_terminal_the_candidates_are_asked_about_one_by_one(fr: Fr) -> None:
    shown = search(fr, "P003", "P001")
    ours, theirs = pty.openpty()
    code = "from fr_cli.cli.main import app; app()"
    environment = {**os.environ, "FR_HOME": str(fr.home), "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(
        [sys.executable, "-c", code, "decide", shown, "--reject", "P001"],
        stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True,
    ) as run:  # fmt: skip
        os.write(ours, b"nose agrees\nx\nc\n")  # why, what is no answer, confirmed
        out, said = run.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert run.returncode == 0, said
    assert "1. P003  score 0.7000" in said
    assert "2. P001" not in said  # decided by the option
    assert "P003     confirmed" in out
    assert entries(fr, "decide")[0]["why"] == {"reason": "nose agrees"}


def test_the_bundle_of_a_case_holds_decisions_and_outcomes(fr: Fr, tmp_path: Path) -> None:
    shown = search(fr, "P003", case="CR/7")
    other = search(fr, "P003", case="CR/8")
    says(fr, ALICE, shown, P003="confirmed")
    says(fr, BOB, other, P003="rejected")
    fr.json("outcome", shown, "arrest", "--reason", "custody record")
    fr.json("audit", "export", "--case", "CR/7", "--to", "court", "--out", tmp_path / "bundle")
    found = [json.loads(file.read_text()) for file in (tmp_path / "bundle/entries").iterdir()]
    assert {(one["cmd"], one["op"]["user"]) for one in found} >= {("decide", "alice")}
    assert ("decide", "bob") not in {(one["cmd"], one["op"]["user"]) for one in found}
    assert "outcome" in {one["cmd"] for one in found}
    page = (tmp_path / "bundle" / "README.txt").read_text()
    assert "first: confirmed" in page
    assert "HOW TO READ THE ACTS" in page
    table = (tmp_path / "bundle" / "acts.csv").read_text()
    assert table.splitlines()[1].endswith(",alice")  # who verified the result


def test_the_extract_says_who_verified_also_where_that_was_later(fr: Fr) -> None:
    asks_for_a_second(fr)
    shown = search(fr, "P003")
    until = fr.log()[-1]["t"]
    says(fr, BOB, shown, P003="confirmed")
    says(fr, CAROL, shown, P003="confirmed")
    rows = fr.json("audit", "extract", "--until", until)["acts"]
    (row,) = [one for one in rows if one["act"] == shown]
    assert row["verified_by"] == "bob, carol"
    assert not [one for one in rows if one["command"] == "decide"]
