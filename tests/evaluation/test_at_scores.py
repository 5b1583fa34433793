"""Rates at scores that somebody names."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fr_cli.evaluation.at_scores import at_scores
from fr_cli.evaluation.rates import Probes, fpir, tpir
from tests.decision.examples import made_up_calibration

CALIBRATION = made_up_calibration()


def test_counted_where_there_is_a_case_else_the_calibrations_word() -> None:
    at = CALIBRATION.cosine
    probes = Probes(
        mated=np.array([True, True, False, False]),
        acquired=np.ones(4, bool),
        nonmate=np.array([0.0, 0.0, at(0.55), 0.1]),
        mate=np.array([at(0.65), at(0.95), 0.0, 0.0]),
        rank=np.ones(4, int),
    )
    rows = at_scores(probes, CALIBRATION, references=10_000)
    assert [row.score for row in rows] == [0.5, 0.6, 0.7, 0.8, 0.9]
    assert [row.method for row in rows] == ["empirical"] + ["extrapolated"] * 4
    assert [row.tpir.cases for row in rows] == [2, 2, 1, 1, 1]
    for row in rows:
        cosine = CALIBRATION.cosine(row.score)
        assert (row.tpir, row.fpir) == (tpir(probes, cosine), fpir(probes, cosine))
    assert rows[1].forecast == pytest.approx(-math.expm1(-1.67e-4))  # 1 in 6,000: the anchor
    assert rows[1].forecast_low < rows[1].forecast < rows[1].forecast_high


def test_without_strangers_nothing_is_said_of_them() -> None:
    one = Probes(np.ones(1, bool), np.ones(1, bool), np.zeros(1), np.ones(1), np.ones(1, int))
    assert {row.method for row in at_scores(one, CALIBRATION, 10)} == {"not_measurable"}
