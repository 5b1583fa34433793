"""The answer an officer reads: ranked candidates, none, or inconclusive, in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fr_cli.decision.answer import Answer, decide
from fr_cli.decision.calibration import Calibration
from fr_cli.records import Compared, Hit

from .examples import made_up_calibration

CALIBRATION = made_up_calibration()


def hit(subject: str, cosine: float, reference: str = "1") -> Hit:
    return Hit(
        subject, f"{subject}/{reference}", f"u-{subject}", f"u-{subject}-{reference}", cosine
    )


def answer(
    hits: Sequence[Hit],
    references: int = 5_000,
    calibration: Calibration | None = CALIBRATION,
    **policy: float,
) -> Answer:
    return decide(
        hits,
        Compared(references, references, 1, "exact"),
        calibration,
        floor_score=policy.get("floor", 0.60),
        fpir_target=policy.get("target", 1 / 6000),
        max_candidates=int(policy.get("most", 5)),
    )


def test_candidates_are_ranked_collapsed_and_scored() -> None:
    found = answer([hit("b", 0.62), hit("a", 0.70), hit("b", 0.61, "2"), hit("c", 0.40)])
    assert found.outcome == "candidates"
    assert [(c.rank, c.subject_id, c.reference_id) for c in found.candidates] == [
        (1, "a", "a/1"),
        (2, "b", "b/1"),
    ]
    assert found.candidates[0].score == CALIBRATION.score(0.70)
    assert found.candidates[0].extrapolated
    assert found.candidates[0].reference_uid == "u-a-1"
    assert found.why == (
        "2 candidates among 5,000 references compared reach the threshold (score 0.600)."
    )


def test_ties_go_by_subject() -> None:
    found = answer([hit("b", 0.65), hit("a", 0.65)])
    assert [c.subject_id for c in found.candidates] == ["a", "b"]


def test_the_threshold_itself_counts() -> None:
    threshold = CALIBRATION.cosine(0.60)
    assert answer([hit("a", threshold)]).outcome == "candidates"
    assert answer([hit("a", math.nextafter(threshold, 0))]).outcome == "no_candidate"


def test_no_candidate_is_an_answer_with_its_error_rate() -> None:
    found = answer([hit("a", 0.5)])
    assert (found.outcome, found.candidates) == ("no_candidate", ())
    assert found.threshold is not None
    assert found.fpir is not None
    assert found.fpir.compared == 5_000
    assert "does not show that the person is not in the gallery" in found.why


def test_without_calibration_nobody_is_named() -> None:
    found = answer([hit("a", 0.99)], calibration=None)
    assert (found.outcome, found.candidates) == ("inconclusive", ())
    assert "calibration" in found.why
    assert found.threshold is None
    assert found.fpir is None


def test_beyond_every_score_nobody_is_named() -> None:
    found = answer([hit("a", 1.0)], floor=CALIBRATION.score(1.0) + 0.01)
    assert (found.outcome, found.candidates) == ("inconclusive", ())
    assert "does not reach" in found.why


def test_an_empty_gallery() -> None:
    found = answer([], references=0)
    assert (found.outcome, found.warnings) == ("no_candidate", ())
    assert "no reference" in found.why


def test_warnings_say_what_a_reader_must_know() -> None:
    plain = answer([hit("a", 0.70)], floor=0.56, references=100)
    assert plain.warnings == ()
    assert plain.fpir is not None
    assert not plain.fpir.extrapolated
    # At the usual threshold the rate is extrapolated: said beside the rate, and is no warning.
    beyond = answer([hit("a", 0.70)])
    assert beyond.warnings == ()
    assert beyond.fpir is not None
    assert beyond.fpir.extrapolated
    raised = " ".join(answer([], references=600_000).warnings)
    assert "raised from 0.600 to 0.737" in raised
    assert "1 in 6,000" in raised
    assert "rough guess" in raised
    # At N = 10,000 the anchor and the need differ by rounding only.
    assert not any("raised" in warning for warning in answer([], references=10_000).warnings)


def test_close_candidates_and_a_cut_list_are_pointed_out() -> None:
    hits = [hit("a", 0.620), hit("b", 0.618), hit("c", 0.60)]
    said = " ".join(answer(hits, most=2).warnings)
    assert "close together" in said
    assert "kin" in said
    assert "1 more candidate at or above the threshold" in said
    assert "close together" not in " ".join(answer([hit("a", 0.75), hit("b", 0.62)]).warnings)


@pytest.mark.parametrize(
    "broken",
    [
        {"hits": [hit("a", math.nan)]},
        {"hits": [], "most": 0},
        {"hits": [hit("a", 0.9)], "references": 0},
    ],
)
def test_what_no_search_returns(broken: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        answer(**broken)  # type: ignore[arg-type]


hits_of = st.lists(
    st.builds(hit, st.sampled_from("abcdef"), st.floats(-1.0, 1.0), st.sampled_from("123")),
    max_size=20,
)


@given(hits_of, st.randoms(use_true_random=False))
def test_order_of_the_hits_does_not_matter(hits: list[Hit], random: object) -> None:
    shuffled = list(hits)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = answer(hits, floor=0.2), answer(shuffled, floor=0.2)
    ranked = [(c.rank, c.subject_id, c.cosine) for c in one.candidates]
    assert ranked == [(c.rank, c.subject_id, c.cosine) for c in other.candidates]
    cosines = [c.cosine for c in one.candidates]
    assert cosines == sorted(cosines, reverse=True)
    assert len({c.subject_id for c in one.candidates}) == len(cosines)


@given(hits_of, st.integers(1, 10**7))
def test_the_words_never_claim_more_than_a_candidate(hits: list[Hit], references: int) -> None:
    found = answer(hits, references=references, floor=0.2)
    said = " ".join([found.why, *found.warnings]).lower()
    assert "match found" not in said
    assert "identified" not in said
