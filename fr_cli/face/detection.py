"""Photo → faces: YuNet's boxes and five landmarks, in full-resolution coordinates.

YuNet (OpenCV Zoo, 2023mar) is run on the photo shrunk to at most 640 px, where it is both
quick and at its best; when it finds nothing there, a second pass at up to 2,560 px looks for
faces that are small in a large photo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fr_cli.face.engines import onnx_session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FIRST_PASS = 640
SECOND_PASS = 2560
CONFIDENCE = 0.8
#: A second face counts as one that could be meant if its box is at least this share of the
#: largest one's side; smaller ones are people in the background.
BYSTANDER = 0.5

#: The network looks at squares of these sides, in a picture whose sides are multiples of the last.
_STRIDES = (8, 16, 32)
_GRID = _STRIDES[-1]
#: What it says of each: is it a face, is there a thing, the box, the landmarks.
_ANSWERS = ("cls", "obj", "bbox", "kps")
#: Boxes that overlap more than this are one face (OpenCV's own default), and the most there are.
_OVERLAP, _MOST = 0.3, 5000
#: The height and width of the input in the graph's file, 640 each, and as any ("h", "w"): of the
#: same length, so that nothing else in the file moves.
_SIZE_640 = bytes.fromhex("0a030880050a03088005")
_SIZE_ANY = bytes.fromhex("0a031201680a03120177")


@dataclass(frozen=True, eq=False)
class Face:
    """A detected face: box (x, y, width, height) and landmarks, in pixels of the full photo.

    `landmarks` has shape (5, 2), float64: the eye, the other eye, nose tip and the two corners
    of the mouth, each pair in the order in which it appears from left to right in an upright
    picture.
    """

    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float64]
    confidence: float

    @property
    def size(self) -> float:
        """Side of a square of the same area as the box, in pixels."""
        return float((self.box[2] * self.box[3]) ** 0.5)

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box, (x, y)."""
        return self.box[0] + self.box[2] / 2, self.box[1] + self.box[3] / 2

    @property
    def inter_eye_distance(self) -> float:
        """Distance between the eye centres as it would be seen from the front, in pixels.

        Turning the head shortens the distance between the eyes, nodding the one from eyes to
        mouth; in a frontal face the first is 0.866 of the second (alignment.REFERENCE), so the
        longer of the two is taken.
        """
        import numpy as np

        eye_a, eye_b, _, mouth_a, mouth_b = self.landmarks
        across = np.hypot(*(eye_b - eye_a))
        down = np.hypot(*((mouth_a + mouth_b) / 2 - (eye_a + eye_b) / 2))
        return float(max(across, 0.866 * down))


class Detector:
    """YuNet, from verified bytes; one instance a thread."""

    def __init__(self, weights: bytes) -> None:
        import cv2

        # One thread: workers are processes, and a result must not depend on their number.
        cv2.setNumThreads(1)
        self._session = onnx_session(weights.replace(_SIZE_640, _SIZE_ANY))

    def detect(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """Find faces in a BGR photo of shape (height, width, 3); the largest first."""
        longest = max(pixels.shape[:2])
        faces = self._run(pixels, min(longest, FIRST_PASS))
        if not faces and longest > FIRST_PASS:
            faces = self._run(pixels, min(longest, SECOND_PASS))
        return sorted(faces, key=lambda face: -face.size)

    def _run(self, pixels: NDArray[np.uint8], longest: int) -> list[Face]:
        import cv2
        import numpy as np

        height, width = pixels.shape[:2]
        scale = longest / max(height, width)
        shape = (max(1, round(width * scale)), max(1, round(height * scale)))
        small: Any = pixels
        if scale != 1:
            small = cv2.resize(pixels, shape, interpolation=cv2.INTER_AREA)
        to_full = np.array([width / shape[0], height / shape[1]])
        faces = []
        for row in self._rows(small).astype(np.float64):
            (x, y), (w, h) = row[0:2] * to_full, row[2:4] * to_full
            landmarks = row[4:14].reshape(5, 2) * to_full
            if not np.isfinite(row).all() or np.ptp(landmarks, axis=0).max() < 1:
                continue  # five landmarks in one pixel are no face
            faces.append(Face((float(x), float(y), float(w), float(h)), landmarks, float(row[14])))
        return faces

    def _rows(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Faces as rows of box, five landmarks and confidence, in pixels of this picture.

        As OpenCV's FaceDetectorYN reads the network's answers, but on onnxruntime, which takes half
        the time for the same numbers to a ten-thousandth of a pixel (tests/face/test_detection.py).
        """
        import cv2
        import numpy as np

        height, width = pixels.shape[:2]
        down, across = -(-height // _GRID) * _GRID, -(-width // _GRID) * _GRID
        canvas = np.zeros((1, 3, down, across), np.float32)
        canvas[0, :, :height, :width] = pixels.transpose(2, 0, 1)
        names = [f"{what}_{stride}" for stride in _STRIDES for what in _ANSWERS]
        answers = self._session.run(names, {"input": canvas})
        found = []
        for place, stride in enumerate(_STRIDES):
            face, there, box, points = (one[0] for one in answers[4 * place : 4 * place + 4])
            confidence = np.sqrt(np.clip(face, 0, 1) * np.clip(there, 0, 1))[:, 0]
            at = np.flatnonzero(confidence >= CONFIDENCE)
            cell = np.stack([at % (across // stride), at // (across // stride)], axis=1)
            corner = cell.astype(np.float32)
            size = np.exp(box[at, 2:]) * stride
            marks = (points[at].reshape(-1, 5, 2) + corner[:, None]) * stride
            centre = (corner + box[at, :2]) * stride
            found.append(
                np.hstack([centre - size / 2, size, marks.reshape(-1, 10), confidence[at, None]])
            )
        rows = np.concatenate(found).astype(np.float32)
        boxes, scores = rows[:, :4].astype(int).tolist(), rows[:, 14].tolist()
        kept = cv2.dnn.NMSBoxes(boxes, scores, CONFIDENCE, _OVERLAP, top_k=_MOST)
        return np.asarray(rows[np.asarray(kept, int)], np.float32)


def prominent(faces: list[Face]) -> list[Face]:
    """The faces that could be meant: the largest, and every other at least half its size."""
    return [face for face in faces if face.size >= BYSTANDER * faces[0].size]
