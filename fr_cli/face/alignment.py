"""Face → crop: the similarity transform that brings five landmarks to fixed places.

This step decides the error rate: with the same weights and detector, a box crop finds 34 % of
mated pairs at FMR 1e-3 where this alignment finds 99 % (docs/explanation/figures.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fr_cli.errors import ConfigurationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIDE = 112
#: Where the landmarks lie in a 112 × 112 crop: the reference points of ArcFace
#: (Deng et al., CVPR 2019), on which SFace was trained too.
REFERENCE = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)


@dataclass(frozen=True)
class Crop:
    """A crop of `width` × `height`, and where in it the five landmarks come to lie (x, y)."""

    width: int
    height: int
    points: tuple[tuple[float, float], ...]


def _placed(width: int, height: int, scale: float, x: float, y: float) -> Crop:
    """ArcFace's five points, scaled, and moved so that (0, 0) lies at (x, y)."""
    points = tuple((scale * px + x, scale * py + y) for px, py in REFERENCE)
    return Crop(width, height, points)


ARCFACE = Crop(SIDE, SIDE, REFERENCE)
#: dlib cuts chips by the corners of the eyes, which YuNet does not see. In a chip of 150 px with a
#: margin of a quarter the middles of its mean eyes lie at (47.7, 47.1) and (100.3, 47.1)
#: (`get_face_chip_details` in image_transforms/interpolation.h); ArcFace's are put there.
_DLIB = _placed(150, 150, 1.491, -9.38, -29.84)
#: Open Model Zoo, face_recognition_demo, `FaceIdentifier.REFERENCE_LANDMARKS`, of 128 px.
_OPEN_MODEL_ZOO = Crop(
    128,
    128,
    ((40.393, 59.081), (87.376, 59.081), (64.034, 81.985), (44.733, 105.561), (83.640, 105.561)),
)
_NAMED = {
    "with the eyes of dlib's chips": _DLIB,
    "with the points of Open Model Zoo": _OPEN_MODEL_ZOO,
}


def crop_of(alignment: str) -> Crop:
    """The crop that an alignment of the catalogue names; ConfigurationError (3) for another.

    `five-point similarity to 160x160` alone is ArcFace's crop of 112 px, scaled to fit, in the
    middle.
    """
    parts = re.fullmatch(r"five-point similarity to (\d+)x(\d+)(?: (.+))?", alignment)
    if parts is None or (parts[3] and parts[3] not in _NAMED):
        raise ConfigurationError(f"No alignment is called {alignment!r}.")
    width, height = int(parts[1]), int(parts[2])
    if parts[3]:
        return _NAMED[parts[3]]
    if width == height == SIDE:
        return ARCFACE
    scale = min(width, height) / SIDE
    return _placed(width, height, scale, (width - scale * SIDE) / 2, (height - scale * SIDE) / 2)


def similarity(landmarks: NDArray[np.float64], crop: Crop = ARCFACE) -> NDArray[np.float64]:
    """The least-squares similarity transform, shape (2, 3), from landmarks (5, 2) to the crop's.

    Umeyama (PAMI 1991). In the plane a rotation with scaling is the product with one complex
    number, so the fit is an ordinary linear regression, and can never mirror the face.
    """
    import numpy as np

    source = landmarks @ (1, 1j)
    target = np.array(crop.points) @ (1, 1j)
    centred = source - source.mean()
    turn = np.vdot(centred, target - target.mean()) / np.vdot(centred, centred).real
    shift = target.mean() - turn * source.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def align(
    pixels: NDArray[np.uint8], landmarks: NDArray[np.float64], crop: Crop = ARCFACE
) -> NDArray[np.uint8]:
    """The aligned crop, shape (height, width, 3), of the same colour order as the photo."""
    import cv2
    import numpy as np

    matrix = similarity(landmarks, crop)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.5:
        # Far fewer pixels are wanted than there are: average them first, or the linear
        # sampling of the warp skips most of them and the crop is aliased.
        region, corner = _surroundings(pixels, matrix, crop)
        shrink = 1 / int(1 / scale)
        small = cv2.resize(region, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        ratio = np.array([small.shape[1] / region.shape[1], small.shape[0] / region.shape[0]])
        # Pixel centres lie at half-integers, hence the shifts by one half.
        moved = (landmarks - corner + 0.5) * ratio - 0.5
        pixels, matrix = np.asarray(small, np.uint8), similarity(moved, crop)
    size = (crop.width, crop.height)
    warped = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR)
    return np.asarray(warped, np.uint8)


def _surroundings(
    pixels: NDArray[np.uint8], matrix: NDArray[np.float64], crop: Crop
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The part of the photo that the crop shows, and its top left corner."""
    import numpy as np

    width, height = crop.width, crop.height
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], float)
    inverse = np.linalg.inv(matrix[:, :2])
    places = (corners - matrix[:, 2]) @ inverse.T
    height, width = pixels.shape[:2]
    limit = np.array([width, height])
    low = np.clip(np.floor(places.min(0)) - 2, 0, limit - 1).astype(int)
    high = np.clip(np.ceil(places.max(0)) + 2, low + 1, limit).astype(int)
    return pixels[low[1] : high[1], low[0] : high[0]], low.astype(float)
