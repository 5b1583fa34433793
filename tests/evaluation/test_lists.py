"""Candidate lists of six people, and what is read from them: selectivity and growth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fr_cli.evaluation import growth, lists
from fr_cli.evaluation.batched import Scores
from fr_cli.evaluation.growth import fpir_by_n
from fr_cli.evaluation.impostors import Fusion
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
@given(
    st.integers(1, 700), st.integers(1, 6), st.integers(1, 60), st.integers(0, 2**32),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_the_best_of_each_column_are_those_of_a_sort(
    rows: int, columns: int, kept: int, seed: int, ties: bool, double: bool
) -> None:
    random = np.random.default_rng(seed)
    scores: Scores = random.uniform(-1, 1, (rows, columns))
    if not double:
        scores = scores.astype(np.float32)
    if ties:
        scores = np.round(scores, 1)
    scores[random.random(scores.shape) < random.choice([0.1, 0.9])] = NONE
    bounds = [0, *sorted(set(random.integers(1, rows + 1, 3).tolist()) - {rows}), rows]
    chunks = [(a, scores[a:b]) for a, b in itertools.pairwise(bounds)]
    values, places = lists._best(iter(chunks), kept)
    # Falling, ties by place, and nobody who does not count.
    order = np.argsort(-scores.T, axis=1, kind="stable")[:, :kept]
    wanted = np.take_along_axis(scores.T, order, axis=1)
    short = ((0, 0), (0, kept - order.shape[1]))
    assert np.array_equal(values, np.pad(wanted, short, constant_values=NONE))
    order[np.isneginf(wanted)] = -1
    assert np.array_equal(places, np.pad(order, short, constant_values=-1))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 300), st.integers(0, 2**32), st.sampled_from(["best", "mean"]))
def test_any_lists_are_those_of_a_double_loop(people: int, seed: int, fusion: Fusion) -> None:
    random = np.random.default_rng(seed)
    photos = random.standard_normal((int(random.integers(1, 400)), 8)).astype(np.float32)
    photos /= np.linalg.norm(photos, axis=1, keepdims=True)
    probes = random.standard_normal((12, 8)).astype(np.float32)
    probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    owners = [f"{number:03}" for number in random.integers(0, people, len(photos))]
    asked = [f"{number:03}" for number in random.integers(0, 2 * people, len(probes))]
    excluded = [frozenset({asked[0], owners[0]}), frozenset({asked[1], owners[-1]})]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists, "_ROWS", int(random.choice([7, 60, 10_000])))
        patch.setattr(lists, "_PROBES", int(random.choice([5, 256])))
        found = candidate_lists(
            photos, owners, list(probes), asked, excluded=excluded, fusion=fusion
        )
    for scores, name, probe in zip(found.scores, asked, probes, strict=True):
        cosines = photos.astype(np.float64) @ probe.astype(np.float64)
        of_each = [
            cosines[[owner == other for owner in owners]]
            for other in set(owners) - {name}
            if frozenset({other, name}) not in excluded
        ]
        best = sorted(one.max() if fusion == "best" else one.mean() for one in of_each)[::-1]
        listed = scores[np.isfinite(scores)]
        assert len(listed) == min(len(best), lists.LONGEST)
        assert listed == pytest.approx(best[: lists.LONGEST], abs=1e-6)
