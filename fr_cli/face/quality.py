"""Face → quality: measures named as in ISO/IEC 29794-5, and what to do at the kerb.

Each measure keeps its native value (in its own unit) apart from the component of 0–100; a
measure that cannot be assessed says so instead of scoring zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fr_cli.errors import QualityTooLow
from fr_cli.face.detection import Face
from fr_cli.records import Quality, QualityMeasure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Below this native value a measure gives advice; a policy's floors refuse, and lie lower.
ADVISED = {"InterEyeDistance": 60.0, "Sharpness": 60.0}


def assess(
    face: Face, others: list[Face], pixels: NDArray[np.uint8], crop: NDArray[np.uint8]
) -> tuple[QualityMeasure, ...]:
    """Measure one face of a photo (BGR) and its aligned crop (112 × 112 BGR)."""
    return (
        _inter_eye_distance(face),
        _sharpness(crop),
        *_exposure(crop),
        *_head_pose(face),
        _single_face(face, others),
        *_margins(face, pixels.shape),
    )


def judge(measures: tuple[QualityMeasure, ...], floors: Mapping[str, float]) -> Quality:
    """Hold the native values against the floors; a measure not assessed refuses nothing."""
    refusals, advice = [], []
    for measure in measures:
        floor = floors.get(measure.name)
        if measure.native is not None and floor is not None and measure.native < floor:
            refusals.append(_sentence(measure, f"at least {floor:g} needed"))
        elif measure.advice:
            advised = ADVISED.get(measure.name)
            bound = "" if advised is None else f"{advised:g} advised"
            advice.append(_sentence(measure, bound))
    return Quality(measures, tuple(refusals), tuple(advice))


def enforce(judged: Quality) -> None:
    """Raise QualityTooLow for a face below a floor: it is not searched."""
    if judged.refusals:
        raise QualityTooLow(
            f"The face is below the quality floor: {'; '.join(judged.refusals)}.",
            hint="Take the photo again. It was not searched.",
        )


def _sentence(measure: QualityMeasure, bound: str) -> str:
    value = "" if measure.native is None else f"{measure.native:.0f} {measure.unit}"
    if measure.unit == "of 1" and measure.native is not None:
        value = f"{measure.native:.0%}"
    label = _LABELS.get(measure.name, measure.name)
    detail = f"{label} {value}" + (f", {bound}" if bound else "")
    return f"{measure.advice or 'take the photo again'}: {detail}"


_LABELS = {
    "InterEyeDistance": "distance between the eyes",
    "Sharpness": "sharpness",
    "UnderExposurePrevention": "share of the face in deep shadow",
    "OverExposurePrevention": "share of the face burnt out",
    "HeadPoseYaw": "head turned by about",
    "HeadPosePitch": "head tilted up or down by about",
    "HeadPoseRoll": "head leaning by",
    "SingleFacePresent": "size of the next face",
}


def _inter_eye_distance(face: Face) -> QualityMeasure:
    native = face.inter_eye_distance
    advice = "move closer" if native < ADVISED["InterEyeDistance"] else ""
    # OFIQ maps the distance by a sigmoid with centre 70 px and width 20 px.
    return QualityMeasure("InterEyeDistance", native, "px", _sigmoid(native, 70, 20), advice)


def _sharpness(crop: NDArray[np.uint8]) -> QualityMeasure:
    import cv2

    # Variance of the Laplacian (Pech-Pacheco et al., ICPR 2000) on the crop, so that the size
    # of the photo does not change the measure; in squared grey levels.
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    native = float(cv2.Laplacian(grey, cv2.CV_64F).var())
    advice = "hold still and let the camera focus" if native < ADVISED["Sharpness"] else ""
    return QualityMeasure("Sharpness", native, "grey levels²", _sigmoid(native, 150, 60), advice)


def _exposure(crop: NDArray[np.uint8]) -> tuple[QualityMeasure, QualityMeasure]:
    import cv2

    # ISO/IEC 29794-5: shares of luminance 0–25 and 247–255 within the face.
    luminance = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)[24:104, 16:96]
    dark, bright = float((luminance <= 25).mean()), float((luminance >= 247).mean())
    return (
        QualityMeasure(
            "UnderExposurePrevention", dark, "of 1", round(100 * (1 - dark)),
            "put light on the face" if dark > 0.5 else "",
        ),
        QualityMeasure(
            "OverExposurePrevention", bright, "of 1", round(100 * (1 - bright)),
            "take the glare off the face" if bright > 0.2 else "",
        ),
    )  # fmt: skip


def _head_pose(face: Face) -> tuple[QualityMeasure, ...]:
    """Angles estimated from five landmarks: coarse, meant for advice and not for refusal."""
    import numpy as np

    eye_a, eye_b, nose, mouth_a, mouth_b = face.landmarks
    eyes, mouth = (eye_a + eye_b) / 2, (mouth_a + mouth_b) / 2
    along = eye_b - eye_a
    roll = math.degrees(math.atan2(along[1], along[0]))
    down = mouth - eyes
    height = float(np.hypot(*down))
    if face.inter_eye_distance < 1 or height < 1:
        return tuple(
            QualityMeasure(f"HeadPose{axis}", None, "degrees", None)
            for axis in ("Yaw", "Pitch", "Roll")
        )
    unit = down / height
    dx, dy = nose - eyes
    side = float(dx * unit[1] - dy * unit[0])  # positive: the nose lies to the right
    # The nose stands out of the plane of eyes and mouth by about half of their distance, so
    # its sideways shift over that is the sine of the yaw.
    yaw = math.degrees(math.asin(max(-1, min(1, side / (0.5 * height)))))
    # Frontal faces have the nose tip at about 0.58 of the way from the eyes to the mouth.
    drop = float(dx * unit[0] + dy * unit[1]) / height
    pitch = math.degrees(math.asin(max(-1, min(1, (drop - 0.58) / 0.5))))
    return (
        _angle("HeadPoseYaw", yaw, 35, "face the camera"),
        _angle("HeadPosePitch", pitch, 30, "hold the camera at eye height"),
        _angle("HeadPoseRoll", roll, 45, "hold the camera upright"),
    )


def _angle(name: str, degrees: float, advised: float, advice: str) -> QualityMeasure:
    # ISO/IEC 29794-5 maps an angle by its squared cosine.
    component = round(100 * max(0.0, math.cos(math.radians(degrees))) ** 2)
    said = advice if abs(degrees) > advised else ""
    return QualityMeasure(name, degrees, "degrees", component, said)


def _single_face(face: Face, others: list[Face]) -> QualityMeasure:
    native = max((other.size for other in others), default=0.0) / max(face.size, 1.0)
    component = round(100 * max(0.0, 1 - native))
    return QualityMeasure("SingleFacePresent", native, "of 1", component)


def _margins(face: Face, shape: tuple[int, ...]) -> tuple[QualityMeasure, ...]:
    x, y, width, height = face.box
    room = {
        "LeftwardCropOfTheFaceImage": x / width,
        "RightwardCropOfTheFaceImage": (shape[1] - x - width) / width,
        "MarginAboveOfTheFaceImage": y / height,
        "MarginBelowOfTheFaceImage": (shape[0] - y - height) / height,
    }
    return tuple(
        QualityMeasure(
            name, share, "of face", round(100 * max(0.0, min(1.0, share / 0.25 + 1))),
            "keep the whole face in the picture" if share < -0.1 else "",
        )
        for name, share in room.items()
    )  # fmt: skip


def _sigmoid(value: float, centre: float, width: float) -> int:
    return round(100 / (1 + math.exp(-(value - centre) / width)))
