"""The threshold follows the number of references; no flag and no rounding lowers it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fr_cli.decision.threshold import fpir, threshold_for

from .examples import made_up_calibration

CALIBRATION = made_up_calibration()
TARGET = 1 / 6000
counts = st.integers(0, 20_000_000)


def test_the_source_report_s_point() -> None:
    found = threshold_for(CALIBRATION, 10_000, 0.0, TARGET)
    assert found.score == pytest.approx(0.60, abs=0.001)
    assert found.fmr == pytest.approx(1.67e-8, rel=0.01)
    assert CALIBRATION.score(found.cosine) == pytest.approx(found.score)


def test_a_force_s_gallery_needs_more() -> None:
    found = threshold_for(CALIBRATION, 600_000, 0.60, TARGET)
    assert found.fmr == pytest.approx(2.78e-10, rel=0.01)
    assert found.score == pytest.approx(0.60 * math.log(2.778e-10) / math.log(1.67e-8), abs=1e-3)
    assert found.score > 0.73


def test_the_floor_stands_where_little_is_compared() -> None:
    for references in (0, 1, 1_000, 9_000):
        assert threshold_for(CALIBRATION, references, 0.60, TARGET).score == 0.60


def test_fpir_by_hand() -> None:
    cosine = CALIBRATION.cosine(0.60)
    found = fpir(CALIBRATION, cosine, 600_000)
    assert found.expected_false_candidates == pytest.approx(600_000 * 1.67e-8)
    assert found.value == pytest.approx(1 - math.exp(-600_000 * 1.67e-8))
    assert found.compared == 600_000


def test_nothing_compared_is_never_false() -> None:
    found = fpir(CALIBRATION, 0.5, 0)
    assert (found.value, found.low, found.high, found.expected_false_candidates) == (0, 0, 0, 0)
    assert math.copysign(1.0, found.low) == 1.0


@given(counts, counts, st.floats(0.0, 1.5), st.floats(1e-6, 0.5))
def test_more_references_never_lower_the_threshold(
    one: int, other: int, floor: float, target: float
) -> None:
    few, many = sorted((one, other))
    below = threshold_for(CALIBRATION, few, floor, target)
    above = threshold_for(CALIBRATION, many, floor, target)
    assert floor <= below.score <= above.score
    assert below.cosine <= above.cosine


@given(st.integers(1, 20_000_000), st.floats(0.0, 1.5), st.floats(1e-6, 0.5))
def test_the_target_is_kept(references: int, floor: float, target: float) -> None:
    found = threshold_for(CALIBRATION, references, floor, target)
    assert fpir(CALIBRATION, found.cosine, references).value <= target * (1 + 1e-9)


@given(st.floats(-1.0, 1.0), counts)
def test_the_interval_holds_the_rate(cosine: float, references: int) -> None:
    found = fpir(CALIBRATION, cosine, references)
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0


@pytest.mark.parametrize(
    ("references", "floor", "target"),
    [
        (-1, 0.6, 0.1),
        (1, -0.1, 0.1),
        (1, math.inf, 0.1),
        (1, math.nan, 0.1),
        (1, 0.6, 0.0),
        (1, 0.6, 1.0),
    ],
)
def test_what_makes_no_threshold(references: int, floor: float, target: float) -> None:
    with pytest.raises(ValueError):
        threshold_for(CALIBRATION, references, floor, target)
