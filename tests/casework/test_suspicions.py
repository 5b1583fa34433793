"""What likeness is said to mean: each kind where it should be, and nothing where nothing is."""

from __future__ import annotations

import numpy as np
import pytest

from fr_cli.casework.suspicions import Neighbour, Suspicion, suspicions

THRESHOLD, STRANGER = 0.6, 0.4


def direction(seed: int) -> np.ndarray:
    vector = np.random.default_rng(seed).standard_normal(64)
    return np.asarray(vector / np.linalg.norm(vector))


def towards(vector: np.ndarray, cosine: float, seed: int = 99) -> np.ndarray:
    """A direction of this cosine to another."""
    noise = direction(seed)
    noise -= (noise @ vector) * vector
    return np.asarray(cosine * vector + (1 - cosine**2) ** 0.5 * noise / np.linalg.norm(noise))


A, B, C = map(direction, range(3))


def photo(subject: str, vector: np.ndarray, name: str = "r") -> Neighbour:
    return Neighbour(f"{subject}/{name}", subject, subject, name, vector)


def judged(
    one: Neighbour, near: list[Neighbour], own: list[Neighbour]
) -> list[tuple[str, list[str]]]:
    found = suspicions(one, near, own, THRESHOLD, STRANGER)
    return [(each.kind, [other.subject_id for other in each.others]) for each in found]


def test_nothing_is_said_of_a_reference_like_nobody_else() -> None:
    assert judged(photo("a", A), [], []) == []
    assert judged(photo("a", A), [], [photo("a", towards(A, 0.7), "2")]) == []
    assert judged(photo("a", A), [photo("b", towards(A, 0.59))], []) == []


def test_two_subjects_with_one_face() -> None:
    assert judged(photo("a", A), [photo("b", towards(A, 0.8))], []) == [("duplicate", ["b"])]
    # Its own photos are alike to the other subject's as well: the ids are two, the person one.
    own = [photo("a", towards(A, 0.9, 5), "2")]
    assert judged(photo("a", A), [photo("b", towards(A, 0.95, 6))], own) == [("duplicate", ["b"])]


def test_all_but_one_picture() -> None:
    assert judged(photo("a", A), [photo("b", towards(A, 0.99))], []) == [("same_picture", ["b"])]


def test_nearer_to_another_than_to_its_own() -> None:
    own = [photo("a", towards(A, 0.3), "2")]
    near = [photo("b", towards(A, 0.7, 3)), photo("b", towards(A, 0.8, 4), "2")]
    (found,) = suspicions(photo("a", A), near, own, THRESHOLD, STRANGER)
    assert (found.kind, found.others[0].reference_id) == ("mislabelled", "2")
    assert found.cosine == pytest.approx(0.8)
    assert "mixed up" in found.says


def test_a_picture_made_of_two_faces() -> None:
    made = (A + B) / np.linalg.norm(A + B)
    assert abs(A @ B) < 0.3
    assert min(made @ A, made @ B) > THRESHOLD
    near = [photo("a", A), photo("b", B)]
    ((kind, others),) = judged(photo("c", made), near, [])
    assert (kind, sorted(others)) == ("morph", ["a", "b"])
    # Enrolled as one of the two: the other photos of that one are the second face.
    assert judged(photo("a", made), [photo("b", B)], [photo("a", A, "2")]) == [
        ("morph", ["b", "a"])
    ]


def test_three_ids_of_one_person_are_no_morph() -> None:
    near = [photo("b", towards(A, 0.9, 3)), photo("c", towards(A, 0.9, 4))]
    assert near[0].vector @ near[1].vector > THRESHOLD
    kinds = [kind for kind, _ in judged(photo("a", A), near, [])]
    assert kinds == ["duplicate", "duplicate"]


def test_unlike_its_own_photos_and_like_nobody() -> None:
    own = [photo("a", towards(A, 0.1), "2"), photo("a", towards(A, 0.39, 7), "3")]
    (found,) = suspicions(photo("a", A), [], own, THRESHOLD, STRANGER)
    assert isinstance(found, Suspicion)
    assert (found.kind, found.others[0].reference_id) == ("unlike_own", "3")
    assert judged(photo("a", A), [], [*own, photo("a", towards(A, 0.41, 8), "4")]) == []
