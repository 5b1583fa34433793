"""The models of the catalogue beside each other: same photos, same detector, one run.

    python -m tests.benchmarks.models MANIFEST [MODEL …] [--exclude PAIRS] [--photos N]

Takes the first photos (1,500 by default) of people with at least two in the manifest, and prints
for each model whose weights are in the account's folder: true accept rates at three false accept
rates over all pairs, and CPU milliseconds a photo, on one thread. `represent` is DeepFace's own
pipeline as its users call it, with SFace and YuNet. With `--crops MODEL` one model is tried with
the face larger or smaller in its crop (1 is the catalogue's); choose by other photos (`--skip N`)
than those that are reported.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fr_cli.errors import FrError
from fr_cli.face import weights
from fr_cli.face.alignment import Crop, align, crop_of
from fr_cli.face.detection import Detector, Face
from fr_cli.face.embedding import Embedder
from fr_cli.face.pipeline import choose
from fr_cli.operations.exclusions import read_exclusions
from fr_cli.site import default_home, model_folders

Vector = NDArray[np.float32]
FARS = (1e-3, 1e-4, 1e-5)
ZOOMS = (0.7, 0.8, 0.9, 1.0, 1.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--exclude", type=Path)
    parser.add_argument("--photos", type=int, default=1500)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--crops")
    options = parser.parse_intermixed_args()
    rows = _rows(options.manifest)[options.skip :][: options.photos]
    excluded = read_exclusions(options.exclude).every
    subjects = [subject for _, subject in rows]
    pairs = len(rows) * (len(rows) - 1) // 2
    print(f"{len(rows)} photos of {len(set(subjects))} people, {pairs:,} pairs")
    header = ("model", "template", *(f"TAR@{far:g}" for far in FARS), "CPU ms", "no face")
    print(" ".join(f"{name:>11}" for name in header))
    for name, dimension, embed in _candidates(options.models, options.crops):
        embed(rows[0][0].read_bytes())  # whatever is loaded at the first photo is not its cost
        began = time.process_time()
        vectors = [embed(path.read_bytes()) for path, _ in rows]
        cpu = 1000 * (time.process_time() - began) / len(rows)
        found = _true_accept_rates(vectors, subjects, excluded)
        cells = (name, dimension, *(f"{rate:.4f}" for rate in found), f"{cpu:.0f}",
                 sum(vector is None for vector in vectors))  # fmt: skip
        print(" ".join(f"{cell:>11}" for cell in cells), flush=True)


def _rows(manifest: Path) -> list[tuple[Path, str]]:
    with manifest.open(encoding="utf-8-sig", newline="") as file:
        rows = [(manifest.parent / row["image"], row["subject_id"]) for row in csv.DictReader(file)]
    count = Counter(subject for _, subject in rows)
    return [row for row in rows if count[row[1]] > 1]


def _candidates(
    names: list[str], crops: str | None
) -> Iterator[tuple[str, str, Callable[[bytes], Vector | None]]]:
    """Name, dimension, and what makes a vector of an encoded photo."""
    folders = model_folders(default_home())
    detector = Detector(weights.load(weights.named("YuNet"), folders))
    if crops:
        model = weights.resolved(crops, folders)
        for zoom in ZOOMS:
            crop = _zoomed(crop_of(model.alignment), zoom)
            yield f"x {zoom}", str(model.dimension), _ours(detector, _loaded(model), crop)
        return
    if not names:
        os.environ["DEEPFACE_BACKEND_ENGINE"] = "onnx"
        with tempfile.TemporaryDirectory() as folder:
            yield "represent", "128", _represent(Path(folder))
    for name in names or weights.catalogue():
        model = weights.resolved(name, folders)
        if model.task == "embedder":
            try:
                embedder = _loaded(model)
            except FrError as trouble:
                print(f"{name:>11} not measured: {trouble.message}")
                continue
            yield name, str(model.dimension), _ours(detector, embedder, crop_of(model.alignment))


def _loaded(model: weights.Model) -> Embedder:
    folders = model_folders(default_home())
    parts = [weights.load(weights.named(part), folders) for part in model.parts]
    return Embedder(model, weights.load(model, folders), parts)


def _zoomed(crop: Crop, zoom: float) -> Crop:
    """The face larger or smaller in the crop, about its middle."""
    middle = np.array((crop.width, crop.height)) / 2
    points = middle + zoom * (np.array(crop.points) - middle)
    return dataclasses.replace(crop, points=tuple((float(x), float(y)) for x, y in points))


def _ours(detector: Detector, embedder: Embedder, crop: Crop) -> Callable[[bytes], Vector | None]:
    import cv2

    def embed(photo: bytes) -> Vector | None:
        decoded: Any = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
        pixels = np.asarray(decoded, np.uint8)
        faces: list[Face] = detector.detect(pixels)
        if not faces:
            return None
        face = choose(faces, "central", pixels.shape[:2])
        return embedder.embed(align(pixels, face.landmarks, crop))

    return embed


def _represent(folder: Path) -> Callable[[bytes], Vector | None]:
    """`DeepFace.represent` as a user calls it: its detector, crop and alignment."""
    # fr binds empty stand-ins for DeepFace's downloader; DeepFace itself is loaded afresh here.
    for name in [name for name in sys.modules if name.split(".")[0] == "deepface"]:
        del sys.modules[name]
    files = folder / ".deepface" / "weights"
    files.mkdir(parents=True)
    for model in weights.needed():
        (files / model.file).symlink_to(
            weights.find(model, model_folders(default_home())).resolve()
        )
    os.environ["DEEPFACE_HOME"] = str(folder)
    import cv2
    from deepface import DeepFace

    def embed(photo: bytes) -> Vector | None:
        pixels = np.asarray(cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR))
        faces: Any = DeepFace.represent(
            pixels, model_name="SFace", detector_backend="yunet", enforce_detection=False
        )
        faces = [face for face in faces if face["face_confidence"] > 0]
        if not faces:
            return None
        middle = np.array(pixels.shape[1::-1]) / 2

        def distance(face: Any) -> float:
            area = face["facial_area"]
            centre = np.array([area["x"] + area["w"] / 2, area["y"] + area["h"] / 2])
            return float(np.linalg.norm(centre - middle))

        vector = np.array(min(faces, key=distance)["embedding"], np.float32)
        return np.asarray(vector / np.linalg.norm(vector), np.float32)

    return embed


def _true_accept_rates(
    vectors: list[Vector | None], subjects: list[str], excluded: frozenset[frozenset[str]]
) -> list[float]:
    """The share of mated pairs above the threshold that lets through each of FARS."""
    usable = [i for i, vector in enumerate(vectors) if vector is not None]
    matrix = np.stack([np.asarray(vectors[i]) for i in usable])
    names = np.array([subjects[i] for i in usable])
    mated, impostors = [], []
    for i in range(len(usable) - 1):
        cosines = matrix[i + 1 :] @ matrix[i]
        same = names[i + 1 :] == names[i]
        aliases = [o for pair in excluded if names[i] in pair for o in pair]
        other = ~same & ~np.isin(names[i + 1 :], aliases)
        mated.append(cosines[same])
        impostors.append(cosines[other])
    true, false = np.concatenate(mated), np.sort(np.concatenate(impostors))
    return [float(np.mean(true > false[-1 - int(far * len(false))])) for far in FARS]


if __name__ == "__main__":
    main()
