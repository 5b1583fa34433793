"""Are mates who were made up as hard to find for an index as real ones of the same cosine?

    python -m tests.benchmarks.mates MANIFEST [--size N]

MANIFEST is a table of labelled photos (image, subject_id, role), as for `fr evaluate`. Their
references, among people drawn from the references' own mean and covariance, are indexed by Annoy;
then it is asked for the mates of cosine 0.60 to 0.68: by the probes themselves, and by as many
templates of the crowd, moved to the same cosines in any direction, which is how
`approximate.hard_case` and tests/benchmarks/lifelike.py make theirs.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import annoy
import numpy as np
from numpy.typing import NDArray

from fr_cli.face import weights
from fr_cli.face.alignment import crop_of
from fr_cli.face.detection import Detector
from fr_cli.gallery.approximate import TREES
from fr_cli.site import default_home, model_folders
from tests.benchmarks.lifelike import moved
from tests.benchmarks.models import _loaded, _ours

Vector = NDArray[np.float32]
LOW, HIGH = 0.60, 0.68


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--size", type=int, default=100_000)
    options = parser.parse_args()
    folders = model_folders(default_home())
    model = weights.resolved("SFace", folders)
    detector = Detector(weights.load(weights.named("YuNet"), folders))
    embed = _ours(detector, _loaded(model), crop_of(model.alignment))
    with options.manifest.open(encoding="utf-8-sig", newline="") as file:
        rows = [
            (row["subject_id"], row["role"], vector)
            for row in csv.DictReader(file)
            if (vector := embed((options.manifest.parent / row["image"]).read_bytes())) is not None
        ]
    compare(rows, options.size)


def compare(rows: list[tuple[str, str, Vector]], size: int) -> None:
    """Print it, of (subject, role, template)."""
    references = {subject: vector for subject, role, vector in rows if role == "reference"}
    place = {subject: number for number, subject in enumerate(references)}
    enrolled = np.stack(list(references.values()))
    crowd = _crowd(enrolled, size)
    index = annoy.AnnoyIndex(crowd.shape[1], "angular")
    index.set_seed(1)
    for number, vector in enumerate(crowd):
        index.add_item(number, vector)
    index.build(TREES, n_jobs=1)

    real, mates, cosines = [], [], []
    for subject, role, vector in rows:
        if role == "probe" and subject in place:
            cosine = float(vector @ references[subject])
            if LOW <= cosine < HIGH:
                real.append(vector)
                mates.append(place[subject])
                cosines.append(cosine)
    others = np.random.default_rng(3).choice(np.arange(len(enrolled), size), len(real), False)
    made = moved(crowd[others], np.array(cosines, np.float32), np.random.default_rng(4))

    def found(probes: Vector, wanted: list[int], effort: int) -> float:
        asked = zip(probes, wanted, strict=True)
        hits = [row in index.get_nns_by_vector(one, 216, effort) for one, row in asked]
        return sum(hits) / len(hits)

    print(f"{len(real)} mates of cosine {LOW} to {HIGH} among {size:,}, {TREES} trees")
    print(f"{'search_k':>9} {'real found':>11} {'made up':>8}")
    for effort in (2_500, 5_000, 10_000, 20_000, 40_000):
        print(f"{effort:>9,} {found(np.stack(real), mates, effort):>11.1%} "
              f"{found(made, others.tolist(), effort):>8.1%}")  # fmt: skip


def _crowd(enrolled: Vector, size: int) -> Vector:
    """The enrolled, and people like them up to `size`."""
    random = np.random.default_rng(2)
    shape = np.linalg.cholesky(np.cov(enrolled.T) + 1e-9 * np.eye(enrolled.shape[1]))
    drawn = random.standard_normal((size - len(enrolled), len(shape))) @ shape.T
    drawn += enrolled.mean(axis=0)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return np.concatenate([enrolled, drawn.astype(np.float32)])


if __name__ == "__main__":
    main()
