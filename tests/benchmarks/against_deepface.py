"""DeepFace's own pipeline beside fr's, same photos, same weights, same run.

    python -m tests.benchmarks.against_deepface MANIFEST [--exclude PAIRS] [--every N]

Prints a table: error rates of the open-set protocol of `fr evaluate`, true accept rates over all
pairs, and CPU seconds a photo on one core. Both choose the face nearest to the middle.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fr_cli.errors import FrError
from fr_cli.evaluation import points, protocol, rates
from fr_cli.face import weights
from fr_cli.face.pipeline import FacePipeline
from fr_cli.operations.exclusions import read_exclusions
from fr_cli.operations.manifest import Row, read_manifest, read_photo
from fr_cli.site import default_home, model_folders

Vector = NDArray[np.float32]
FARS = (1e-3, 1e-4, 1e-5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--exclude", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th line only")
    options = parser.parse_args()
    rows = [row for row in read_manifest(options.manifest) if isinstance(row, Row)]
    rows = rows[:: options.every]
    excluded = read_exclusions(options.exclude).every
    print(f"{len(rows)} photos of {options.manifest.name}")
    header = ("pipeline", "FTE+FTA", "rank 1", "TPIR@0.01", "TPIR@0.003", *(
        f"TAR@{far:g}" for far in FARS
    ), "CPU ms")  # fmt: skip
    print(" ".join(f"{name:>11}" for name in header))
    with tempfile.TemporaryDirectory() as folder:
        for name, embed in (("fr", _ours()), ("DeepFace", deepface(Path(folder)))):
            _report(name, embed, rows, excluded)


def _report(
    name: str,
    embed: Callable[[bytes], Vector | None],
    rows: list[Row],
    excluded: frozenset[frozenset[str]],
) -> None:
    embed(read_photo(rows[0].path))  # whatever is loaded at the first photo is not its cost
    began = time.process_time()
    vectors = [embed(read_photo(row.path)) for row in rows]
    cpu = 1000 * (time.process_time() - began) / len(rows)
    subjects = [row.enrolment.subject_id for row in rows]
    is_reference = [row.enrolment.extra["role"] == "reference" for row in rows]
    found = [
        (vector, subject)
        for vector, subject, reference in zip(vectors, subjects, is_reference, strict=True)
        if reference and vector is not None
    ]
    probes = [i for i, reference in enumerate(is_reference) if not reference]
    searched = protocol.search_all(
        np.stack([vector for vector, _ in found]),
        [subject for _, subject in found],
        [vectors[i] for i in probes],
        [subjects[i] for i in probes],
        listed={s for s, reference in zip(subjects, is_reference, strict=True) if reference},
        excluded=excluded,
    )
    measured = points.points(searched, targets=(0.01, 0.003))
    cells: list[Any] = [
        sum(vector is None for vector in vectors),
        rates.within_rank(searched, 1).value,
        *(point["tpir"] for point in measured),
        *true_accept_rates(vectors, subjects, excluded),
        cpu,
    ]
    shown = ["-" if x is None else f"{x:.4f}" if 0 < x <= 1 else f"{x:.0f}" for x in cells]
    print(" ".join(f"{cell:>11}" for cell in (name, *shown)), flush=True)


def true_accept_rates(
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


def _ours() -> Callable[[bytes], Vector | None]:
    pipeline = FacePipeline.load(floors={})

    def embed(photo: bytes) -> Vector | None:
        try:
            return pipeline.template(photo, "central").vector
        except FrError:
            return None

    return embed


def deepface(folder: Path) -> Callable[[bytes], Vector | None]:
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


if __name__ == "__main__":
    main()
