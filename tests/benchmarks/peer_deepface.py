"""DeepFace as its README calls it: run by `peers`, with an interpreter that has it.

    python -m tests.benchmarks.peer_deepface SETTING enroll|search|answers REFERENCES OUT PHOTO…

SETTING is JSON: `way` (find or search) and `options` as either takes them. REFERENCES is a folder
of photos. `answers` writes arrays of shape (photos, references by name) to OUT: how far each
reference is from each photo by `find` with its threshold lifted, inf where nothing was compared.
`any` is the nearest of all faces, `central` that of the faces in the middle of their photos;
`threshold` is that of `find`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from deepface import DeepFace
from deepface.modules.exceptions import FaceNotDetected
from deepface.modules.verification import find_threshold

from tests.benchmarks.peer_faces import Box, central

LIFTED = 1e9


def main() -> None:
    setting, verb, folder, out, *photos = sys.argv[1:]
    way, options = json.loads(setting)["way"], json.loads(setting)["options"]
    references = sorted(str(path) for path in Path(folder).iterdir() if path.suffix == ".jpg")
    if way == "search":
        store = Path(folder).with_name("register.sqlite")
        options |= {"database_type": "sqlite", "connection_details": str(store)}
    if verb == "answers":
        _answers(references, folder, out, photos, options)
    elif way == "find":  # the first one builds the store
        for photo in photos:
            _tried(DeepFace.find, img_path=photo, db_path=folder, **options)
    elif verb == "enroll":
        options.pop("return_type")
        for photo in references:
            _tried(DeepFace.register, img=photo, **options)
    else:
        for photo in photos:
            _tried(DeepFace.search, img=photo, **options)


def _tried(function: Any, **options: Any) -> Any:
    """The answer, or nothing for a photo without a face, which DeepFace refuses."""
    try:
        return function(**options)
    except FaceNotDetected:
        return []


def _answers(
    references: list[str], folder: str, out: str, photos: list[str], options: dict[str, Any]
) -> None:
    lifted = options | {"return_type": "dict", "threshold": LIFTED, "refresh_database": False}
    every = np.full((len(photos), len(references)), np.inf, np.float32)
    middle = every.copy()
    meant: list[int] = []  # of the faces that `find` lists of each photo, in its order
    for row, photo in enumerate(photos):
        faces = _tried(DeepFace.find, img_path=photo, db_path=folder, **lifted)
        if not faces:
            continue
        # Every face of a photo is compared with the same rows of the store.
        rows = sorted(faces[0], key=lambda one: (one["identity"], *_box(one, "target")))
        columns = np.searchsorted(references, [one["identity"] for one in rows])
        meant = meant or _meant(rows)
        asked = central([_box(face[0], "source") for face in faces], *_shape(photo))
        for number, face in enumerate(faces):
            face.sort(key=lambda one: (one["identity"], *_box(one, "target")))
            distances = np.array([one["distance"] for one in face], np.float32)
            np.minimum.at(every[row], columns, distances)
            if number == asked:
                middle[row, columns[meant]] = distances[meant]
    threshold = find_threshold(options["model_name"], "cosine")
    np.savez(out, any=every, central=middle, threshold=threshold)


def _meant(rows: list[dict[str, Any]]) -> list[int]:
    """Of the rows of each reference, that of its face in the middle."""
    places: dict[str, list[int]] = {}
    for place, one in enumerate(rows):
        places.setdefault(one["identity"], []).append(place)
    return [
        some[central([_box(rows[place], "target") for place in some], *_shape(name))]
        for name, some in places.items()
    ]


def _shape(photo: str) -> tuple[int, int]:
    height, width = np.asarray(cv2.imread(photo)).shape[:2]
    return height, width


def _box(found: dict[str, Any], which: str) -> Box:
    x, y, w, h = (float(found[f"{which}_{name}"]) for name in "xywh")
    return x, y, x + w, y + h


if __name__ == "__main__":
    main()
