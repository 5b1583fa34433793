"""face_recognition as a library, its encodings kept: run by `peers`, where it is installed.

    python -m tests.benchmarks.peer_dlib enroll|search|answers REFERENCES OUT PHOTO…

REFERENCES is a folder of photos. `enroll` keeps their encodings beside it (the command line of
face_recognition makes them anew at each start). `answers` is as in `peer_deepface`; `any` is what
the command line does: the first face of a reference, and all faces of a photo.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import face_recognition
import numpy as np

from tests.benchmarks.peer_faces import central

TOLERANCE = 0.6


def main() -> None:
    verb, folder, out, *photos = sys.argv[1:]
    kept = Path(folder).with_name("encodings.npz")
    if verb == "enroll":
        names = sorted(path for path in Path(folder).iterdir() if path.suffix == ".jpg")
        found = [_faces(str(path)) for path in names]
        columns = [number for number, (faces, _) in enumerate(found) if faces]
        first = [found[number][0][0] for number in columns]
        middle = [found[number][0][found[number][1]] for number in columns]
        np.savez(kept, first=first, middle=middle, columns=columns, count=len(names))
        return
    with np.load(kept) as store:
        first, middle, columns, count = (
            store[name] for name in ("first", "middle", "columns", "count")
        )
    distances = np.full((2, len(photos), int(count)), np.inf, np.float32)
    for row, photo in enumerate(photos):
        faces, asked = _faces(photo)
        for number, face in enumerate(faces):
            every = face_recognition.face_distance(first, face)
            distances[0, row, columns] = np.minimum(distances[0, row, columns], every)
            if number == asked:
                distances[1, row, columns] = face_recognition.face_distance(middle, face)
    np.savez(out, any=distances[0], central=distances[1], threshold=TOLERANCE)


def _faces(photo: str) -> tuple[list[Any], int]:
    """The encoding of each face, and the place of the one in the middle."""
    pixels = face_recognition.load_image_file(photo)
    found = face_recognition.face_locations(pixels)
    boxes = [(left, top, right, bottom) for top, right, bottom, left in found]
    asked = central(boxes, *pixels.shape[:2]) if boxes else -1
    return face_recognition.face_encodings(pixels, found), asked


if __name__ == "__main__":
    main()
