"""Two systems on the same probes: by hand, against scipy, and in simulation."""

from __future__ import annotations

import numpy as np
import pytest

from fr_cli.evaluation.labels import grouping
from fr_cli.evaluation.paired import Paired, compare
from fr_cli.evaluation.rates import Probes


def probes(found: np.ndarray, false: np.ndarray, subjects: np.ndarray | None = None) -> Probes:
    """Mated probes found or not at 0.5, then non-mated with a false candidate or not."""
    count = found.size + false.size
    mated = np.arange(count) < found.size
    return Probes(
        mated,
        np.ones(count, bool),
        np.concatenate([np.zeros(found.size), np.where(false, 1.0, 0.0)]),
        np.concatenate([np.where(found, 1.0, 0.0), np.zeros(false.size)]),
        np.ones(count, np.int64),
        np.arange(count) if subjects is None else subjects,
    )


def outcome(cases: int, of: int, offset: int = 0) -> np.ndarray:
    return np.roll(np.arange(of) < cases, offset)


def only(rows: list[Paired], rate: str, group: str = "") -> Paired:
    return next(row for row in rows if row.rate == rate and row.group == group)


def test_only_what_differs_counts() -> None:
    a = probes(outcome(900, 1000), outcome(0, 50))
    b = probes(outcome(930, 1000), outcome(0, 50))
    row = only(compare(a, b, (0.5, 0.5)), "tpir")
    assert (row.a, row.b, row.only_a, row.only_b) == (0.9, 0.93, 0, 30)
    assert row.difference == pytest.approx(0.03)
    assert 0.015 < row.low < 0.03 < row.high < 0.045
    assert row.p == pytest.approx(2 * 0.5**30)
    assert row.better == "b"
    assert row.sentence.startswith("TPIR at its own threshold: B is better, B − A = +3.00 points (")


def test_mcnemar_is_that_of_the_binomial() -> None:
    from scipy.stats import binomtest

    a = probes(outcome(100, 400), outcome(0, 10))
    b = probes(outcome(100, 400, offset=12) | outcome(6, 400, offset=300), outcome(0, 10))
    row = only(compare(a, b, (0.5, 0.5)), "tpir")
    assert (row.only_a, row.only_b) == (12, 18)
    assert row.p == pytest.approx(binomtest(12, 30).pvalue)
    assert row.better == "neither"
    assert "lies between" in row.sentence
    assert "no significant" not in row.sentence


def test_fewer_false_candidates_are_better() -> None:
    a = probes(outcome(90, 100), outcome(60, 1000))
    b = probes(outcome(90, 100), outcome(20, 1000))
    assert only(compare(a, b, (0.5, 0.5)), "fpir").better == "b"
    assert only(compare(b, a, (0.5, 0.5)), "fpir").better == "a"


def test_the_same_system_twice_leaves_an_interval_that_is_not_empty() -> None:
    one = probes(outcome(90, 100), outcome(2, 100))
    row = only(compare(one, one, (0.5, 0.5)), "tpir")
    assert (row.difference, row.p, row.better) == (0.0, 1.0, "neither")
    assert row.low < -0.01 < 0.01 < row.high


def test_thresholds_of_the_same_fpir_are_found_for_each() -> None:
    rng = np.random.default_rng(1)
    one = Probes(
        np.arange(800) < 400, np.ones(800, bool), rng.normal(size=800), rng.normal(3, 1, 800),
        np.ones(800, np.int64),
    )  # fmt: skip
    # The same system on another scale is no better.
    other = Probes(one.mated, one.acquired, 100 + 7 * one.nonmate, 100 + 7 * one.mate, one.rank)
    rows = compare(one, other, None)
    assert [row.at for row in rows] == ["where each has FPIR 1.00%"] * 2
    assert {row.difference for row in rows} == {0.0}
    few = compare(one, other, None, fpir=0.001)
    assert few == []  # 400 non-mated probes cannot show it


def test_for_whom() -> None:
    found_a = np.concatenate([outcome(150, 200), outcome(190, 200), outcome(4, 5)])
    found_b = np.concatenate([outcome(195, 200), outcome(190, 200), outcome(4, 5)])
    by_sex = grouping(("sex",), [{"sex": s} for s in ["f"] * 200 + ["m"] * 200 + ["x"] * 5])
    none = np.zeros(0, bool)
    rows = compare(probes(found_a, none), probes(found_b, none), (0.5, 0.5), [by_sex])
    assert [(row.group, row.better) for row in rows] == [("", "b"), ("f", "b"), ("m", "neither")]
    assert only(rows, "tpir", "f").p_holm == pytest.approx(2 * only(rows, "tpir", "f").p)


def test_photos_of_one_person_count_as_one_voice() -> None:
    people = np.repeat(np.arange(60), 4)
    none = np.zeros(0, bool)
    a = probes(people >= 3, none, people)
    b = probes(np.ones(240, bool), none, people)
    row = only(compare(a, b, (0.5, 0.5)), "tpir")
    assert (row.only_b, row.people) == (12, 60)
    assert row.p == pytest.approx(0.25, abs=0.03)  # three people, all for b: 2 · (1/2)³
    assert row.better == "neither"


def test_the_interval_holds_the_true_difference() -> None:
    rng = np.random.default_rng(8)
    missed = 0
    for _ in range(300):
        people = np.repeat(np.arange(80), rng.integers(1, 4, 80))
        kind = rng.random(80)[people]
        a = (kind < 0.85) & (rng.random(people.size) < 0.95)
        b = (kind < 0.90) & (rng.random(people.size) < 0.95)
        none = np.zeros(0, bool)
        row = only(compare(probes(a, none, people), probes(b, none, people), (0.5, 0.5)), "tpir")
        missed += not row.low <= 0.05 * 0.95 <= row.high
    assert missed <= 0.08 * 300


def test_other_probes_are_refused() -> None:
    one, other = probes(outcome(5, 9), outcome(0, 3)), probes(outcome(5, 9), outcome(0, 4))
    with pytest.raises(ValueError, match="same probes"):
        compare(one, other, None)
    with pytest.raises(ValueError, match="same people"):
        compare(one, probes(outcome(5, 9), outcome(0, 3), np.arange(12)[::-1].copy()), None)
