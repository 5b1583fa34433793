"""Labels made wrong on purpose are found, and right ones are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from fr_cli.evaluation.checks import Suspect, beyond_chance, mated_pairs, strangers, suspects
from fr_cli.evaluation.impostors import compare_all
from tests.evaluation import scores

PEOPLE = 250


def crowd(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two photographs of each of 250 people as unit vectors: mates about cosine 0.8."""
    rng = np.random.default_rng(seed)
    faces = rng.normal(size=(PEOPLE, 1, 64))
    photos = (faces + 0.5 * rng.normal(size=(PEOPLE, 2, 64))).reshape(-1, 64)
    photos /= np.linalg.norm(photos, axis=1, keepdims=True)
    return photos.astype(np.float32), np.repeat(np.arange(PEOPLE), 2)


def found(templates: np.ndarray, subjects: np.ndarray) -> list[Suspect]:
    probes = np.arange(subjects.size) % 2 == 1
    return suspects(templates, subjects, probes, compare_all(templates, subjects).nonmated)


def test_a_clean_set_raises_about_one_doubt() -> None:
    doubted = [len(found(*crowd(seed))) for seed in range(20)]
    assert np.mean(doubted) <= 2.5  # one is what the level says


def test_one_person_under_two_names() -> None:
    templates, subjects = crowd()
    templates[7] = templates[0]  # subject 3's second photo is of subject 0, all but the same
    templates[20] = (templates[30] + templates[31]) / np.linalg.norm(templates[30] + templates[31])
    doubts = found(templates, subjects)
    across = {(one.kind, subjects[one.first], subjects[one.second]) for one in doubts
              if one.kind in ("near_duplicate", "same_person")}  # fmt: skip
    assert {("near_duplicate", 0, 3), ("same_person", 10, 15)} <= across
    assert len(across) <= 4  # a stranger or two may look as alike
    assert {subjects[one.first] for one in doubts if one.kind == "two_people"} == {3, 10}


def test_many_errors_do_not_hide_themselves() -> None:
    templates, subjects = crowd()
    rng = np.random.default_rng(1)
    for a in range(0, 60, 2):  # thirty people under two names each
        mixed = templates[2 * a] + 0.4 * rng.normal(size=64) / 8
        templates[2 * a + 2] = mixed / np.linalg.norm(mixed)
    pairs = {(subjects[one.first], subjects[one.second]) for one in found(templates, subjects)
             if one.kind in ("near_duplicate", "same_person")}  # fmt: skip
    assert {(a, a + 1) for a in range(0, 60, 2)} <= pairs


def test_a_probe_that_is_a_copy_of_its_reference() -> None:
    templates, subjects = crowd()
    templates[11] = templates[10]
    assert [(one.kind, one.first, one.second) for one in found(templates, subjects)
            if one.kind == "leak"] == [("leak", 10, 11)]  # fmt: skip


def test_mated_pairs_are_all_of_them_once() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(8, 4)).astype(np.float32)
    whose = np.array([2, 0, 2, 1, 0, 2, 3, 0])
    first, second, cosines = mated_pairs(vectors, whose)
    pairs = {frozenset(pair) for pair in zip(first.tolist(), second.tolist(), strict=True)}
    assert pairs == {frozenset({a, b}) for a in range(8) for b in range(a) if whose[a] == whose[b]}
    for a, b, cosine in zip(first, second, cosines, strict=True):
        assert cosine == pytest.approx(float(vectors[a] @ vectors[b]), abs=1e-6)


def test_levels_of_a_known_distribution() -> None:
    from scipy.stats import norm

    sample = scores.simulated(600, 1, seed=3).nonmated
    assert strangers(sample) == pytest.approx(0.1 + 0.1 * norm.isf(0.1), abs=0.003)
    truth = 0.1 + 0.1 * norm.isf(1 / sample.comparisons)
    assert beyond_chance(sample) == pytest.approx(truth, abs=0.08)
    assert np.isposinf(beyond_chance(scores.stored().nonmated))
