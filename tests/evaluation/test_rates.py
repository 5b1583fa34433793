"""Open-set identification rates: six people by hand, and what must hold for any probes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fr_cli.evaluation.intervals import clopper_pearson
from fr_cli.evaluation.rates import (
    Probes,
    cmc,
    det,
    fpir,
    threshold_at_fpir,
    tpir,
    within_rank,
)

NAN = float("nan")


def probes(rows: Sequence[tuple[bool, bool, float, float, int]]) -> Probes:
    mated, acquired, nonmate, mate, rank = zip(*rows, strict=True) if rows else ((),) * 5
    return Probes(
        np.array(mated, dtype=bool),
        np.array(acquired, dtype=bool),
        np.array(nonmate, dtype=float),
        np.array(mate, dtype=float),
        np.array(rank, dtype=int),
    )


#: Six people in the gallery, one probe of each (the last without a face), five of strangers.
SIX = probes(
    [
        (True, True, 0.30, 0.90, 1),
        (True, True, 0.40, 0.80, 1),
        (True, True, 0.20, 0.45, 1),
        (True, True, 0.38, 0.35, 2),
        (True, True, 0.33, 0.25, 3),
        (True, False, NAN, NAN, 0),
        (False, True, 0.50, NAN, 0),
        (False, True, 0.40, NAN, 0),
        (False, True, 0.30, NAN, 0),
        (False, True, 0.20, NAN, 0),
        (False, False, NAN, NAN, 0),
    ]
)


def test_counts_keep_the_failures() -> None:
    assert (SIX.mated_count, SIX.nonmated_count, SIX.failures_to_acquire) == (6, 5, 2)


@pytest.mark.parametrize(
    ("threshold", "false", "true"), [(0.6, 0, 2), (0.5, 1, 2), (0.4, 2, 3), (0.1, 4, 5)]
)
def test_rates_at_a_threshold(threshold: float, false: int, true: int) -> None:
    assert (fpir(SIX, threshold).cases, fpir(SIX, threshold).of) == (false, 5)
    found = tpir(SIX, threshold)
    assert (found.cases, found.of, found.value) == (true, 6, true / 6)
    assert (found.low, found.high) == clopper_pearson(true, 6)


@pytest.mark.parametrize(
    ("target", "above", "false", "true"),
    [(0.0, 0.50, 0, 2), (0.19, 0.50, 0, 2), (0.2, 0.40, 1, 3), (0.4, 0.30, 2, 4), (0.7, 0.2, 3, 5)],
)
def test_threshold_at_a_target(target: float, above: float, false: int, true: int) -> None:
    threshold = threshold_at_fpir(SIX, target)
    assert threshold == np.nextafter(above, 1.0)
    assert fpir(SIX, threshold).cases == false
    assert tpir(SIX, threshold).cases == true


def test_a_target_that_nothing_exceeds_gives_the_lowest_score() -> None:
    assert threshold_at_fpir(SIX, 0.8) == 0.20
    assert tpir(SIX, 0.20).cases == 5


def test_rounding_does_not_lose_a_case() -> None:
    many = probes([(False, True, place / 1000, NAN, 0) for place in range(1000)])
    for target, cases in ((0.003, 3), (0.001, 1), (0.01, 10), (0.0029, 2), (1.0, 1000)):
        assert fpir(many, threshold_at_fpir(many, target)).cases == cases


def test_ties_stay_out_together() -> None:
    tied = probes([(False, True, 0.5, NAN, 0)] * 3 + [(False, True, 0.1, NAN, 0)] * 7)
    assert fpir(tied, threshold_at_fpir(tied, 0.2)).cases == 0
    assert fpir(tied, threshold_at_fpir(tied, 0.3)).cases == 3


def test_ranks() -> None:
    assert within_rank(SIX, 1).value == 0.5
    assert cmc(SIX, 4) == pytest.approx([3 / 6, 4 / 6, 5 / 6, 5 / 6])
    assert len(cmc(SIX)) == 50


def test_det_by_hand() -> None:
    points = [(round(p.fpir, 6), round(p.fnir, 6)) for p in det(SIX)]
    assert points == [
        (0.0, round(4 / 6, 6)),
        (0.2, 0.5),
        (0.4, round(2 / 6, 6)),
        (0.6, round(1 / 6, 6)),
        (0.8, round(1 / 6, 6)),
    ]


def test_nothing_to_count() -> None:
    none = probes([])
    assert cmc(none) == []
    assert det(none) == []
    assert tpir(none, 0.5).value is None
    assert (tpir(none, 0.5).low, tpir(none, 0.5).high) == (0.0, 1.0)
    with pytest.raises(ValueError):
        threshold_at_fpir(none, 0.1)


def test_no_other_subject_in_the_gallery_is_no_false_positive() -> None:
    alone = probes([(False, True, -np.inf, NAN, 0), (True, True, -np.inf, 0.3, 1)])
    assert threshold_at_fpir(alone, 0.0) == 0.3
    assert fpir(alone, -1.0).cases == 0


@pytest.mark.parametrize(
    "row",
    [
        (False, True, NAN, NAN, 0),
        (False, True, np.inf, NAN, 0),
        (True, True, 0.1, NAN, 1),
        (True, True, NAN, 0.5, 1),
        (True, True, 0.1, 0.5, 0),
    ],
)
def test_what_no_search_finds(row: tuple[bool, bool, float, float, int]) -> None:
    with pytest.raises(ValueError):
        probes([row])


def test_columns_of_different_shape() -> None:
    with pytest.raises(ValueError, match="shape"):
        replace(SIX, rank=SIX.rank[1:])


#: Scores on a grid, so that a monotone map in floats cannot make two of them one.
grid = st.integers(-1000, 1000).map(lambda place: place / 1000)
any_probes = st.lists(
    st.tuples(st.booleans(), st.sampled_from([True, True, True, False]), grid, grid, st.just(1)),
    min_size=1,
    max_size=60,
).map(probes)


@given(any_probes, grid, grid)
def test_rates_fall_with_the_threshold(some: Probes, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert fpir(some, low).cases >= fpir(some, high).cases
    assert tpir(some, low).cases >= tpir(some, high).cases


@given(any_probes, st.floats(0.0, 1.0))
def test_the_threshold_keeps_the_target_and_is_the_smallest(some: Probes, target: float) -> None:
    if not some.nonmated_count:
        return
    threshold = threshold_at_fpir(some, target)
    assert fpir(some, threshold).cases <= target * some.nonmated_count + 1e-9
    below = float(np.nextafter(threshold, -np.inf))
    at_lowest = tpir(some, below).cases == tpir(some, -2.0).cases
    assert fpir(some, below).cases / some.nonmated_count > target or at_lowest


@pytest.mark.parametrize(
    "change",
    [lambda s: 2.0 * s + 1.0, np.tanh, lambda s: np.exp(3.0 * s)],
    ids=["2s+1", "tanh", "exp"],
)
@given(some=any_probes, target=st.floats(0.0, 1.0))
def test_tpir_at_fpir_knows_no_scale(
    change: Callable[[np.ndarray], np.ndarray], some: Probes, target: float
) -> None:
    if not some.nonmated_count:
        return
    mapped = replace(some, nonmate=change(some.nonmate), mate=change(some.mate))
    before, after = threshold_at_fpir(some, target), threshold_at_fpir(mapped, target)
    assert tpir(some, before) == tpir(mapped, after)
    assert fpir(some, before) == fpir(mapped, after)


@given(any_probes)
def test_curves_are_monotone(some: Probes) -> None:
    assert all(a <= b for a, b in itertools.pairwise(cmc(some)))
    curve = det(some)
    assert all(
        a.fpir <= b.fpir and a.fnir >= b.fnir and a.threshold_cosine >= b.threshold_cosine
        for a, b in itertools.pairwise(curve)
    )


def test_a_long_det_is_thinned() -> None:
    rng = np.random.default_rng(0)
    many = probes([(place % 2 == 0, True, s, s, 1) for place, s in enumerate(rng.random(20_000))])
    curve = det(many)
    assert 100 < len(curve) <= 201
    assert curve[0].fpir == 0.0
    assert curve[-1].fpir == pytest.approx(1.0, abs=1e-3)
