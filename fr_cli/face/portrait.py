"""Face → picture for people: upright, at a fixed distance between the eyes, as a JPEG.

Every portrait has its eyes in the same places, so that two of them can be compared feature by
feature. It shows more of the head than the crop of the embedder (alignment.py) does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fr_cli.face.alignment import REFERENCE, similarity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WIDTH, HEIGHT = 320, 400
#: Pixels between the eyes.
EYES = 96
_LARGER = 1.3
_ZOOM = EYES / (REFERENCE[1][0] - REFERENCE[0][0])
_EYE_LINE = 0.46 * HEIGHT
#: What the photo does not show is grey, and not made up.
_BEYOND = (128, 128, 128)


def portrait(pixels: NDArray[np.uint8], landmarks: NDArray[np.float64]) -> bytes:
    """A JPEG of WIDTH × HEIGHT of the face in a photo (BGR); it carries no metadata."""
    import cv2
    import numpy as np

    matrix = _placed(landmarks)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.5:
        # Average before sampling, or most pixels of a large photo are skipped.
        shrink = 1 / int(1 / scale)
        small = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        ratio = np.array([small.shape[1] / pixels.shape[1], small.shape[0] / pixels.shape[0]])
        pixels, matrix = np.asarray(small, np.uint8), _placed((landmarks + 0.5) * ratio - 0.5)
    picture = cv2.warpAffine(
        pixels, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderValue=_BEYOND
    )
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])
    assert done
    return bytes(data)


def _placed(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """The transform of the photo that puts its eyes at their fixed places.

    Of a head turned far aside the eyes lie close together: it is not made larger than _LARGER
    times what all five landmarks ask for.
    """
    import numpy as np

    left, right = landmarks[:2] @ (1, 1j)
    turn = EYES / (right - left)
    whole = _ZOOM * similarity(landmarks)
    most = _LARGER * float(np.hypot(whole[0, 0], whole[1, 0]))
    turn *= min(1.0, most / abs(turn))
    shift = WIDTH / 2 + 1j * _EYE_LINE - turn * (left + right) / 2
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
