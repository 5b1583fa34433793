"""A calibration is strictly increasing, invertible, anchored, and honest about its reach."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fr_cli.decision.calibration import ANCHOR_FMR, FLOOR_FMR, Calibration, Tail, score_of

from .examples import TAIL, draws, made_up_calibration

CALIBRATION = made_up_calibration()
cosines = st.floats(-1.0, 1.0)


def with_tail(tail: Tail) -> Calibration:
    return replace(CALIBRATION, tail=tail, draws=(tail,) * 40)


tails = st.builds(
    Tail,
    u=st.just(0.42),
    p_u=st.floats(1e-6, 5e-4),
    xi=st.floats(-0.5, 0.5),
    beta=st.floats(0.005, 0.1),
)


def test_the_anchor_is_exact() -> None:
    assert score_of(1.67e-8) == 0.60
    assert score_of(1.0) == 0.0
    cosine = CALIBRATION.cosine(0.60)
    assert CALIBRATION.fmr(cosine) == pytest.approx(ANCHOR_FMR, rel=1e-12)
    assert CALIBRATION.score(cosine) == pytest.approx(0.60, abs=1e-12)


def test_the_curve_by_hand() -> None:
    assert CALIBRATION.fmr(-1.0) == 1.0
    assert CALIBRATION.score(-1.0) == 0.0
    assert CALIBRATION.fmr(0.30) == pytest.approx(0.005)
    assert CALIBRATION.fmr(0.33) == pytest.approx(math.sqrt(0.005 * 1e-3))  # halfway in log
    assert CALIBRATION.fmr(0.42) == pytest.approx(1e-4)
    # 1e-4 · (1 − 0.1 · 0.08 / 0.026)^10
    assert CALIBRATION.fmr(0.50) == pytest.approx(1e-4 * (1 - 0.008 / 0.026) ** 10)


def test_an_exponential_tail_by_hand() -> None:
    flat = with_tail(Tail(0.42, 1e-4, 0.0, 0.02))
    assert flat.fmr(0.52) == pytest.approx(1e-4 * math.exp(-5.0))
    nearly = with_tail(Tail(0.42, 1e-4, 1e-9, 0.02))
    assert nearly.fmr(0.52) == pytest.approx(flat.fmr(0.52), rel=1e-6)


def test_the_tail_goes_straight_on_below_the_floor() -> None:
    knee = TAIL.cosine(-math.log(FLOOR_FMR))
    before = TAIL.evidence(knee) - TAIL.evidence(knee - 1e-6)
    after = TAIL.evidence(knee + 1e-6) - TAIL.evidence(knee)
    assert after == pytest.approx(before, rel=1e-3)
    assert TAIL.evidence(knee + 2e-3) - TAIL.evidence(knee + 1e-3) == pytest.approx(1e3 * after)
    end = TAIL.u - TAIL.beta / TAIL.xi  # the Pareto alone would say: impossible
    assert 0.0 < CALIBRATION.fmr(end) < FLOOR_FMR
    assert knee < end


@given(tails, cosines, cosines)
def test_higher_cosine_never_has_lower_score(tail: Tail, one: float, other: float) -> None:
    calibration = with_tail(tail)
    low, high = sorted((one, other))
    assert 0.0 <= calibration.score(low) <= calibration.score(high) < math.inf
    assert 1.0 >= calibration.fmr(low) >= calibration.fmr(high) > 0.0
    if high - low > 1e-9:
        assert calibration.score(low) < calibration.score(high)


@given(tails, cosines)
def test_cosine_undoes_score(tail: Tail, cosine: float) -> None:
    calibration = with_tail(tail)
    assert calibration.cosine(calibration.score(cosine)) == pytest.approx(cosine, abs=1e-6)


@given(tails, st.floats(0.0, 3.0))
def test_score_undoes_cosine(tail: Tail, score: float) -> None:
    calibration = with_tail(tail)
    cosine = calibration.cosine(score)
    if cosine <= 1.0:
        assert calibration.score(cosine) == pytest.approx(score, abs=1e-6)


def test_scores_out_of_reach() -> None:
    assert CALIBRATION.cosine(-0.1) == -1.0
    assert CALIBRATION.cosine(CALIBRATION.score(1.0) + 0.1) > 1.0
    heavy = with_tail(Tail(0.42, 1e-4, 0.5, 0.02))
    assert heavy.cosine(1e6) > 1.0


def test_rounding_outside_the_cosines_is_forgiven_and_nan_is_not() -> None:
    assert CALIBRATION.score(1.0000001) == CALIBRATION.score(1.0)
    assert CALIBRATION.score(-1.0000001) == 0.0
    for ask in (CALIBRATION.score, CALIBRATION.fmr, CALIBRATION.cosine, CALIBRATION.fmr_interval):
        with pytest.raises(ValueError, match="must be a number"):
            ask(math.nan)


@given(cosines, st.floats(0.5, 0.99))
def test_intervals_hold_the_rate_and_grow_with_the_level(cosine: float, level: float) -> None:
    low, high = CALIBRATION.fmr_interval(cosine, level)
    wider_low, wider_high = CALIBRATION.fmr_interval(cosine, 0.995)
    assert 0.0 < wider_low <= low <= CALIBRATION.fmr(cosine) <= high <= wider_high <= 1.0


def test_interval_widens_into_the_tail() -> None:
    widths = [
        math.log(high / low)
        for low, high in map(CALIBRATION.fmr_interval, (0.42, 0.45, 0.50, 0.55, 0.60))
    ]
    assert all(narrow < wide for narrow, wide in itertools.pairwise(widths))


def test_extrapolated_begins_at_the_smallest_rate_of_the_data() -> None:
    edge = CALIBRATION.cosine(score_of(CALIBRATION.smallest_fmr))
    assert not CALIBRATION.extrapolated(edge - 1e-6)
    assert CALIBRATION.extrapolated(edge + 1e-6)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"table": ((0.1, 0.2), (0.1, 0.1))}, "table"),
        ({"table": ((0.1, 0.2), (0.2, 0.2))}, "table"),
        ({"table": ((0.1, 1.0),)}, "table"),
        ({"table": ((0.1, math.nan),)}, "table"),
        ({"table": ((0.5, 0.2),)}, "table"),
        ({"draws": ()}, "draws"),
        ({"draws": draws(replace(TAIL, u=0.5))}, "draws"),
        ({"fusion": "median"}, "fusion"),
        ({"fingerprint": ""}, "fingerprint"),
        ({"smallest_fmr": 0.0}, "smallest_fmr"),
        ({"largest_impostor": math.nan}, "largest_impostor"),
    ],
)
def test_parts_that_make_no_calibration(change: dict[str, object], wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        replace(CALIBRATION, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change", [{"p_u": 0.0}, {"p_u": 1.0}, {"xi": -1.0}, {"beta": 0.0}, {"beta": math.inf}]
)
def test_parts_that_make_no_tail(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="tail"):
        replace(TAIL, **change)


def test_an_answer_waits_for_neither_numpy_nor_scipy() -> None:
    code = "import sys, fr_cli.decision.answer, fr_cli.decision.document; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"numpy", "scipy"} & set(loaded.stdout.split())
