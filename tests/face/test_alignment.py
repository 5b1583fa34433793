"""The five landmarks come to the reference points, whatever turn, size and place they had."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fr_cli.face.alignment import REFERENCE, SIDE, align, similarity

POINTS = np.array(REFERENCE)


def moved(turn: float, scale: float, dx: float, dy: float) -> NDArray[np.float64]:
    cos, sin = scale * math.cos(turn), scale * math.sin(turn)
    return np.asarray(POINTS @ np.array([[cos, sin], [-sin, cos]]) + [dx, dy])


@given(
    turn=st.floats(-math.pi, math.pi),
    scale=st.floats(0.05, 40),
    dx=st.floats(-5000, 5000),
    dy=st.floats(-5000, 5000),
)
def test_the_transform_undoes_any_similarity(
    turn: float, scale: float, dx: float, dy: float
) -> None:
    landmarks = moved(turn, scale, dx, dy)
    matrix = similarity(landmarks)
    back = landmarks @ matrix[:, :2].T + matrix[:, 2]
    assert np.allclose(back, POINTS, atol=1e-6)


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 500)), min_size=5, max_size=5))
def test_it_is_the_least_squares_fit_and_never_mirrors(places: list[tuple[float, float]]) -> None:
    landmarks = np.array(places)
    if np.ptp(landmarks, axis=0).max() < 1:
        return
    matrix = similarity(landmarks)
    assert np.linalg.det(matrix[:, :2]) >= 0

    def error(candidate: NDArray[np.float64]) -> float:
        return float(((landmarks @ candidate[:, :2].T + candidate[:, 2] - POINTS) ** 2).sum())

    for change in ([1e-3, 0, 0, 0], [0, 1e-3, 0, 0], [0, 0, 1e-2, 0], [0, 0, 0, 1e-2]):
        a, b, x, y = change
        other = matrix + np.array([[a, -b, x], [b, a, y]])
        assert error(matrix) <= error(other) + 1e-9


def picture(side: int) -> NDArray[np.uint8]:
    """A smooth picture, in which averaging changes little."""
    y, x = np.mgrid[0:side, 0:side] / side
    return np.stack([255 * x, 255 * y, 128 + 100 * np.sin(6 * x)], axis=2).astype(np.uint8)


def test_a_large_face_is_averaged_to_the_same_place() -> None:
    # The same scene at 1 and at 8 times the size must give nearly the same crop.
    small, large = picture(112), picture(896)
    crop = align(small, POINTS)
    shrunk = align(large, (POINTS + 0.5) * 8 - 0.5)
    assert crop.shape == shrunk.shape == (SIDE, SIDE, 3)
    inside = (slice(4, -4), slice(4, -4))
    difference = crop[inside].astype(int) - shrunk[inside].astype(int)
    assert np.abs(difference).max() <= 3


def test_a_face_at_the_edge_of_a_large_photo_is_cropped_with_black_beyond() -> None:
    large = np.full((900, 900, 3), 200, np.uint8)
    crop = align(large, POINTS * 6 - 250)
    assert crop.shape == (SIDE, SIDE, 3)
    assert crop[:20, :20].max() == 0
    assert crop[-20:, -20:].min() == 200
