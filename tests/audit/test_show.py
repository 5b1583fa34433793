"""The log as acts: what they say, which of them a filter takes, and what is made of them."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fr_cli.audit import entry
from fr_cli.audit.canonical import JSON
from fr_cli.audit.line import read_line, signed_line
from fr_cli.audit.log import AuditLog
from fr_cli.audit.merkle import Frontier, leaf_hash
from fr_cli.audit.reader import Log
from fr_cli.audit.show import ActRecord, Filter, acts, moment
from fr_cli.errors import AuditBroken, NoFace, SubjectUnknown, UsageProblem
from fr_cli.operations.bench import Bench as Home
from fr_cli.operations.extract import Query, Row, as_csv, extract, row, show
from fr_cli.operations.init import init
from fr_cli.records import Silence

from .conftest import ORIGIN, Bench

SUBJECT = "5" * 32


def all_acts(bench: Bench) -> list[ActRecord]:
    return list(acts(Log(bench.log.path, bench.signer.public, ORIGIN).read()))


def identified(log: AuditLog, case: str, *subjects: str, user: str = "") -> str:
    with log.act(
        "identify", "consultation", why={"case": case, "reason": "test"}, watchlist=""
    ) as act:
        found: list[JSON] = [
            {"rank": rank, "subject": subject, "reference": "e" * 32, "score": "0.7000"}
            for rank, subject in enumerate(subjects, start=1)
        ]
        act.decide(
            basis="Consent",
            outcome="candidates" if found else "no_candidate",
            gallery={"generation": 3, "references": 9},
            candidates=found,
        )
    return act.id


# -- acts ----------------------------------------------------------------------------------------


def test_an_act_is_its_intent_batches_and_outcome(bench: Bench) -> None:
    with bench.log.act("enroll", "collection", lines=3) as act:
        act.batch(enrolled=2)
        inner = identified(bench.log, "CR/1")
        act.decide(added=2)
    genesis, search, enrolment = all_acts(bench)
    assert (genesis.command, genesis.state, genesis.end) == ("init", "done", genesis.start)
    assert (search.req, search.seqs, search.why["case"]) == (inner, [3, 4], "CR/1")
    assert (enrolment.req, enrolment.seqs) == (act.id, [1, 2, 5])
    assert enrolment.decision == {"added": 2}
    assert enrolment.start < search.start < search.end < enrolment.end


def test_the_four_states(bench: Bench) -> None:
    bench.some_act()
    with pytest.raises(NoFace), bench.log.act("identify", "consultation"):
        raise NoFace("none")
    bench.log.act("enroll", "collection")._lease.drop()  # as when its process dies
    running = bench.log.act("purge", "erasure")
    found = {act.command + str(act.seqs[0]): act for act in all_acts(bench)}
    assert [act.state for act in found.values()] == ["done", "done", "failed", "abandoned", "open"]
    assert found["identify3"].last["error"] == "NoFace"
    assert [act.end == "" for act in found.values()] == [False, False, False, True, True]
    running._lease.drop()


def test_an_erased_act_is_not_shown_and_the_rest_is(bench: Bench) -> None:
    one, other = identified(bench.log, "CR/1"), identified(bench.log, "CR/2")
    bench.log.erase([1, 2], "retention")
    shown = [act.req for act in all_acts(bench)]
    assert other in shown
    assert one not in shown


def test_nothing_of_a_changed_log_is_shown(bench: Bench) -> None:
    identified(bench.log, "CR/1")
    identified(bench.log, "CR/2")
    text = bench.log.path.read_bytes()
    bench.log.path.write_bytes(text.replace(b"CR/1", b"CR/9"))
    with pytest.raises(AuditBroken, match="not those that were signed"):
        all_acts(bench)


# -- filters -------------------------------------------------------------------------------------


def taken(bench: Bench, **asked: Any) -> list[int]:
    return [act.seqs[0] for act in all_acts(bench) if Filter(**asked).takes(act)]


def test_filters(bench: Bench) -> None:
    first = identified(bench.log, "CR/1", SUBJECT)
    identified(bench.log, "CR/10")
    with bench.log.act("decide", "alteration", search=first) as act:
        act.decide(answer="rejected")
    with bench.log.act("purge", "erasure") as act:
        act.decide(subject=SUBJECT, references=[])
    who = bench.entries()[0]["op"]
    assert taken(bench) == [0, 1, 3, 5, 7]
    assert taken(bench, case="CR/1") == [1]
    assert taken(bench, command="identify") == [1, 3]
    assert taken(bench, search=first) == [1, 5]
    assert taken(bench, subject=frozenset({SUBJECT})) == [1, 7]
    assert taken(bench, subject=frozenset({act.id})) == [7]
    assert taken(bench, operator=who["user"]) == taken(bench, operator=str(who["uid"]))
    assert taken(bench, operator="nobody-of-that-name") == []
    assert taken(bench, command="identify", case="CR/10") == [3]


def test_times(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    days = iter(["2026-03-01T23:59:59.999999Z", "2026-03-02T00:00:00.000000Z",
                 "2026-03-02T23:59:59.999999Z", "2026-03-03T00:00:00.000000Z"])  # fmt: skip
    real = entry.clock
    monkeypatch.setattr("fr_cli.audit.entry.clock", lambda: (next(days), real()[1]))
    bench.log.act("identify", "consultation")._lease.end()
    bench.log.act("identify", "consultation")._lease.end()
    bench.log.act("identify", "consultation")._lease.end()
    bench.log.act("identify", "consultation")._lease.end()

    def within(since: str, until: str) -> list[int]:
        return taken(bench, since=moment(since), until=moment(until, end=True))[:]

    assert within("2026-03-02", "2026-03-02") == [2, 3]
    assert within("2026-03-02T00:00:00", "2026-03-02T23:59:59") == [2]
    assert within("2026-03-02T01:00:00+01:00", "") == [0, 2, 3, 4]
    assert within("", "2026-03-01") == [1]


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-13-01", "2026-03-02T25:00", "9999-12-31", "x" * 99]
)
def test_a_time_that_is_none(text: str) -> None:
    with pytest.raises(UsageProblem, match="is not a time"):
        moment(text, end=True)


def test_a_time_as_entries_write_it() -> None:
    assert moment("") == ""
    assert moment("0999-01-01") == "0999-01-01T00:00:00.000000Z"
    assert moment("2026-03-02T10:11:12.5+02:00") == "2026-03-02T08:11:12.500000Z"


# -- the operations, which are acts themselves ---------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    init(tmp_path / "home")
    with Home(tmp_path / "home") as bench:
        yield bench


def log_entries(home: Home) -> list[dict[str, Any]]:
    import json

    return [json.loads(line)["e"] for line in home.audit.path.read_bytes().splitlines()]


def test_showing_is_an_act_and_is_not_shown_to_itself(home: Home) -> None:
    search = identified(home.audit, "CR/1", SUBJECT)
    result = show(Query(case="CR/1"), home, Silence())
    assert [act.req for act in result.acts] == [search]
    intent, outcome = log_entries(home)[-2:]
    assert (intent["cmd"], intent["act"]) == ("audit show", "consultation")
    assert intent["asked"] == {"case": "CR/1"}
    assert outcome["dec"] == {"acts": 1, "asked_for": []}
    assert result.head.size == result.note.head.size + 1 == 5
    again = show(Query(), home, Silence())
    assert [act.command for act in again.acts] == ["init", "identify", "audit show"]


def test_why_it_was_looked_up_is_recorded(home: Home) -> None:
    identified(home.audit, "CR/1")
    show(Query(), home, Silence(), reason="complaint 12/26")
    assert log_entries(home)[-2]["why"] == {"reason": "complaint 12/26"}
    extract("", "", "", home, Silence(), reason="audit of March")
    assert log_entries(home)[-2]["why"] == {"reason": "audit of March"}
    assert show(Query(), home, Silence()).acts[-1].why == {"reason": "audit of March"}
    assert "why" not in log_entries(home)[-2]
    before = len(log_entries(home))
    with pytest.raises(UsageProblem):
        show(Query(), home, Silence(), reason="two\nlines")
    assert len(log_entries(home)) == before


def test_only_the_newest_are_shown_and_the_rest_is_counted(home: Home) -> None:
    for number in range(5):
        identified(home.audit, f"CR/{number}")
    result = show(Query(command="identify"), home, Silence(), limit=2)
    assert ([act.why["case"] for act in result.acts], result.left_out) == (["CR/3", "CR/4"], 3)


def test_a_subject_by_a_random_id_and_nobody(home: Home) -> None:
    identified(home.audit, "CR/1", SUBJECT)
    identified(home.audit, "CR/2")
    result = show(Query(subject=SUBJECT), home, Silence())
    assert [act.why.get("case") for act in result.acts] == ["CR/1"]
    with pytest.raises(SubjectUnknown):
        show(Query(subject="root"), home, Silence())
    assert log_entries(home)[-1]["error"] == "SubjectUnknown"
    assert b"root" not in home.audit.path.read_bytes().splitlines()[-2].split(b'"asked":')[1][:40]


@pytest.mark.parametrize("query", [Query(since="soon"), Query(search="x")])
def test_a_question_that_is_none_is_not_an_act(query: Query, home: Home) -> None:
    with pytest.raises(UsageProblem):
        show(query, home, Silence())
    assert len(log_entries(home)) == 1


def test_the_extract_has_what_the_law_asks_for(home: Home) -> None:
    search = identified(home.audit, "CR/1", SUBJECT)
    identified(home.audit, "CR/2")
    with home.audit.act("gallery stats", "administration"):
        pass
    with home.audit.act("audit export", "disclosure", why={"case": "CR/1"}, to="Smith & Co"):
        pass
    result = extract("", "", "ICO", home, Silence())
    match, none, disclosed = result.rows
    who = log_entries(home)[0]["op"]
    assert (match.operator, match.uid) == (who["user"], who["uid"])
    assert match.start < str(match.end)
    assert (match.operation, match.case, match.justification) == ("consultation", "CR/1", "test")
    assert match.legal_basis == "Consent"
    assert match.reference_database == "generation 3, 9 references"
    assert (match.matched_input, match.candidates) == (search, [SUBJECT])
    assert (none.matched_input, none.candidates, none.result) == (None, [], "no_candidate")
    assert (disclosed.operation, disclosed.recipient) == ("disclosure", "Smith & Co")
    assert match.verified_by is None
    intent = log_entries(home)[-2]
    assert (intent["cmd"], intent["act"], intent["to"]) == ("audit extract", "disclosure", "ICO")
    assert extract("", "", "", home, Silence()).rows[-1].recipient == "ICO"
    assert log_entries(home)[-2]["act"] == "consultation"
    assert extract("2001-01-01", "2001-12-31", "", home, Silence()).rows == []


def test_what_a_spreadsheet_would_run_is_text(home: Home) -> None:
    for case in ('=HYPERLINK("http://x")', "+1", "-1", "@x", 'a,b\n"c"'):
        identified(home.audit, case)
    rows = extract("", "", "", home, Silence()).rows
    table = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert [one["case"][:2] for one in table] == ["'=", "'+", "'-", "'@", "a,"]
    assert table[-1]["case"] == 'a,b\n"c"'
    assert list(table[0]) == list(Row.__annotations__)


def test_an_act_of_unknown_shape_has_a_row(home: Home) -> None:
    with home.audit.act("new command", "combination", why="text") as act:
        act.decide(gallery={"other": 1}, candidates=[])
    with home.audit.act("other command", "combination") as act:
        act.decide(gallery="text", candidates=3)
    (one, two) = (
        row(a) for a in acts(Log(home.audit.path, home.signer.public).read()) if a.seqs[0]
    )
    for found in (one, two):
        assert (found.case, found.reference_database, found.matched_input) == (None, None, None)


def test_an_entry_that_the_key_signed_but_that_is_none(bench: Bench) -> None:
    body = b'{"seq":1,"v":1}'
    frontier = Frontier()
    for leaf in (read_line(bench.log.path.read_bytes()).leaf, leaf_hash(body)):
        frontier.append(leaf)
    root = base64.b64encode(frontier.root()).decode()
    with bench.log.path.open("ab") as file:
        file.write(signed_line(body, 2, root, bench.signer, ORIGIN))
    with pytest.raises(AuditBroken, match=r"Line 2 .* lacks"):
        all_acts(bench)
