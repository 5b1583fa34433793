"""Candidate lists of six people, and what is read from them: selectivity and growth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fr_cli.evaluation import growth, lists
from fr_cli.evaluation.growth import fpir_by_n
from fr_cli.evaluation.lists import Lists, candidate_lists
from fr_cli.evaluation.selectivity import selectivity
from tests.decision.examples import made_up_calibration

NONE = -np.inf
#: Three strangers asked about in a gallery of six people; the last without a face.
SIX = Lists(
    scores=np.array([[0.7, 0.5, 0.4], [0.45, 0.2, NONE], [NONE, NONE, NONE]]),
    subjects=np.array([[2, 0, 5], [1, 3, -1], [-1, -1, -1]]),
    people=np.array([0, 1, 2]),
    enrolled=6,
    references=6,
)
CALIBRATION = made_up_calibration()


def test_selectivity_is_the_mean_length_of_a_list() -> None:
    rows = selectivity(SIX, CALIBRATION, [0.4, 0.5, 0.8])
    assert [row.candidates.value for row in rows] == [4 / 3, 2 / 3, 0.0]
    assert [row.at_least for row in rows] == [True, False, False]  # three are kept of the first
    assert rows[2].candidates.high > 0.0
    assert rows[0].expected == pytest.approx(6 * CALIBRATION.fmr(0.4))
    assert selectivity(SIX, None, [0.4])[0].expected is None


def test_fpir_of_smaller_galleries_is_the_mean_over_all_of_them() -> None:
    found = SIX.reaching(0.45)
    assert found.tolist() == [2, 1, 0]
    for drawn in range(1, 7):
        by_hand = []
        for hits in ({2, 0}, {1}, set()):
            galleries = list(itertools.combinations(range(6), drawn))
            by_hand.append(sum(bool(hits & set(one)) for one in galleries) / len(galleries))
        assert growth._any(found, 6, drawn) == pytest.approx(by_hand)


def test_rows_beyond_the_gallery_are_forecasts_alone() -> None:
    rows = fpir_by_n(SIX, CALIBRATION, [0.45])
    assert [row.references for row in rows] == [1, 2, 6, 60, 600]
    assert [row.method for row in rows] == ["empirical"] * 3 + ["extrapolated"] * 2
    measured = [row.fpir.value for row in rows if row.fpir]
    assert measured == sorted(measured)
    assert measured[-1] == 2 / 3
    for row in rows:
        expected = -math.expm1(-row.references * CALIBRATION.fmr(0.45))
        assert row.forecast == pytest.approx(expected)
        assert row.forecast_low <= row.forecast <= row.forecast_high


def test_nobody_asked_about_gives_no_rows() -> None:
    empty = Lists(np.empty((0, 3)), np.empty((0, 3), np.int64), np.empty(0, np.int64), 6, 6)
    assert selectivity(empty, CALIBRATION, [0.4]) == []
    assert fpir_by_n(empty, CALIBRATION, [0.4]) == []
    assert growth.growth(empty) == []


def test_a_forecast_from_a_tenth_holds_for_strangers_alike() -> None:
    """Independent scores: what the forecast assumes. A gallery with twins it cannot foresee."""
    rng = np.random.default_rng(5)
    scores = rng.normal(0.1, 0.1, (800, 1000))
    order = np.argsort(-scores, axis=1)[:, :50]
    lists = Lists(np.take_along_axis(scores, order, 1), order, np.arange(800), 1000, 1000)
    rows = growth.growth(lists)
    assert [row.references for row in rows] == [100, 100][: len(rows)] or len(rows) == 3
    assert rows
    for row in rows:
        assert row.larger == 1000
        assert row.holds
        assert row.ratio == pytest.approx(row.measured / row.forecast)


def test_a_search_leaves_out_the_own_subject_and_excluded_pairs() -> None:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(9, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = ["a", "b", "c", "d", "e", "f"]
    lists = candidate_lists(
        vectors[:6], names, [vectors[6], None, vectors[8]], ["x", "y", "c"],
        excluded=[frozenset({"x", "b"})],
    )  # fmt: skip
    cosines = vectors[[6, 8]].astype(float) @ vectors[:6].T
    assert lists.enrolled == 6
    assert set(lists.subjects[0].tolist()) == {0, 2, 3, 4, 5, -1}
    assert set(lists.subjects[2].tolist()) == {0, 1, 3, 4, 5, -1}
    assert lists.scores[0, 0] == pytest.approx(np.delete(cosines[0], 1).max(), abs=1e-6)
    assert np.isneginf(lists.scores[1]).all()
    for row in lists.scores:
        assert sorted(row, reverse=True) == row.tolist()
    with pytest.raises(ValueError):
        candidate_lists(vectors[:0], [], [], [])


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 400), st.integers(1, 6), st.integers(0, 2**32), st.booleans())
def test_the_best_of_each_column_are_those_of_a_sort(
    rows: int, columns: int, seed: int, ties: bool
) -> None:
    random = np.random.default_rng(seed)
    scores = random.uniform(-1, 1, (rows, columns)).astype(np.float32)
    if ties:
        scores = np.round(scores, 1)
    scores[random.random(scores.shape) < 0.1] = NONE
    kept = int(random.integers(1, min(rows, 50) + 1))
    values, places = lists._best(scores, kept)
    wanted = np.sort(scores, axis=0)[::-1][:kept].T
    assert np.array_equal(values, wanted)
    assert np.array_equal(np.take_along_axis(scores.T, places, axis=1), wanted)
    assert all(len(set(row)) == kept for row in places.tolist())
