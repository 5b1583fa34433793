"""`fr outcome`: what came of a search, and what is refused."""

from __future__ import annotations

import pytest

from fr_cli.errors import NoFace
from tests.conftest import Fr
from tests.operations.story import entries, search

HOW = ("--reason", "custody record")


def test_outcomes_come_one_after_the_other_and_can_be_corrected(fr: Fr) -> None:
    shown = search(fr, "P003")
    assert fr.json("outcome", shown[:8], "arrest", *HOW)["standing"] == ["arrest"]
    fr.json("outcome", shown, "complaint", *HOW)
    found = fr.json("outcome", shown, "released", "--instead-of", "arrest", *HOW)
    assert found["standing"] == ["complaint", "released"]
    assert found["search_id"] == shown
    intent, outcome = entries(fr, "outcome")[-2:]
    assert (intent["act"], intent["search"]) == ("consultation", shown)
    assert intent["why"] == {"reason": "custody record"}
    assert outcome["dec"] == {"what": "released", "instead_of": "arrest"}
    rows = {row["value"]: row for row in _by(fr, "outcome")}
    assert set(rows) == {"complaint", "released"}


def _by(fr: Fr, what: str) -> list[dict[str, object]]:
    return list(next(one["rows"] for one in fr.json("report")["by"] if one["by"] == what))


def test_a_search_without_candidates_has_outcomes_too(fr: Fr) -> None:
    nobody = search(fr)
    fr.json("outcome", nobody, "details-false", *HOW)
    error = fr.json("outcome", nobody, "false-candidate", *HOW, code=2)
    assert "gave no candidate" in error["message"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("ffffff", "arrest"), "SearchUnknown"),
        (("J. Doe", "arrest"), "SearchUnknown"),
        (("{refused}", "arrest"), "SearchUnknown"),
        (("{shown}", "J. Doe"), "UsageProblem"),
        (("{shown}", "complaint"), "UsageProblem"),  # stands already
        (("{shown}", "arrest", "--instead-of", "released"), "UsageProblem"),
        (("{shown}", "arrest", "--reason", "P003 confessed"), "UsageProblem"),
    ],
)
def test_what_is_refused_is_logged_without_what_was_typed(
    fr: Fr, words: tuple[str, ...], error: str
) -> None:
    ids = {"shown": search(fr, "P003"), "refused": search(fr, error=NoFace(""))}
    fr.json("outcome", ids["shown"], "complaint", *HOW)
    line = [word.format(**ids) for word in words]
    reason = () if "--reason" in line else HOW
    assert fr.json("outcome", *line, *reason, code=2)["error"] == error
    last = entries(fr, "outcome")[-1]
    assert (last["error"], last["exit"]) == (error, 2)
    log = fr.said()
    assert "Doe" not in log
    assert "P003" not in log


def test_without_a_reason_nothing_is_recorded(fr: Fr) -> None:
    assert fr.json("outcome", search(fr, "P003"), "arrest", code=2)["error"] == "UsageProblem"
    assert entries(fr, "outcome") == []
