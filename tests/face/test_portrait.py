"""A portrait is upright, its eyes are where they always are, and nothing but pixels is in it."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from fr_cli.face.alignment import REFERENCE
from fr_cli.face.portrait import EYES, HEIGHT, WIDTH, portrait


def face(scale: float, turn: float) -> tuple[np.ndarray, np.ndarray]:
    """A dark photo with a red and a blue dot for eyes, and its landmarks."""
    angle = np.deg2rad(turn)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (np.array(REFERENCE) - 56) * scale @ rotation.T + 56 * scale + 200
    pixels = np.zeros((int(112 * scale + 400), int(112 * scale + 400), 3), np.uint8)
    for (x, y), colour in zip(landmarks[:2], ((0, 0, 255), (255, 0, 0)), strict=True):
        cv2.circle(pixels, (round(x), round(y)), max(3, round(3 * scale)), colour, -1)
    return pixels, landmarks


@pytest.mark.parametrize("scale", [0.7, 3.0, 16.0])
@pytest.mark.parametrize("turn", [0, 30, -100])
def test_the_eyes_are_at_fixed_places(scale: float, turn: float) -> None:
    pixels, landmarks = face(scale, turn)
    image = Image.open(io.BytesIO(portrait(pixels, landmarks)))
    assert image.size == (WIDTH, HEIGHT)
    shown = np.asarray(image).astype(float)
    red, blue = shown[:, :, 0] - shown[:, :, 2], shown[:, :, 2] - shown[:, :, 0]
    places = [
        np.array([columns.mean(), rows.mean()])
        for rows, columns in (np.nonzero(red > 80), np.nonzero(blue > 80))
    ]
    # The dots lie on whole pixels, which become four at the smallest scale.
    assert places[1] - places[0] == pytest.approx([EYES, 0], abs=4)
    assert (places[0] + places[1]) / 2 == pytest.approx([WIDTH / 2, 0.46 * HEIGHT], abs=3)


def span(image: bytes) -> float:
    """Pixels between the red and the blue dot."""
    shown = np.asarray(Image.open(io.BytesIO(image))).astype(float)
    red, blue = shown[:, :, 0] - shown[:, :, 2], shown[:, :, 2] - shown[:, :, 0]
    return float(np.nonzero(blue > 80)[1].mean() - np.nonzero(red > 80)[1].mean())


def test_a_longer_face_has_its_eyes_as_far_apart() -> None:
    pixels, landmarks = face(3.0, 0)
    longer = landmarks.copy()
    longer[3:, 1] += 40
    assert span(portrait(pixels, longer)) == pytest.approx(EYES, abs=3)


def test_a_head_turned_far_aside_is_not_blown_up() -> None:
    pixels, landmarks = face(3.0, 0)
    aside = landmarks.copy()
    aside[1] = aside[0] + (8, 0)
    assert span(portrait(pixels, aside)) < 1.5 * EYES
    assert np.asarray(Image.open(io.BytesIO(portrait(pixels, aside)))).std() > 5


def test_beyond_the_photo_is_grey() -> None:
    pixels, landmarks = face(1.0, 0)
    corner = pixels[200:312, 200:312]
    shown = np.asarray(Image.open(io.BytesIO(portrait(corner, landmarks - 200))))
    assert shown[2, 2] == pytest.approx([128, 128, 128], abs=4)
