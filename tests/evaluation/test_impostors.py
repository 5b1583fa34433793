"""The streamed sample is what comparing every pair one by one would give."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fr_cli.evaluation import impostors
from fr_cli.evaluation.impostors import (
    BINS,
    Comparisons,
    ImpostorSample,
    compare_all,
)


def photographs(count: int, dimension: int = 8, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, dimension))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


SUBJECTS = np.random.default_rng(1).integers(100, 140, 150)
TEMPLATES = photographs(150)
EXCLUDED = {(101, 103), (103, 101), (110, 120)}


def one_by_one() -> list[tuple[float, int, int]]:
    number = {label: place for place, label in enumerate(np.unique(SUBJECTS))}
    pairs = []
    for i, j in itertools.combinations(range(len(SUBJECTS)), 2):
        a, b = int(SUBJECTS[i]), int(SUBJECTS[j])
        if a != b and not {(a, b), (b, a)} & EXCLUDED:
            pairs.append((float(TEMPLATES[i] @ TEMPLATES[j]), number[a], number[b]))
    return sorted(pairs, reverse=True)


@pytest.fixture(params=[(1024, 4096), (7, 13), (64, 16)], ids=str)
def sample(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ImpostorSample:
    monkeypatch.setattr(impostors, "_ROWS", request.param[0])
    monkeypatch.setattr(impostors, "_COLUMNS", request.param[1])
    return compare_all(TEMPLATES, SUBJECTS, EXCLUDED, tail_size=300).nonmated


def test_every_pair_once(sample: ImpostorSample) -> None:
    pairs = one_by_one()
    assert sample.comparisons == len(pairs)
    assert sample.cosines == pytest.approx([cosine for cosine, _, _ in pairs[:300]], abs=1e-6)
    found = {frozenset(pair) for pair in zip(sample.first, sample.second, strict=True)}
    assert found == {frozenset((a, b)) for _, a, b in pairs[:300]}
    counted = np.histogram([cosine for cosine, _, _ in pairs], BINS, (-1.0, 1.0))[0]
    assert np.abs(np.cumsum(sample.counts) - np.cumsum(counted)).max() <= 2  # rounding at edges


def test_mated_pairs_are_every_two_photographs_of_one_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(impostors, "_ROWS", 7)
    monkeypatch.setattr(impostors, "_COLUMNS", 13)
    people = list(np.unique(SUBJECTS))
    by_hand = sorted(
        (people.index(SUBJECTS[i]), float(TEMPLATES[i] @ TEMPLATES[j]))
        for i, j in itertools.combinations(range(len(SUBJECTS)), 2)
        if SUBJECTS[i] == SUBJECTS[j]
    )
    mated = compare_all(TEMPLATES, SUBJECTS, EXCLUDED).mated
    found = sorted(zip(mated.subjects.tolist(), mated.cosines.tolist(), strict=True))
    assert [subject for subject, _ in found] == [subject for subject, _ in by_hand]
    assert [c for _, c in found] == pytest.approx([c for _, c in by_hand], abs=1e-6)


def means_one_by_one() -> tuple[list[tuple[int, float]], list[tuple[float, int, int]]]:
    people = list(np.unique(SUBJECTS))
    mated, nonmated = [], []
    for i, own in enumerate(SUBJECTS):
        for person in people:
            others = [j for j in range(len(SUBJECTS)) if SUBJECTS[j] == person and j != i]
            if not others or {(own, person), (person, own)} & EXCLUDED:
                continue
            mean = float(np.mean([TEMPLATES[i] @ TEMPLATES[j] for j in others]))
            if person == own:
                mated.append((people.index(own), mean))
            else:
                nonmated.append((mean, people.index(own), people.index(person)))
    return sorted(mated), sorted(nonmated, reverse=True)


@pytest.mark.parametrize("rows", [1, 5, 1024])
def test_the_mean_of_a_persons_photographs(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impostors, "_ROWS", rows)
    monkeypatch.setattr(impostors, "_COLUMNS", 150)
    both: Comparisons = compare_all(TEMPLATES, SUBJECTS, EXCLUDED, fusion="mean", tail_size=300)
    mated, nonmated = means_one_by_one()
    found = sorted(zip(both.mated.subjects.tolist(), both.mated.cosines.tolist(), strict=True))
    assert [subject for subject, _ in found] == [subject for subject, _ in mated]
    assert [c for _, c in found] == pytest.approx([c for _, c in mated], abs=1e-6)
    sample = both.nonmated
    assert sample.comparisons == len(nonmated)
    assert sample.cosines == pytest.approx([c for c, _, _ in nonmated[:300]], abs=1e-6)
    weights = np.random.default_rng(2).random(sample.images.size)
    by_hand = sum(weights[a] * weights[b] for _, a, b in nonmated)
    assert sample.weighted_comparisons(weights) == pytest.approx(by_hand)


def test_weights_count_subjects(sample: ImpostorSample) -> None:
    assert sample.weighted_comparisons(np.ones(sample.images.size)) == sample.comparisons
    weights = np.random.default_rng(2).random(sample.images.size)
    by_hand = sum(weights[a] * weights[b] for _, a, b in one_by_one())
    assert sample.weighted_comparisons(weights) == pytest.approx(by_hand)
    subjects = sample.images.size
    assert sample.subject_pairs == subjects * (subjects - 1) // 2 - 2


def test_a_tail_larger_than_everything() -> None:
    everything = compare_all(TEMPLATES, SUBJECTS, EXCLUDED, tail_size=10**6).nonmated
    assert everything.cosines.size == everything.comparisons


def test_equal_photographs_of_two_people_stay_in_the_last_bin() -> None:
    twins = compare_all(np.repeat(photographs(1), 2, axis=0), np.array([0, 1])).nonmated
    assert twins.counts[-1] == 1
    assert twins.counts.sum() == 1
    assert twins.cosines.max() <= 1.0


@pytest.mark.parametrize(
    ("templates", "subjects", "excluded", "tail"),
    [
        (TEMPLATES * 2, SUBJECTS, set(), 10),
        (TEMPLATES * np.float32(np.nan), SUBJECTS, set(), 10),
        (TEMPLATES, SUBJECTS[1:], set(), 10),
        (TEMPLATES, np.zeros(150, dtype=int), set(), 10),
        (TEMPLATES, SUBJECTS, {(101, 999)}, 10),
        (TEMPLATES, SUBJECTS, {(101, 101)}, 10),
        (TEMPLATES, SUBJECTS, set(), 0),
    ],
)
def test_what_cannot_be_compared(
    templates: np.ndarray, subjects: np.ndarray, excluded: set[tuple[int, int]], tail: int
) -> None:
    with pytest.raises(ValueError):
        compare_all(templates, subjects, excluded, tail_size=tail)
