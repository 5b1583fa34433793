"""The test of equality and its power: against scipy, by hand, and in simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fr_cli.evaluation.equality import LEVEL, detectable_ratio, fisher, holm, judge
from fr_cli.evaluation.trials import Trials


def trials(*counts: tuple[int, int], photos: int = 1) -> Trials:
    """Groups a, b, … of (cases, people), each person with as many photos, all alike."""
    case = np.concatenate([np.arange(of) < cases for cases, of in counts]).repeat(photos)
    people = np.arange(sum(of for _, of in counts)).repeat(photos)
    codes = np.repeat(np.arange(len(counts)), [of * photos for _, of in counts])
    return Trials(case, people, codes, tuple("abcdef"[: len(counts)]))


@pytest.mark.parametrize("seed", range(30))
def test_fisher_is_that_of_scipy(seed: int) -> None:
    from scipy.stats import fisher_exact

    rng = np.random.default_rng(seed)
    of, other = (int(n) for n in rng.integers(1, 80, 2))
    k, m = int(rng.integers(0, of + 1)), int(rng.integers(0, other + 1))
    expected = fisher_exact([[k, of - k], [m, other - m]])[1]
    assert fisher(k, of, m, other) == pytest.approx(expected, abs=1e-9)


def test_holm_steps_down() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_the_published_pattern_differs() -> None:
    found = judge(trials((4, 10_000), (400, 10_000), (550, 10_000)), "FPIR")
    assert found.verdict == "differs"
    assert found.sentence.startswith("FPIR differs from that of the others for a 0.04%")
    assert len(found.differing) == 3


def test_two_groups_ask_one_question() -> None:
    found = judge(trials((2, 400), (30, 400)), "FPIR")
    assert found.sentence == "FPIR differs: b 7.50% (30 of 400) against a 0.50% (2 of 400)."
    assert [one.p for one in found.groups] == [one.p_holm for one in found.groups]
    assert found.groups[0].p == pytest.approx(fisher(2, 400, 30, 400))


def test_equal_rates_with_enough_data() -> None:
    found = judge(trials(*[(100, 1_000)] * 3), "FPIR")
    assert found.verdict == "no_larger_difference_missed"
    assert found.detectable is not None
    assert 1.2 < found.detectable < 2
    factor = f"a factor of {found.detectable:.1f}"
    assert found.sentence == f"FPIR: no difference larger than {factor} would have been missed."


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        ([(0, 500), (0, 500)], "no case in any group"),
        ([(500, 500), (500, 500)], "every photo was a case"),
        ([(1, 50), (0, 52)], "even a thousandfold difference could be missed"),
        ([(1, 3), (5, 200)], "fewer than two groups have 10 people"),
        ([(5, 200)], "fewer than two groups have 10 people"),
        ([(3, 600), (4, 600)], "a difference by a factor of"),
    ],
)
def test_too_little_data_is_said(counts: list[tuple[int, int]], why: str) -> None:
    found = judge(trials(*counts), "FPIR")
    assert found.verdict == "too_little_data"
    assert found.sentence.startswith("FPIR: too little data to say (")
    assert why in found.sentence
    assert "no significant" not in found.sentence


def test_a_group_of_three_is_left_out_and_named() -> None:
    found = judge(trials((1, 3), (5, 200), (6, 200)), "FPIR")
    assert [one.name for one in found.too_small] == ["a"]
    assert [one.tally.name for one in found.groups] == ["b", "c"]


def test_the_detectable_ratio_is_found_in_four_of_five() -> None:
    ratio = detectable_ratio(2_000, 6_000, 80, LEVEL)
    rng = np.random.default_rng(5)
    for own in (ratio, 1.0 / detectable_down(2_000, 6_000, 80)):
        other = 80 / (2_000 * own + 6_000)
        cases = rng.binomial(2_000, own * other, 600), rng.binomial(6_000, other, 600)
        found = [fisher(int(k), 2_000, int(m), 6_000) <= LEVEL for k, m in zip(*cases, strict=True)]
        assert 0.72 < np.mean(found) < 0.99


def detectable_down(of: int, others: int, cases: int) -> float:
    """The other group asked instead: its ratio upwards is this one's downwards."""
    return detectable_ratio(others, of, cases, LEVEL)


def test_what_no_ratio_shows() -> None:
    assert math.isinf(detectable_ratio(50, 50, 1, LEVEL))
    assert math.isinf(detectable_ratio(0, 50, 1, LEVEL))
    assert math.isinf(detectable_ratio(50, 50, 0, LEVEL))
    assert math.isinf(detectable_ratio(50, 50, 100, LEVEL))
    # A rate cannot pass 1, so no ratio above 2 exists of a rate of one half.
    assert detectable_ratio(1_000, 1_000, 1_000, LEVEL) < 2


def test_photos_of_one_person_are_permuted_together() -> None:
    # 2 of 100 people against 9 of 100; with 4 photos each that looks like 8 against 36 of 400.
    alike = judge(trials((2, 100), (9, 100), photos=4), "FPIR")
    assert alike.test == "permutation"
    assert alike.groups[0].p == pytest.approx(fisher(2, 100, 9, 100), abs=0.02)
    assert alike.verdict == "too_little_data"
    assert judge(trials((8, 400), (36, 400)), "FPIR").verdict == "differs"


def test_a_seed_repeats_the_permutations() -> None:
    data = trials((5, 100), (9, 100), (4, 90), photos=2)
    assert judge(data, "FPIR", seed=4) == judge(data, "FPIR", seed=4)


def test_fair_systems_are_seldom_called_unequal() -> None:
    rng = np.random.default_rng(7)
    alarms = 0
    for _ in range(300):
        counts = [(int(rng.binomial(n, 0.05)), n) for n in (300, 500, 900, 200)]
        alarms += judge(trials(*counts), "FPIR").verdict == "differs"
    assert alarms <= 0.08 * 300
