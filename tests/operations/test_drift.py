"""`fr report --drift`: from a log of searches, and an act itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ENROLLED, GROUNDS, MATED, STRANGER, Fr, jpeg, photo, small
from tests.operations.test_in_force import put

FACE, OTHER = jpeg(small(MATED)), jpeg(small(STRANGER))


@pytest.fixture
def fr(fresh: Fr, tmp_path: Path) -> Fr:
    """A home of its own: the shared one is searched by other tests, and searches are counted."""
    for person in ENROLLED:
        (tmp_path / "feed" / person).mkdir(parents=True)
        portrait = jpeg(small(person, "studio_portrait"))
        (tmp_path / "feed" / person / "studio_portrait.jpg").write_bytes(portrait)
    fresh.json("enroll", tmp_path / "feed")
    return fresh


def test_searches_of_a_period_are_held_to_the_evaluation_in_force(fr: Fr) -> None:
    fr.identify(FACE)  # before any evaluation: not covered
    put(fr)
    for image in (FACE, OTHER, OTHER):
        fr.identify(image)
    fr.identify(photo(MATED, "emotions_sheet"), code=22)
    found = fr.json("report", "--drift")
    assert (found["schema"], found["verdict"]) == ("fr/report-drift/1", "cannot_say")
    assert found["evaluation"]["fpir"] == 0.02
    assert (found["lists"]["cases"], found["lists"]["of"]) == (1, 3)
    assert found["false_lists_of_searches"]["least"]["cases"] == 0
    assert found["false_lists_of_searches"]["most"]["cases"] == 1
    assert (found["uncovered"], found["inconclusive"]) == (1, 0)
    assert found["refused"] == {"SeveralFaces": 1}
    assert fr.log()[-1]["dec"] == {"verdict": "cannot_say", "searches": 3, "lists": 1}
    assert found["audit"]["size"] == len(fr.log())
    text = fr("report", "--drift").stdout
    assert "1 candidate list without a decision" in text
    assert "Not searched: SeveralFaces 1." in text


def test_a_period_leaves_out_what_lies_outside(fr: Fr) -> None:
    fr.identify(FACE)
    later = fr.json("report", "--drift", "--since", "2999-01-01")
    assert (later["lists"]["of"], later["lists_before"]["of"]) == (0, 1)
    earlier = fr.json("report", "--drift", "--until", "2001-01-01")
    assert (earlier["lists"]["of"], earlier["lists_before"]["of"]) == (0, 0)
    assert later["evaluation"] is None
    assert fr.json("report", "--drift", "--since", "soon", code=2)["error"] == "UsageProblem"


def test_an_inconclusive_search_names_nobody_and_counts_apart(fr: Fr) -> None:
    policy = fr.home / "policy.yaml"
    policy.write_text(policy.read_text().replace("evaluation: warn", "evaluation: refuse"))
    fr("identify", "-", *GROUNDS, stdin=FACE)
    found = fr.json("report", "--drift")
    assert (found["lists"]["of"], found["inconclusive"]) == (0, 1)
