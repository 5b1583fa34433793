"""YuNet on onnxruntime finds what OpenCV's own FaceDetectorYN finds."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest

from fr_cli.face import detection, weights
from fr_cli.face.detection import CONFIDENCE, FIRST_PASS, Detector
from fr_cli.site import user_home
from tests.conftest import PEOPLE

SHEETS = sorted(PEOPLE.rglob("*.jpg"))


@cache
def graph() -> bytes:
    return weights.load(weights.named("YuNet"), [user_home() / "models"])


@cache
def detector() -> Detector:
    return Detector(graph())


def by_opencv(pixels: Any) -> Any:
    net = cv2.FaceDetectorYN.create(
        "onnx", np.frombuffer(graph(), np.uint8), np.empty(0, np.uint8), (32, 32), CONFIDENCE
    )
    net.setInputSize(pixels.shape[1::-1])
    rows = net.detect(pixels)[1]
    return np.empty((0, 15), np.float32) if rows is None else rows


def shrunk(path: Any, longest: int) -> Any:
    pixels: Any = cv2.imread(str(path))
    scale = longest / max(pixels.shape[:2])
    return cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("longest", [FIRST_PASS, 333, 95])
def test_the_same_faces_as_opencv(longest: int) -> None:
    seen = 0
    for path in SHEETS[:: max(1, len(SHEETS) // 12)]:
        pixels = shrunk(path, longest)
        ours, theirs = detector()._rows(pixels), by_opencv(pixels)
        assert ours.shape == theirs.shape, path
        np.testing.assert_allclose(ours, theirs, atol=2e-3)
        seen += len(ours)
    assert seen >= 5


def test_a_face_cut_by_the_edge_and_many_in_one_picture() -> None:
    face = shrunk(next((PEOPLE / "P001" / "assets").glob("studio_portrait*")), 300)
    rows = np.vstack([np.hstack([face] * 3)] * 2)
    for pixels in (face[:, 100:], face[90:], rows[:, 120:-90]):
        pixels = np.ascontiguousarray(pixels)
        np.testing.assert_allclose(detector()._rows(pixels), by_opencv(pixels), atol=2e-3)


@pytest.mark.parametrize("shape", [(1, 1), (31, 33), (32, 64), (640, 1), (500, 640)])
def test_a_picture_without_a_face(shape: tuple[int, int]) -> None:
    grey = np.full((*shape, 3), 127, np.uint8)
    assert detector().detect(grey) == []


def test_the_size_stands_in_the_graph_once() -> None:
    assert graph().count(detection._SIZE_640) == 1
    assert len(detection._SIZE_640) == len(detection._SIZE_ANY)
