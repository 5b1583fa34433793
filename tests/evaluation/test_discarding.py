"""Error against discarded quality, by hand."""

from __future__ import annotations

import numpy as np

from fr_cli.evaluation.discarding import error_discard, lowest
from fr_cli.evaluation.rates import Probes

NAN = float("nan")
#: Ten mated probes, of which the two poorest are missed; a stranger; one without a face.
PROBES = Probes(
    mated=np.array([True] * 10 + [False, True]),
    acquired=np.array([True] * 11 + [False]),
    nonmate=np.zeros(12),
    mate=np.array([0.1, 0.2] + [0.9] * 8 + [0.0, 0.0]),
    rank=np.ones(12, int),
)
GOOD = np.array([5.0, 10, 20, 30, 40, 50, 60, 70, 80, NAN, 0, NAN])


def test_a_measure_that_is_worth_a_floor() -> None:
    (curve,) = error_discard(PROBES, {"sharpness": GOOD}, 0.5, shares=(0.0, 0.1, 0.2, 0.95))
    assert curve.unassessed == 1
    assert [point.fnir.value for point in curve.points] == [0.2, 1 / 9, 0.0, 0.0]
    assert [point.fnir.of for point in curve.points] == [10, 9, 8, 1]  # what has none stays
    assert [point.below for point in curve.points] == [None, 5.0, 10.0, 80.0]


def test_a_measure_that_is_worth_nothing() -> None:
    (curve,) = error_discard(PROBES, {"wrong": -GOOD}, 0.5, shares=(0.0, 0.2))
    assert curve.points[1].fnir.value == 2 / 8


def test_the_lowest_component_stands_for_all() -> None:
    one, other = np.array([10.0, NAN, NAN, 70.0]), np.array([30.0, 20.0, NAN, 50.0])
    np.testing.assert_array_equal(lowest({"a": one, "b": other}), [10.0, 20.0, NAN, 50.0])


def test_nobody_mated_gives_no_curve() -> None:
    strangers = Probes(
        np.zeros(2, bool), np.ones(2, bool), np.zeros(2), np.zeros(2), np.zeros(2, int)
    )
    assert error_discard(strangers, {"a": np.zeros(2)}, 0.5) == []
