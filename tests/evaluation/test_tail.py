"""The fitted tail against truth that is known, and against scipy."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from fr_cli.decision.calibration import ANCHOR_FMR, Calibration
from fr_cli.decision.document import calibration_from_dict, calibration_to_dict
from fr_cli.evaluation.impostors import BINS, ImpostorSample, compare_all
from fr_cli.evaluation.tail import TAIL_FRACTION, fit_calibration, fit_pareto


def pareto(xi: float, size: int = 5_000, seed: int = 0) -> np.ndarray:
    from scipy.stats import genpareto

    drawn: np.ndarray = genpareto(xi, scale=0.03).rvs(size, random_state=seed)
    return drawn


def calibrate(
    sample: ImpostorSample, draws: int = 60, tail_fraction: float = TAIL_FRACTION
) -> Calibration:
    return fit_calibration(
        sample,
        fingerprint="simulated",
        model="simulated",
        data_name="simulated",
        data_sha256="0" * 64,
        made="2026-11-23",
        draws=draws,
        tail_fraction=tail_fraction,
    )


@pytest.mark.parametrize("xi", [-0.4, -0.2, -0.05, 0.0, 0.1, 0.3])
def test_the_fit_is_scipy_s_maximum_and_near_the_truth(xi: float) -> None:
    from scipy.stats import genpareto

    values = pareto(xi)
    found = fit_pareto(values)
    assert found == pytest.approx((xi, 0.03), abs=0.05)
    theirs = genpareto.fit(values, floc=0.0)
    ours_fits = genpareto.logpdf(values, found[0], scale=found[1]).sum()
    assert ours_fits >= genpareto.logpdf(values, theirs[0], scale=theirs[2]).sum() - 1e-3


def test_the_fit_knows_scale_and_weights() -> None:
    values = pareto(-0.2, 800)
    xi, beta = fit_pareto(values)
    assert fit_pareto(values * 50.0) == pytest.approx((xi, beta * 50.0), rel=1e-5)
    weights = np.random.default_rng(1).integers(1, 4, values.size)
    repeated = fit_pareto(np.repeat(values, weights))
    assert fit_pareto(values, weights.astype(float)) == pytest.approx(repeated, rel=1e-5)


def test_the_shape_stays_within_its_limits() -> None:
    assert fit_pareto(np.linspace(0.01, 1.0, 100))[0] == pytest.approx(-0.5)
    assert fit_pareto(pareto(2.0))[0] == pytest.approx(0.5)
    for wrong in (np.array([0.1]), np.array([0.1, 0.0]), np.array([0.1, np.nan])):
        with pytest.raises(ValueError):
            fit_pareto(wrong)


@cache
def sphere(dimension: int, seed: int) -> ImpostorSample:
    """4,500 random unit vectors: 10 million cosines, (1 + cos)/2 is Beta((d−1)/2, (d−1)/2)."""
    vectors = np.random.default_rng(seed).standard_normal((4_500, dimension))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return compare_all(vectors.astype(np.float32), np.arange(4_500), tail_size=30_000).nonmated


def true_cosine(fmr: float, dimension: int) -> float:
    from scipy.stats import beta

    half = (dimension - 1) / 2
    return float(2.0 * beta.isf(fmr, half, half) - 1.0)


@pytest.mark.parametrize("dimension", [16, 64, 128])
@pytest.mark.parametrize("seed", [0, 1])
def test_ten_million_comparisons_of_known_truth(dimension: int, seed: int) -> None:
    sample = sphere(dimension, seed)
    assert sample.comparisons == 4_500 * 4_499 // 2
    calibration = calibrate(sample)
    for fmr, factor in (
        (0.5, 1.01),
        (0.01, 1.05),
        (1e-3, 1.1),
        (1e-4, 1.2),
        (1e-5, 1.5),
        (1e-6, 2.0),
    ):
        cosine = true_cosine(fmr, dimension)
        assert fmr / factor < calibration.fmr(cosine) < fmr * factor
    for fmr in (1e-5, 1e-6, 1e-7, ANCHOR_FMR):
        low, high = calibration.fmr_interval(true_cosine(fmr, dimension))
        assert low < fmr < high


def test_the_calibration_says_what_it_stands_on() -> None:
    calibration = calibrate(sphere(64, 0))
    assert calibration.data.comparisons == 4_500 * 4_499 // 2
    assert (calibration.data.subjects, calibration.data.images) == (4_500, 4_500)
    assert calibration.smallest_fmr == pytest.approx(3 / calibration.data.comparisons)
    assert calibration.largest_impostor == sphere(64, 0).cosines[0]
    assert calibration.tail.p_u == pytest.approx(3_000 / calibration.data.comparisons, rel=0.01)
    assert len(calibration.draws) == 60
    assert calibration_from_dict(calibration_to_dict(calibration)) == calibration
    assert calibrate(sphere(64, 0)) == calibration


def test_the_calibration_is_strictly_increasing_and_joins_without_a_step() -> None:
    calibration = calibrate(sphere(16, 0))
    scores = [calibration.score(float(cosine)) for cosine in np.linspace(-1.0, 1.0, 20_001)]
    assert np.all(np.diff(scores) > 0.0)
    u = calibration.tail.u
    assert calibration.fmr(u - 1e-9) == pytest.approx(calibration.fmr(u + 1e-9), rel=1e-5)


def test_other_choices_of_u_give_about_the_same_anchor() -> None:
    fits = [calibrate(sphere(64, 1), 40, fraction) for fraction in (2e-3, 1e-3, 5e-4)]
    assert np.ptp([fit.cosine(0.6) for fit in fits]) < 0.02
    assert fits[0].tail.p_u > fits[1].tail.p_u > fits[2].tail.p_u


def dependent(seed: int, subjects: int = 300, share: float = 0.15) -> ImpostorSample:
    """Cosines N(0, 0.1²) of which each of the two people brings a `share` of the variance."""
    rng = np.random.default_rng(seed)
    own = rng.normal(0.0, 0.1 * np.sqrt(share), subjects)
    first, second = np.triu_indices(subjects, 1)
    noise = rng.normal(0.0, 0.1 * np.sqrt(1.0 - 2.0 * share), first.size)
    cosines = np.clip(own[first] + own[second] + noise, -1.0, 1.0)
    top = np.argsort(-cosines)[:1_000]
    return ImpostorSample(
        np.histogram(cosines, BINS, (-1.0, 1.0))[0].astype(np.int64),
        cosines[top],
        first[top],
        second[top],
        np.ones(subjects, dtype=np.int64),
        np.empty((0, 2), dtype=np.int64),
    )


def test_intervals_cover_although_pairs_share_people() -> None:
    from scipy.stats import norm

    runs, targets = 60, (3e-3, 1e-3, 1e-4)
    inside = dict.fromkeys(targets, 0)
    for seed in range(runs):
        calibration = calibrate(dependent(seed), draws=60)
        for fmr in targets:
            low, high = calibration.fmr_interval(0.1 * float(norm.isf(fmr)))
            inside[fmr] += low <= fmr <= high
    # 95 % is promised; of 60 runs, 51 is what chance leaves at the 0.1 % level.
    assert min(inside.values()) >= 51


def test_too_few_comparisons_make_no_calibration() -> None:
    with pytest.raises(ValueError, match="too few"):
        calibrate(dependent(0, subjects=100))
