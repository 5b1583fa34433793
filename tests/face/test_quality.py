"""Each measure moves as its name says, and says what to do."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fr_cli.face.alignment import REFERENCE
from fr_cli.face.detection import Face
from fr_cli.face.quality import assess, judge
from fr_cli.records import QualityMeasure

POINTS = np.array(REFERENCE)
PHOTO = np.full((400, 400, 3), 128, np.uint8)


def face(
    landmarks: NDArray[np.float64] = POINTS * 2 + 80,
    box: tuple[float, float, float, float] = (100, 80, 160, 220),
) -> Face:
    return Face(box, landmarks, 0.95)


def crop(level: int = 128, contrast: int = 60) -> NDArray[np.uint8]:
    random = np.random.default_rng(0)
    noise = random.integers(-contrast, contrast + 1, (112, 112, 3))
    return np.clip(level + noise, 0, 255).astype(np.uint8)


def measured(name: str, shown: Face | None = None, of: NDArray[np.uint8] | None = None,
             others: list[Face] | None = None) -> QualityMeasure:  # fmt: skip
    pixels = crop() if of is None else of
    measures = assess(shown or face(), others or [], PHOTO, pixels)
    return next(measure for measure in measures if measure.name == name)


def test_a_good_face_asks_for_nothing() -> None:
    judged = judge(assess(face(), [], PHOTO, crop()), {"InterEyeDistance": 24})
    assert judged.refusals == judged.advice == ()
    assert all(0 <= (m.component or 0) <= 100 for m in judged.measures)


@pytest.mark.parametrize(("scale", "refused"), [(2.0, False), (0.69, False), (0.67, True)])
def test_the_floor_of_the_eye_distance_refuses_below_it_only(scale: float, refused: bool) -> None:
    # 35.24 px lie between the eyes in the reference, 24 are the floor.
    judged = judge(assess(face(POINTS * scale), [], PHOTO, crop()), {"InterEyeDistance": 24})
    assert bool(judged.refusals) is refused
    if refused:
        assert "move closer" in judged.refusals[0]
        assert "24" in judged.refusals[0]


def test_a_turned_head_does_not_count_as_a_small_face() -> None:
    turned = POINTS * 2.0
    turned[:, 0] = turned[:, 0].mean() + 0.3 * (turned[:, 0] - turned[:, 0].mean())
    frontal = measured("InterEyeDistance").native or 0
    assert measured("InterEyeDistance", face(turned)).native == pytest.approx(frontal, rel=0.02)


def test_blur_lowers_sharpness() -> None:
    sharp = crop()
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 4), np.uint8)
    clear, soft = measured("Sharpness", of=sharp), measured("Sharpness", of=blurred)
    assert (clear.native or 0) > 10 * (soft.native or 0)
    assert soft.advice
    assert not clear.advice


@pytest.mark.parametrize(
    ("level", "name"), [(5, "UnderExposurePrevention"), (252, "OverExposurePrevention")]
)
def test_dark_and_burnt_out_faces_are_told_apart(level: int, name: str) -> None:
    bad = measured(name, of=crop(level, 3))
    assert bad.native == 1.0
    assert bad.component == 0
    assert bad.advice
    assert not measured(name).advice


def test_pose_has_the_right_sign_and_grows() -> None:
    nose_moved = POINTS.copy()
    values = []
    for shift in (-10, 0, 10):
        nose_moved[2, 0] = POINTS[2, 0] + shift
        values.append(measured("HeadPoseYaw", face(nose_moved.copy())).native or 0)
    assert values[0] < -20 < values[1] < 20 < values[2]
    assert abs(values[1]) < 3
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    rolled = measured("HeadPoseRoll", face((POINTS - 56) @ turn.T + 200))
    assert rolled.native == pytest.approx(90, abs=1)
    assert rolled.advice == "hold the camera upright"


def test_what_cannot_be_assessed_is_not_a_zero() -> None:
    flat = face(np.zeros((5, 2)))
    assert measured("HeadPoseYaw", flat).native is None
    assert measured("HeadPoseYaw", flat).component is None
    judged = judge(assess(flat, [], PHOTO, crop()), {"HeadPoseYaw": 10})
    assert judged.refusals == ()


def test_a_cut_face_and_a_second_face_lower_their_measures() -> None:
    whole, cut = face(), face(box=(-60, 80, 160, 220))
    assert measured("LeftwardCropOfTheFaceImage", whole).component == 100
    assert (measured("LeftwardCropOfTheFaceImage", cut).component or 0) < 50
    assert measured("LeftwardCropOfTheFaceImage", cut).advice
    assert measured("SingleFacePresent").component == 100
    assert measured("SingleFacePresent", others=[face()]).component == 0
