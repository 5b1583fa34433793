"""What the policy refuses is refused with its exit code and its sentence, and is in the log."""

from __future__ import annotations

import getpass
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from fr_cli.audit import entry as entries
from fr_cli.audit.canonical import JSON
from fr_cli.errors import NotAllowed, PhotoUnreadable
from fr_cli.operations import bench
from fr_cli.operations.bench import Bench
from fr_cli.operations.identify import Question, identify
from fr_cli.operations.in_force import standing
from tests.conftest import GROUNDS, MATED, Fr, jpeg, photo, small

ME = getpass.getuser()
#: Reaches the photo, which is none: the policy let it through.
LET_THROUGH = 20


def rule(fr: Fr, **changes: Any) -> str:
    """Change the home's policy; its SHA-256."""
    path = fr.home / "policy.yaml"
    said = yaml.safe_load(path.read_text()) | changes
    path.write_text(yaml.safe_dump(said))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def ask(fr: Fr, *options: str, code: int = LET_THROUGH, reason: str = "test") -> dict[str, Any]:
    """A search with a photo that is none: the error, which is in the log with its exit code."""
    known = len(fr.log())
    grounds = ("--case", "CR/26/1", "--reason", reason)
    error = fr.json("identify", "-", *grounds, *options, stdin=b"no photo", code=code)
    intent, outcome = fr.log()[known:]
    assert (intent["cmd"], intent["ph"]) == ("identify", "intent")
    assert (outcome["ph"], outcome["exit"], outcome["error"]) == ("outcome", code, error["error"])
    assert outcome["policy"] == intent["policy"]
    assert error["hint"]
    return error


def why(fr: Fr) -> dict[str, Any]:
    """The grounds of the newest search."""
    return dict(fr.log()[-2]["why"])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Set the clock ahead of what it is."""

    def ahead(by: timedelta) -> None:
        class Clock(datetime):
            @classmethod
            def now(cls, tz: object = None) -> Clock:
                return cls.fromtimestamp((datetime.now(UTC) + by).timestamp(), UTC)

        for module in (entries, bench):
            monkeypatch.setattr(module, "datetime", Clock)

    return ahead


def test_the_policys_digest_stands_in_every_entry_of_an_act(fr: Fr) -> None:
    digest = rule(fr, limits={"searches_per_hour": 9})
    known = len(fr.log())
    fr.identify(jpeg(small(MATED)))
    fr.json("purge", "--subject", MATED, "--yes")
    fr.json("gallery", "stats")
    found = fr.log()[known:]
    assert {entry["ph"] for entry in found} == {"intent", "batch", "outcome"}
    assert {entry["policy"] for entry in found} == {digest}


@pytest.mark.parametrize(
    "words",
    [
        ("identify", "-", *GROUNDS), ("verify", "-", "P001", *GROUNDS),
        ("enroll", "{feed}"), ("purge", "--subject", "P001", "--yes"), ("purge", "--expired"),
        ("evaluate", "{feed}"), ("gallery", "stats"), ("gallery", "backup", "{new}"),
        ("gallery", "rotate-key"), ("audit", "show"), ("audit", "expire"), ("audit", "rotate"),
        ("models", "pull"), ("policy", "clock", "--reason", "battery"),
    ],
    ids=lambda words: " ".join(words[:2]),
)  # fmt: skip
@pytest.mark.parametrize("fault", ["no: 1", "missing"])
def test_under_a_policy_that_is_not_valid_nothing_is_done_and_that_is_logged(
    fresh: Fr, tmp_path: Path, words: tuple[str, ...], fault: str
) -> None:
    (tmp_path / "feed" / "P001").mkdir(parents=True)
    (tmp_path / "feed" / "P001" / "a.jpg").write_bytes(jpeg(small("P001")))
    path = fresh.home / "policy.yaml"
    if fault == "missing":
        path.unlink()
    else:
        path.write_text(f"{path.read_text()}\n{fault}\n")
    places = {"{feed}": str(tmp_path / "feed"), "{new}": str(tmp_path / "backup")}
    known = len(fresh.log())
    error = fresh.json(*(places.get(word, word) for word in words), stdin=b"x", code=3)
    assert "policy" in error["message"]
    intent, outcome = fresh.log()[known:]
    assert (intent["ph"], outcome["ph"], outcome["exit"]) == ("intent", "outcome", 3)
    assert intent["policy"] == outcome["policy"] == ""
    if "why" in intent and words[0] != "policy":
        assert intent["why"]["reason"] == "(not in the policy)"


def test_a_reason_that_the_policy_lacks(fresh: Fr) -> None:
    error = ask(fresh, reason="John Doe", code=4)
    assert "knows no reason" in error["message"]
    assert why(fresh) == {"case": "CR/26/1", "reason": "(not in the policy)"}


def test_an_account_that_the_policy_does_not_name(fresh: Fr) -> None:
    rule(fresh, operators={"somebody": {"roles": ["officer"]}})
    assert f"account {ME} is not an operator" in ask(fresh, code=4)["message"]
    ask(fresh, code=4)
    assert fresh.json("audit", "show", code=4)["error"] == "NotAllowed"


def test_a_role_that_may_not(fresh: Fr) -> None:
    rule(fresh, operators={ME: {"roles": ["auditor", "gallery-manager"]}})
    assert "identify is not among the acts" in ask(fresh, code=4)["message"]
    fresh.json("audit", "show")
    rule(fresh, operators={ME: {"roles": ["officer"]}})
    ask(fresh)
    fresh.json("audit", "show", code=4)
    fresh.json("purge", "--all", "--yes", code=4)


def test_training_that_has_expired(fresh: Fr) -> None:
    today = datetime.now(UTC).date()
    rule(fresh, operators={ME: {"roles": ["officer"], "trained_until": today - timedelta(1)}})
    assert "training" in ask(fresh, code=4)["message"]
    rule(fresh, operators={ME: {"roles": ["officer"], "trained_until": today + timedelta(1)}})
    ask(fresh)


def test_a_number_that_has_no_account(fresh: Fr) -> None:
    rule(fresh, operators={ME: {"roles": ["officer"]}})
    nobody: dict[str, JSON] = {"uid": 47110815, "user": "", "loginuid": None, "tty": ""}
    with (
        Bench(fresh.home, asker=nobody) as tools,
        pytest.raises(NotAllowed, match="no account with the number 47110815"),
    ):
        identify(Question(b"x", "CR/26/1", "test"), tools)
    assert fresh.log()[-1]["exit"] == 4
    assert fresh.log()[-1]["op"]["uid"] == 47110815


def test_the_rate_of_one_operator(fresh: Fr) -> None:
    rule(fresh, limits={"searches_per_hour": 2})
    ask(fresh)
    ask(fresh, reason="nonsense", code=4)  # refused: it was no search
    ask(fresh)
    assert ask(fresh, code=4)["error"] == "LimitReached"
    grounds = ("--case", "CR/26/1", "--reason", "test")
    assert "2 times an hour" in fresh.json(
        "verify", "-", "P001", *grounds, stdin=b"x", code=4
    )["message"]  # fmt: skip
    other: dict[str, JSON] = {"uid": 4711, "user": "other", "loginuid": None, "tty": ""}
    with Bench(fresh.home, asker=other) as tools, pytest.raises(PhotoUnreadable):
        identify(Question(b"x", "CR/26/1", "test"), tools)


def test_the_lock_out_and_that_removing_files_does_not_end_it(fresh: Fr) -> None:
    rule(fresh, limits={"refusals_per_hour": 2})
    for _ in range(2):
        assert ask(fresh, reason="nonsense", code=4)["error"] == "NotAllowed"
    for _ in range(2):
        assert ask(fresh, code=4)["error"] == "LimitReached"
    (fresh.home / "audit" / "frontier.json").unlink()
    (fresh.home / "audit" / "running").unlink()
    assert ask(fresh, code=4)["error"] == "LimitReached"
    fresh.json("audit", "show")  # of searching only


def test_a_clock_that_was_set_back(fresh: Fr, clock: Callable[[timedelta], None]) -> None:
    clock(timedelta(hours=3))
    fresh.json("audit", "show")
    clock(timedelta())
    for _ in range(3):  # its own refusals do not hide it
        assert "clock was set back" in ask(fresh, code=3)["message"]
    fresh.json("gallery", "stats", code=3)
    fresh.json("policy", "clock", "--reason", "the battery of the clock was changed")
    intent = fresh.log()[-2]
    assert (intent["cmd"], intent["act"]) == ("policy clock", "administration")
    assert intent["why"] == {"reason": "the battery of the clock was changed"}
    ask(fresh)
    fresh.json("audit", "verify", "--full")


def test_a_clock_that_is_set_right_by_a_little(
    fresh: Fr, clock: Callable[[timedelta], None]
) -> None:
    clock(timedelta(minutes=4))
    fresh.json("audit", "show")
    clock(timedelta())
    ask(fresh)
    # But not step by step: the newest time is remembered.
    clock(timedelta(minutes=-4))
    assert "clock was set back" in ask(fresh, code=3)["message"]


def test_a_policy_that_is_changed_while_a_search_runs(
    fr: Fr, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changes(*arguments: Any) -> Any:
        rule(fr, evaluation="refuse")
        return standing(*arguments)

    monkeypatch.setattr("fr_cli.operations.identify.standing", changes)
    error = fr.identify(jpeg(small(MATED)), code=3)
    assert "policy was changed while this search ran" in error["message"]
    outcome = fr.log()[-1]
    assert (outcome["ph"], outcome["exit"]) == ("outcome", 3)
    monkeypatch.undo()
    assert fr.identify(jpeg(small(MATED)))["outcome"] == "inconclusive"


def test_what_an_operator_says_of_a_search_is_in_the_log_and_in_the_answer(fr: Fr) -> None:
    operators = {ME: {"roles": ["officer"]}, "sergeant": {"roles": ["reviewer"]}}
    reasons = yaml.safe_load((fr.home / "policy.yaml").read_text())["reasons"]
    reasons["test"]["necessity"] = True
    rule(fr, operators=operators, places=["street"], supervised=["child"], reasons=reasons)
    options = (
        "--place", "street", "--flag", "vulnerable", "--flag", "child", "--flag", "child",
        "--supervisor", "sergeant", "--necessity", "injured and without papers",
    )  # fmt: skip
    before = datetime.now(UTC)
    document = fr.identify(jpeg(small(MATED)), *options)
    said = {
        "case": "CR/26/1", "reason": "test", "place": "street", "flags": ["child", "vulnerable"],
        "supervisor": "sergeant", "necessity": "injured and without papers",
    }  # fmt: skip
    assert document["grounds"] == said | {"legal_basis": "Consent; no operational use"}
    asked_at = datetime.fromisoformat(document["asked_at"])
    assert before - timedelta(seconds=1) <= asked_at <= datetime.now(UTC)
    intent, outcome = fr.log()[-2:]
    assert intent["why"] == said
    assert outcome["dec"]["basis"] == "Consent; no operational use"
    assert intent["t"] < outcome["t"]
    document = fr.json("verify", photo(MATED), MATED, *GROUNDS, *options)
    assert document["grounds"] == said | {"legal_basis": "Consent; no operational use"}
    assert fr.log()[-2]["why"] == said


@pytest.mark.parametrize(
    ("options", "message", "logged"),
    [
        ((), "wants to know where", {}),
        (("--place", "Jane's flat"), "does not know this place", {"place": "(not in the policy)"}),
        (("--place", "street", "--flag", "child"), "needs a supervisor",
         {"place": "street", "flags": ["child"]}),
        (("--place", "street", "--flag", "child", "--supervisor", ME), "their own search",
         {"place": "street", "flags": ["child"], "supervisor": ME}),
        (("--place", "street", "--supervisor", "Jane Doe"), "not an operator with the role",
         {"place": "street", "supervisor": "(not in the policy)"}),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong_of_it_is_refused_and_logged(
    fresh: Fr, options: tuple[str, ...], message: str, logged: dict[str, Any]
) -> None:
    operators = {ME: {"roles": ["officer"]}, "sergeant": {"roles": ["reviewer"]}}
    rule(fresh, operators=operators, places=["street"], supervised=["child"])
    assert message in ask(fresh, *options, code=4)["message"]
    assert why(fresh) == {"case": "CR/26/1", "reason": "test"} | logged


def test_a_reason_that_is_bounded_to_watchlists(fresh: Fr) -> None:
    reasons = yaml.safe_load((fresh.home / "policy.yaml").read_text())["reasons"]
    reasons["test"]["watchlists"] = ["warrants"]
    rule(fresh, reasons=reasons)
    assert "whole gallery" in ask(fresh, code=4)["message"]
    assert "this watchlist" in ask(fresh, "--watchlist", "bail", code=4)["message"]
    ask(fresh, "--watchlist", "warrants")


@pytest.mark.parametrize(
    "options",
    [
        ("--flag", "tall"),
        ("--necessity", "x" * 501),
        ("--necessity", "two\nlines"),
        ("--necessity", "   "),
    ],
)
def test_text_of_a_wrong_form_is_no_search(fresh: Fr, options: tuple[str, ...]) -> None:
    known = len(fresh.log())
    fresh.json("identify", "-", *GROUNDS, *options, stdin=b"x", code=2)
    assert len(fresh.log()) == known


def test_a_script_that_leaves_out_case_or_reason_is_not_kept_waiting(fresh: Fr) -> None:
    for words, missing in ((("--reason", "test"), "--case"), (("--case", "1"), "--reason")):
        for command in (("identify", "-"), ("verify", "-", "P001")):
            error = fresh.json(*command, *words, stdin=b"x", code=2)
            assert error["message"] == f"Missing option '{missing}'."
