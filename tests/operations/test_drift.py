"""`fr report --drift`: from a log of searches, and an act itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from fr_cli.audit.canonical import JSON
from fr_cli.operations.bench import Bench
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


def decided(fr: Fr, search: str, verdicts: dict[str, str], *, final: bool = True) -> None:
    """A decision as `fr decide` writes it."""
    found: list[JSON] = [{"subject": uid, "decision": said} for uid, said in verdicts.items()]
    with (
        Bench(fr.home) as bench,
        bench.audit.act("decide", "consultation", search=search, why={"reason": "x"}) as act,
    ):
        act.decide(stage="first", final=final, late=False, decisions=found)


def came_of_it(fr: Fr, search: str, what: str, **instead: str) -> None:
    """An outcome as `fr outcome` writes it."""
    with (
        Bench(fr.home) as bench,
        bench.audit.act("outcome", "consultation", search=search) as act,
    ):
        act.decide(what=what, **instead)


def false_lists(fr: Fr) -> tuple[int, int, int]:
    """The least and the most false candidate lists among all searches, and those left open."""
    found = fr.json("report", "--drift")
    both = found["false_lists_of_searches"]
    return both["least"]["cases"], both["most"]["cases"], found["undecided"]


def test_what_officers_decided_says_which_lists_were_false(fr: Fr) -> None:
    put(fr)
    searches = [fr.identify(FACE)["search_id"] for _ in range(3)]
    (listed,) = {one["subject"] for one in fr.log()[-1]["dec"]["candidates"]}
    assert false_lists(fr) == (0, 3, 3)
    decided(fr, searches[0], {listed: "rejected"})
    decided(fr, searches[1], {listed: "confirmed"})
    decided(fr, searches[2], {listed: "rejected"}, final=False)  # another has to decide too
    assert false_lists(fr) == (1, 2, 1)
    decided(fr, searches[2], {listed: "unresolved"})
    assert false_lists(fr) == (1, 2, 1)
    came_of_it(fr, searches[2], "false-candidate")
    came_of_it(fr, searches[1], "arrest")
    assert false_lists(fr) == (2, 2, 0)
    came_of_it(fr, searches[2], "arrest", instead_of="false-candidate")
    decided(fr, searches[0], {listed: "confirmed"})  # a correction: the newest final one counts
    assert false_lists(fr) == (0, 1, 1)


def test_a_system_that_lists_too_many_strangers_is_outside(fr: Fr) -> None:
    put(fr, fpir="0.001000")
    for _ in range(3):
        search = fr.identify(FACE)["search_id"]
        (listed,) = {one["subject"] for one in fr.log()[-1]["dec"]["candidates"]}
        decided(fr, search, {listed: "rejected"})
    found = fr.json("report", "--drift")
    assert found["verdict"] == "outside"
    assert "more than the evaluation in force allows (0.10%)" in found["sentence"]


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
