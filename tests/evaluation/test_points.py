"""Points of the report: measured where they can be, extrapolated within reach, else empty."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from fr_cli.decision.calibration import Calibration, Data, Tail
from fr_cli.evaluation.points import points
from fr_cli.evaluation.rates import Probes, fpir, threshold_at_fpir, tpir

TAIL = Tail(u=0.42, p_u=1e-4, xi=-0.1, beta=0.026)
CALIBRATION = Calibration(
    fingerprint="made up",
    model="made up",
    fusion="best",
    data=Data("made up", "0" * 64, subjects=2, images=2, comparisons=1),
    table=((0.2, 0.05),),
    tail=TAIL,
    draws=(TAIL,) * 40,
    smallest_fmr=3e-8,
    largest_impostor=0.59,
    made="2026-11-23",
)


def simulated(nonmated: int, mated: int = 400, seed: int = 0) -> Probes:
    """Strangers' best scores are Gumbel (mode 0.35, scale 0.02), mates normal about 0.55."""
    rng = np.random.default_rng(seed)
    count = nonmated + mated
    return Probes(
        mated=np.arange(count) < mated,
        acquired=np.ones(count, dtype=bool),
        nonmate=rng.gumbel(0.35, 0.02, count),
        mate=rng.normal(0.55, 0.1, count),
        rank=np.ones(count, dtype=int),
    )


def true_threshold(target: float) -> float:
    return float(0.35 - 0.02 * np.log(-np.log1p(-target)))


def methods(probes: Probes) -> list[str]:
    return [point["method"] for point in points(probes)]


def test_how_each_target_is_come_by() -> None:
    empirical, extrapolated, none = "empirical", "extrapolated", "not_measurable"
    assert methods(simulated(6_000)) == [empirical] * 3 + [extrapolated, empirical]
    assert methods(simulated(1_000)) == [empirical] * 3 + [extrapolated] * 2
    assert methods(simulated(200)) == [empirical] + [extrapolated] * 4
    assert methods(simulated(100)) == [empirical] + [none] * 4
    assert methods(simulated(0)) == [none] * 5
    assert methods(simulated(1_000, mated=0)) == [none] * 5


def test_what_is_not_measurable_is_null() -> None:
    for point in points(simulated(0), CALIBRATION):
        known = {point["fpir"], point["nonmated_needed"], "not_measurable", None}
        assert set(point.values()) == known
    json.dumps(points(simulated(300), CALIBRATION), allow_nan=False)


def test_an_empirical_point_is_the_rates_own() -> None:
    probes = simulated(1_000)
    point = points(probes, CALIBRATION)[0]
    threshold = threshold_at_fpir(probes, 0.01)
    found, false = tpir(probes, threshold), fpir(probes, threshold)
    assert false.cases == 10
    assert point["threshold_cosine"] == threshold
    assert point["threshold_score"] == CALIBRATION.score(threshold)
    assert (point["tpir"], point["tpir_low"], point["tpir_high"]) == (
        found.value,
        found.low,
        found.high,
    )
    assert (point["fpir_low"], point["fpir_high"]) == (false.low, false.high)
    assert points(probes)[0]["threshold_score"] is None


def test_an_extrapolated_threshold_is_near_the_truth() -> None:
    errors, inside = [], 0
    for seed in range(20):
        point = points(simulated(2_000, seed=seed), targets=[1e-4])[0]
        assert point["method"] == "extrapolated"
        assert point["threshold_cosine"] is not None
        errors.append(point["threshold_cosine"] - true_threshold(1e-4))
        real = -np.expm1(-np.exp(-(point["threshold_cosine"] - 0.35) / 0.02))
        assert point["fpir_low"] is not None
        assert point["fpir_high"] is not None
        # The interval is about the fit at 1e-4; the true rate must lie in it as often as said.
        inside += point["fpir_low"] <= real <= point["fpir_high"]
    assert abs(np.median(errors)) < 0.02
    assert inside >= 16


def test_an_extrapolated_tpir_holds_the_threshold_s_own_doubt() -> None:
    probes = simulated(1_000)
    point = points(probes, targets=[1e-4])[0]
    threshold, value = point["threshold_cosine"], point["tpir"]
    low, high = point["tpir_low"], point["tpir_high"]
    assert threshold is not None
    assert value is not None
    assert low is not None
    assert high is not None
    alone = tpir(probes, threshold)
    assert 0.0 <= low < alone.low <= value <= alone.high < high <= 1.0


def test_failures_to_acquire_count_against_the_mated_only() -> None:
    probes = simulated(1_000)
    failed = replace(probes, acquired=np.arange(1_400) % 10 > 0)
    assert failed.nonmated_count == 1_000
    before, after = points(probes)[0]["tpir"], points(failed)[0]["tpir"]
    assert before is not None
    assert after is not None
    assert after < before


def test_several_probes_of_a_person_widen_the_extrapolation() -> None:
    alone = simulated(1_000)
    ten_each = replace(
        alone, nonmate=np.repeat(alone.nonmate[::10], 10), subjects=np.arange(1_400) // 10
    )
    as_strangers = replace(ten_each, subjects=np.arange(1_400))

    def width(probes: Probes) -> float:
        point = points(probes, targets=[1e-4])[0]
        assert point["fpir_low"] is not None
        assert point["fpir_high"] is not None
        return float(np.log((point["fpir_high"] + 1e-9) / (point["fpir_low"] + 1e-9)))

    # 100 people leave 10 different peaks: too few to fit at all, so spread them a little.
    rng = np.random.default_rng(3)
    jitter = rng.normal(0.0, 1e-3, 1_400)
    spread = replace(ten_each, nonmate=ten_each.nonmate + jitter)
    assert width(spread) > width(replace(as_strangers, nonmate=spread.nonmate))


def test_scores_all_alike_cannot_be_extrapolated() -> None:
    flat = replace(simulated(1_000), nonmate=np.full(1_400, 0.3))
    assert methods(flat) == ["empirical"] * 3 + ["not_measurable"] * 2


def test_the_same_seed_gives_the_same_points() -> None:
    assert points(simulated(1_000), seed=4) == points(simulated(1_000), seed=4)


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_extrapolation_knows_the_scale_of_the_scores(scale: float) -> None:
    probes = simulated(1_000)
    point = points(probes, targets=[1e-4])[0]
    mapped = replace(probes, nonmate=probes.nonmate * scale, mate=probes.mate * scale)
    after = points(mapped, targets=[1e-4])[0]
    assert point["threshold_cosine"] is not None
    assert after["threshold_cosine"] == pytest.approx(point["threshold_cosine"] * scale, rel=1e-4)
    assert after["tpir"] == point["tpir"]
