"""What an exact search costs beside the memory that it reads, and whether it misses anybody.

    python -m tests.benchmarks.search [--sizes 10000,100000,1000000] [--dimensions 128,512]
        [--probes 1200] [--threads 1]

Random unit vectors, one process, one thread; CPU is user + system time, the least of several
rounds in which the lines take turns. Look at the ratios: `copy` is numpy copying just the codes
that the scan reads, so that 1.00 is the bandwidth of the memory (a copy reads and writes).

- scan: the exact engine on its codes, k = 50 subjects; `f32`: numpy's product of the templates and
  the probe, which is what was scanned before, without the selection.
- search: the scan, the templates of the shortlist decrypted from the generation's file, and
  their cosines in double precision; `rows` is how many these are.
- cold: the generation opened from its file and searched once; `all f32`: as long as every template
  had to be decrypted.

Then: are the lists of 50 the same as by comparing everything in double precision, on galleries with
ties, copies and several references a person, by probes at a cosine of about 0.6 to their mate. And
the batched search of `fr evaluate` beside the BLAS's own speed on a large square product.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fr_cli.gallery.generation import Generations, Packed
    from fr_cli.records import Vector

FINGERPRINT = "ab" * 32
COUNT = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,100000,1000000", help="references, with commas")
    parser.add_argument("--dimensions", default="128,512", help="with commas")
    parser.add_argument("--probes", type=int, default=1200, help="of each gallery that is compared")
    parser.add_argument("--threads", type=int, default=1, help="of the batched search and its BLAS")
    options = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = str(options.threads)  # before numpy is loaded
    dimensions = [int(one) for one in options.dimensions.split(",")]
    print(f"{'references':>10} {'dim':>4} {'copy ms':>8} {'scan ms':>8} {'/ copy':>7} "
          f"{'f32 ms':>7} {'search ms':>9} {'rows':>5} {'cold ms':>8} {'all f32':>8}")  # fmt: skip
    for dimension in dimensions:
        for size in map(int, options.sizes.split(",")):
            _cost(size, dimension)
    for dimension in dimensions:
        _ranking(dimension, options.probes)
    for dimension in dimensions:
        for size, each in ((10_000, 1), (10_000, 3), (100_000, 1)):
            _batched(size, dimension, each)


def _least(lines: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The least CPU time of each, in ms; they take turns."""
    best = dict.fromkeys(lines, float("inf"))
    for _ in range(rounds):
        for name, line in lines.items():
            began = time.process_time()
            line()
            best[name] = min(best[name], 1000 * (time.process_time() - began))
    return best


def _vectors(count: int, dimension: int, seed: int) -> Vector:
    import numpy as np

    rows = np.random.default_rng(seed).standard_normal((count, dimension), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _generations(folder: Path) -> Generations:
    from fr_cli.gallery.generation import Generations
    from fr_cli.gallery.vault import KeySlots
    from fr_cli.keys import SigningKey

    slots = KeySlots(folder / "slots", b"w" * 32)
    slots.create(1)
    return Generations(folder, slots, SigningKey.create(folder))


def _cost(size: int, dimension: int) -> None:
    import numpy as np

    from fr_cli.gallery.exact import Exact
    from fr_cli.gallery.generation import Packed
    from fr_cli.gallery.view import View

    vectors, pks = _vectors(size, dimension, 1), np.arange(1, size + 1)
    probes = iter(np.tile(_vectors(64, dimension, 2), (99, 1)))
    with tempfile.TemporaryDirectory() as folder:
        generations = _generations(Path(folder))
        number = generations.write(Packed(pks, pks, vectors), FINGERPRINT)
        nobody = Packed.empty()
        warm = generations.read(number, FINGERPRINT)
        view, scan = View(number, warm, nobody), Exact(warm)
        assert warm.codes is not None
        codes = warm.codes.values
        copied = np.empty_like(codes)

        def cold() -> None:
            opened = generations.read(number, FINGERPRINT)
            View(number, opened, nobody).nearest(next(probes), COUNT, "exact")

        ms = _least(
            {
                "copy": lambda: np.copyto(copied, codes),
                "scan": lambda: scan.nearest(next(probes), COUNT, None),
                "f32": lambda: vectors @ next(probes),
                "search": lambda: view.nearest(next(probes), COUNT, "exact"),
                "cold": cold,
                "all": lambda: np.asarray(generations.read(number, FINGERPRINT).vectors),
            },
            rounds=max(5, min(60, 10**8 // (size * dimension))),
        )
        rows = np.mean([len(scan.nearest(next(probes), COUNT, None)) for _ in range(20)])
    print(
        f"{size:>10,} {dimension:>4} {ms['copy']:>8.2f} {ms['scan']:>8.2f} "
        f"{ms['scan'] / ms['copy']:>7.2f} {ms['f32']:>7.2f} {ms['search']:>9.2f} {rows:>5.0f} "
        f"{ms['cold']:>8.1f} {ms['all']:>8.1f}"
    )


def _people(dimension: int) -> Packed:
    """Three references a person, some photos twice or all but twice, also as somebody else."""
    import numpy as np

    from fr_cli.gallery.generation import Packed

    random = np.random.default_rng(3)
    rows = np.repeat(_vectors(6000, dimension, 4), 3, axis=0).astype(np.float64)
    rows += 0.65 * random.standard_normal(rows.shape) / dimension**0.5
    subjects = np.repeat(np.arange(6000), 3)
    copies = random.choice(len(rows), 2000, replace=False)
    dust = np.where(random.random((2000, 1)) < 0.5, 0, 1e-7) * random.standard_normal(
        (2000, dimension)
    )
    rows = np.concatenate([rows, rows[copies] + dust])
    subjects = np.concatenate([subjects, random.integers(0, 7000, 2000)])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    pks = random.permutation(len(rows)) + 1
    return Packed(pks, subjects, rows.astype(np.float32))


def _ranking(dimension: int, count: int) -> None:
    """Lists that are not, entry by entry, those of a comparison with everybody in float64."""
    import numpy as np

    from fr_cli.gallery.generation import Packed
    from fr_cli.gallery.view import View

    packed, random = _people(dimension), np.random.default_rng(5)
    rows = np.asarray(packed.vectors)
    nearest = rows[random.choice(len(rows), count)].astype(np.float64)
    noise = random.standard_normal(nearest.shape)
    noise -= np.sum(noise * nearest, axis=1, keepdims=True) * nearest
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    cosines = 0.6 + 0.002 * random.standard_normal((count, 1))
    probes = cosines * nearest + (1 - cosines**2) ** 0.5 * noise
    probes[::4] = random.standard_normal(probes[::4].shape)  # strangers
    probes[1::4] = nearest[1::4]  # the very photo
    probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    other = 0
    with tempfile.TemporaryDirectory() as folder:
        generations = _generations(Path(folder))
        number = generations.write(packed, FINGERPRINT)
        view = View(number, generations.read(number, FINGERPRINT), Packed.empty())
        for probe in probes.astype(np.float32):
            found, _ = view.nearest(probe, COUNT, "exact")
            exact = np.vecdot(rows.astype(np.float64), probe.astype(np.float64))
            best: dict[int, tuple[int, float]] = {}
            for place in np.lexsort((packed.pks, -exact)):
                best.setdefault(
                    int(packed.subjects[place]), (int(packed.pks[place]), float(exact[place]))
                )
                if len(best) == COUNT:
                    break
            other += found != list(best.values())
    print(f"dimension {dimension}: of {count} lists of {COUNT}, {other} are not those of float64")


def _batched(size: int, dimension: int, each: int) -> None:
    import numpy as np

    from fr_cli.evaluation.lists import candidate_lists
    from fr_cli.evaluation.protocol import leave_one_out, search_galleries

    count = 200_000_000 // size
    references, probes = _vectors(size, dimension, 1), list(_vectors(count, dimension, 2))
    subjects = [f"s{row // each:07}" for row in range(size)]
    # Half of the probes have a mate in the gallery.
    whose = [f"s{row % (2 * size // each):07}" for row in range(count)]
    listed, some = frozenset(subjects), list(references[:6000])
    square = _vectors(3000, 3000, 3)
    out = np.empty_like(square)
    ms = _least(
        {
            "peak": lambda: np.matmul(square, square, out=out),
            "open-set": lambda: search_galleries(references, subjects, probes, whose, [listed]),
            "lists": lambda: candidate_lists(references, subjects, probes, whose),
            "leave-one-out": lambda: leave_one_out(some, subjects[: len(some)]),
        },
        rounds=3,
    )
    speed = 3000**3 / ms["peak"]
    cells = {"open-set": size * count, "lists": size * count, "leave-one-out": len(some) ** 2}
    said = ", ".join(f"{name} {n * dimension / ms[name] / speed:.2f}" for name, n in cells.items())
    print(f"batched, {size:,} x {dimension}, {each} references a person, "
          f"share of a square product's {2e-6 * speed:.0f} GFLOP a CPU second: {said}")  # fmt: skip


if __name__ == "__main__":
    main()
