"""Case, reason and the rest are asked for on a terminal where they are left out, and only there."""

from __future__ import annotations

import getpass
import json
import os
import pty
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Fr

MAIN = "from fr_cli.cli.main import app; app()"
ME = getpass.getuser()
SEEMS = "Does the person seem to be a child, or vulnerable"


def at_terminal(fr: Fr, *words: str, types: Sequence[str] = ()) -> tuple[int, str, list[str]]:
    """Run `fr` at a terminal of its own: exit code, all that was shown, what was asked."""
    child, terminal = pty.fork()
    if not child:
        environment = {**os.environ, "FR_HOME": str(fr.home), "TERM": "dumb", "COLUMNS": "200"}
        os.execve(sys.executable, [sys.executable, "-c", MAIN, *words], environment)
    shown, asked = "", list[str]()
    while True:
        try:
            shown += os.read(terminal, 4096).decode()
        except OSError:  # the other end is closed
            break
        if shown.endswith(": ") and len(asked) < len(types):
            asked.append(shown.splitlines()[-1].rstrip(": "))
            os.write(terminal, f"{types[len(asked) - 1]}\n".encode())
            shown += "\n"
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown, asked


def rule(fr: Fr, **changes: Any) -> None:
    path = fr.home / "policy.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))


def why(fr: Fr) -> dict[str, Any]:
    """The grounds of the newest search, which stopped at its photo."""
    intent, outcome = fr.log()[-2:]
    assert (intent["cmd"], outcome["exit"]) == ("identify", 20)
    return dict(intent["why"])


@pytest.fixture
def photo(tmp_path: Path) -> str:
    (tmp_path / "photo.jpg").write_bytes(b"none")
    return str(tmp_path / "photo.jpg")


def test_case_and_reason_are_asked_and_the_reasons_are_shown(fresh: Fr, photo: str) -> None:
    code, shown, asked = at_terminal(fresh, "identify", photo, types=["CR/26/1", "wanted"])
    assert (code, asked) == (20, ["Case or incident", "Reason"]), shown
    assert "5 wanted          The person is believed to be wanted" in shown
    assert why(fresh) == {"case": "CR/26/1", "reason": "wanted"}


def test_a_reason_may_be_given_by_its_number_and_is_asked_until_it_is_one(
    fresh: Fr, photo: str
) -> None:
    code, shown, asked = at_terminal(
        fresh, "identify", photo, "--case", "1", types=["0", "curiosity", "7", "2"]
    )
    assert (code, asked) == (20, ["Reason"] * 4), shown
    assert shown.count("Give one of the list, or its number.") == 3
    assert why(fresh) == {"case": "1", "reason": "false-details"}


def test_what_the_policy_wants_besides_is_asked_too(fresh: Fr, photo: str) -> None:
    reasons = yaml.safe_load((fresh.home / "policy.yaml").read_text())["reasons"]
    reasons["test"]["necessity"] = True
    operators = {ME: {"roles": ["officer"]}, "ps1": {"roles": ["reviewer"]}}
    rule(fresh, reasons=reasons, operators=operators, places=["street"], supervised=["child"])
    answers = ["CR/26/1", "test", "1", "a child", "child", "ps1", "unconscious"]
    code, shown, asked = at_terminal(fresh, "identify", photo, types=answers)
    assert code == 20, shown
    assert [question.split(" (")[0].rstrip("?") for question in asked] == [
        "Case or incident", "Reason", "Place", *[SEEMS] * 2,
        "Supervisor who was asked", "Why is it necessary",
    ]  # fmt: skip
    assert why(fresh) == {
        "case": "CR/26/1", "reason": "test", "place": "street", "flags": ["child"],
        "supervisor": "ps1", "necessity": "unconscious",
    }  # fmt: skip


def test_what_was_given_is_not_asked(fresh: Fr, photo: str) -> None:
    rule(fresh, places=["street"])
    words = ("identify", photo, "--case", "1", "--reason", "test", "--place", "street")
    code, shown, asked = at_terminal(fresh, *words, types=["?"])
    assert (code, asked) == (20, []), shown


def test_an_end_instead_of_an_answer_does_nothing(fresh: Fr, photo: str) -> None:
    known = len(fresh.log())
    code, shown, _ = at_terminal(fresh, "identify", photo, types=["\x04"])
    assert code == 130, shown
    assert len(fresh.log()) == known


@pytest.mark.parametrize("words", [("--json",), ("-",)])
def test_nothing_is_asked_of_a_script_at_a_terminal(
    fresh: Fr, photo: str, words: tuple[str, ...]
) -> None:
    given = words if words == ("-",) else (photo, *words)
    code, shown, asked = at_terminal(fresh, "identify", *given, types=["1"])
    assert (code, asked) == (2, []), shown
    if words == ("--json",):
        assert json.loads(shown)["message"] == "Missing option '--case'."


def test_under_a_policy_that_is_not_valid_the_search_is_refused_and_logged(
    fresh: Fr, photo: str
) -> None:
    with (fresh.home / "policy.yaml").open("a") as file:
        file.write("no: 1\n")
    code, shown, asked = at_terminal(fresh, "identify", photo, types=["1", "test"])
    assert (code, asked) == (3, ["Case", "Reason"]), shown
    assert fresh.log()[-1]["exit"] == 3
