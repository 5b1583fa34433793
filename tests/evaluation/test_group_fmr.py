"""False match rates within and across groups, against a count pair by pair."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fr_cli.evaluation.group_fmr import cosines_to_compare_at, group_fmr
from fr_cli.evaluation.impostors import compare_all

RNG = np.random.default_rng(4)
SUBJECTS = np.repeat(np.arange(60), 3)
GROUPS = np.arange(60) % 3 - 1  # −1: in no group; 0; 1
CENTRES = np.array([[0.0, 0, 0, 0, 0, 0], [2.0, 0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0, 0]])
VECTORS = (RNG.normal(size=(180, 6)) + CENTRES[SUBJECTS % 3]).astype(np.float32)
TEMPLATES = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
EXCLUDED = {(4, 7), (1, 2)}


def by_hand(cosine: float) -> dict[tuple[int, int], tuple[int, int]]:
    counts = {pair: [0, 0] for pair in ((0, 0), (0, 1), (1, 1))}
    for i, j in itertools.combinations(range(180), 2):
        a, b = sorted((int(GROUPS[SUBJECTS[i]]), int(GROUPS[SUBJECTS[j]])))
        pair = (int(SUBJECTS[i]), int(SUBJECTS[j]))
        if a < 0 or pair[0] == pair[1] or pair in EXCLUDED:
            continue
        counts[a, b][1] += 1
        counts[a, b][0] += bool(TEMPLATES[i] @ TEMPLATES[j] >= np.float32(cosine))
    return {pair: (cases, of) for pair, (cases, of) in counts.items()}


def test_each_cell_counts_its_pairs() -> None:
    sample = compare_all(TEMPLATES, SUBJECTS, EXCLUDED, tail_size=10**6).nonmated
    found = group_fmr(sample, GROUPS, ("x", "y"), 0.80001)
    expected = by_hand(0.80001)
    for cell in found.cells:
        key = ("xy".index(cell.one), "xy".index(cell.other))
        assert (cell.rate.cases, cell.rate.of) == expected[key]
        assert cell.rate.value is not None
        assert cell.rate.low <= cell.rate.value <= cell.rate.high
    within = found.cells[0].rate
    assert within.value is not None
    assert found.pooled.value is not None
    assert within.value > 3 * found.pooled.value  # group x lies close together
    assert found.pooled.of == sample.comparisons


def test_no_match_leaves_the_rule_of_three_on_pairs_of_people() -> None:
    sample = compare_all(TEMPLATES, SUBJECTS, tail_size=10**6).nonmated
    found = group_fmr(sample, GROUPS, ("x", "y"), 0.999999)
    assert found.cells[0].rate.value == 0.0
    assert found.cells[0].rate.high == pytest.approx(3 / (20 * 19 / 2))


def test_it_asks_for_what_the_sample_keeps() -> None:
    sample = compare_all(TEMPLATES, SUBJECTS, tail_size=50).nonmated
    with pytest.raises(ValueError, match="does not keep"):
        group_fmr(sample, GROUPS, ("x", "y"), 0.1)
    with pytest.raises(ValueError, match="for each subject"):
        group_fmr(sample, GROUPS[:5], ("x", "y"), 0.9)


def test_the_cosines_are_those_of_the_pooled_rates_with_enough_above() -> None:
    sample = compare_all(TEMPLATES, SUBJECTS, tail_size=10**6).nonmated
    (cosine,) = cosines_to_compare_at(sample)  # 1e-2; 1e-3 of 15,930 are 16, too few
    assert (sample.cosines > cosine).sum() == 159
    more = compare_all(np.tile(TEMPLATES, (2, 1)), np.repeat(np.arange(120), 3)).nonmated
    assert len(cosines_to_compare_at(more)) == 2  # 1e-3 of 64,260 are 64
