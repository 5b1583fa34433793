"""What an evaluation costs: embedding beside the bare models, kept templates, and the counting.

    python -m tests.benchmarks.evaluate [--photos FOLDER] [--count N] [--pairs PHOTOS]

The first part times `fr evaluate` on N photos against the same photos through detector and
embedder alone, on all cores, started and warm; and again with the templates that it kept. The
second counts the comparisons of so many photos (13,233 give 87.5 million) in a process of its own.
Wall time is what is asked for, on a quiet machine; the ratio of CPU times hardly minds a busy one.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.benchmarks.cost import FR, _bare, _load_bare, made_up_photos

#: People of LFW for as many photos.
_PEOPLE_A_PHOTO = 5749 / 13233


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, help="a folder of photos, instead of openpeople")
    parser.add_argument("--count", type=int, default=1200)
    parser.add_argument("--pairs", type=int, default=13233)
    options = parser.parse_args()
    _counting(options.pairs)
    photos = list(itertools.islice(made_up_photos(options.photos), options.count))
    with tempfile.TemporaryDirectory() as folder:
        _embedding(Path(folder), photos)


def _counting(photos: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"from tests.benchmarks.evaluate import count; count({photos})"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    print(done.stdout, end="")


def count(photos: int) -> None:
    """Every comparison of random templates, 1:1 and 1:N; prints time and the most memory."""
    from fr_cli.evaluation import protocol, rates
    from fr_cli.evaluation.impostors import compare_all

    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((photos, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    subjects = rng.integers(0, round(photos * _PEOPLE_A_PHOTO), photos)
    names = [str(subject) for subject in subjects]
    began = time.perf_counter()
    compared = compare_all(vectors, subjects)
    one_to_one = time.perf_counter() - began
    found, _ = protocol.leave_one_out(list(vectors), names)
    rates.det(found)
    both = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{compared.nonmated.comparisons:,} comparisons 1:1 in {one_to_one:.1f} s; with every "
        f"photo searched in all others, {both:.1f} s; {memory:.2f} GB at most"
    )


def _embedding(folder: Path, photos: list[bytes]) -> None:
    labelled = folder / "labelled"
    for number, photo in enumerate(photos):
        path = labelled / f"S{number // 2:05d}" / f"{number % 2}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo)
    cores = len(os.sched_getaffinity(0))
    with multiprocessing.get_context("spawn").Pool(cores, _load_bare) as pool:
        pool.map(_bare, photos[: 4 * cores])  # loading is not throughput
        began = time.perf_counter()
        cpu = sum(pool.map(_bare_cpu, photos, chunksize=8))
        bare = time.perf_counter() - began
    home = folder / "home"
    subprocess.run([FR, "--home", home, "init"], check=True, capture_output=True)
    for name in ("embedding", "kept templates"):
        before, began = _children(), time.perf_counter()
        subprocess.run(
            [FR, "--home", home, "--json", "evaluate", labelled], check=True, capture_output=True
        )
        took, used = time.perf_counter() - began, _children() - before
        print(
            f"fr evaluate, {name}, whole command, {len(photos)} photos, {cores} cores: "
            f"{len(photos) / took:.1f} photos/s, {bare / took:.2f} x the bare models "
            f"({len(photos) / bare:.1f}/s); {1000 * used / len(photos):.1f} CPU ms a photo, "
            f"{cpu / used:.2f} x"
        )


def _bare_cpu(photo: bytes) -> float:
    began = time.process_time()
    _bare(photo)
    return time.process_time() - began


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
