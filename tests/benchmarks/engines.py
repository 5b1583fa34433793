"""The engines of a search beside their peers: same templates, same probes, same run, one thread.

    python -m tests.benchmarks.engines [--size N] [--dimension D] [--probes N] [--only A,B]

Templates and probes are those of tests/benchmarks/lifelike.py. Every engine makes the shortlist of
a search for 50 subjects (216 rows), and the cosines are then those of the templates, from a file
that all of them map: so engines differ only in whom they find, and at the same threshold in
nothing else. Each is built in a process of its own, which writes its index encrypted, as fr must,
and opened in another; then they are asked in turns. A peer that is not installed is left out.

- build: CPU s, with finding the effort where there is one: the least at which 99 % of
  `approximate.hard_case` are on the shortlist (HNSW and Annoy by the same rule);
- file: MB; memory: MB of the process, by which opening it and asking once makes it grow;
- open: CPU ms to import the library, read, decrypt and load, and the first search;
- search: CPU ms, the least of several turns; pays after: how often it must be asked until it
  has saved, beside `fr exact`, what its build cost more;
- recall@1: mated probes whose nearest is the nearest of all; lost: the share of mated probes whose
  mate a scan finds at or above the threshold and the engine does not (FNIR less the scan's): at the
  threshold of the shipped calibration for this size (FPIR 1 in 6,000), and `at 1 %`, where each
  has the threshold at which it shows one stranger in a hundred somebody.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from fr_cli.decision.threshold import threshold_for
from fr_cli.gallery import approximate
from fr_cli.gallery.approximate import with_index
from fr_cli.gallery.generation import Generations, Packed
from fr_cli.gallery.search import engine_for
from fr_cli.gallery.vault import KeySlots
from fr_cli.keys import SigningKey
from tests.benchmarks import lifelike

Vector = NDArray[np.float32]

SUBJECTS, SHORTLIST = 50, 216
#: HNSW: links a node and candidates while it is built.
LINKS, BUILDING = 16, 100
#: Of an engine that misses nobody this many probes are checked, and not all.
CHECKED = 100
TURNS, A_TURN = 5, 40
CHUNK = 1 << 20


class Numpy:
    """A product with all templates."""

    tuned = False

    def build(self, vectors: Vector) -> bytes:
        return vectors.tobytes()

    def open(self, data: bytes, shape: tuple[int, int]) -> None:
        self._vectors = np.frombuffer(data, np.float32).reshape(shape)

    def nearest(self, probe: Vector) -> Any:
        return np.argpartition(self._vectors @ probe, -SHORTLIST)[-SHORTLIST:]


class Simsimd:
    """A scan of one byte a number: what `fr exact` would be if it did not prove its shortlist."""

    tuned = False

    def build(self, vectors: Vector) -> bytes:
        return _bytes_of(vectors).tobytes()

    def open(self, data: bytes, shape: tuple[int, int]) -> None:
        self._codes = np.frombuffer(data, np.int8).reshape(shape)

    def nearest(self, probe: Vector) -> Any:
        import simsimd

        found = np.asarray(simsimd.cdist(_bytes_of(probe[None]), self._codes, "dot"))[0]
        return np.argpartition(found, -SHORTLIST)[-SHORTLIST:]


def _bytes_of(vectors: Vector) -> NDArray[np.int8]:
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    return np.asarray(np.rint(vectors * (127 / largest.max())), np.int8)


class Faiss:
    """One of faiss's indices; `parts` is what its factory is told."""

    def __init__(self, parts: str) -> None:
        self._parts, self.tuned = parts, parts.startswith("HNSW")

    def build(self, vectors: Vector) -> bytes:
        import faiss

        made = faiss.index_factory(vectors.shape[1], self._parts, faiss.METRIC_INNER_PRODUCT)
        if self.tuned:
            made.hnsw.efConstruction = BUILDING
        made.train(vectors)
        made.add(vectors)
        return bytes(faiss.serialize_index(made))

    def open(self, data: bytes, shape: tuple[int, int]) -> None:
        import faiss

        faiss.omp_set_num_threads(1)
        self._index = faiss.deserialize_index(np.frombuffer(data, np.uint8))

    def look_at(self, effort: int) -> None:
        self._index.hnsw.efSearch = effort

    def nearest(self, probe: Vector) -> Any:
        return self._index.search(probe[None], SHORTLIST)[1][0]


class Hnswlib:
    """HNSW by its authors."""

    tuned = True

    def build(self, vectors: Vector) -> bytes:
        import hnswlib

        made = hnswlib.Index("ip", vectors.shape[1])
        made.init_index(len(vectors), M=LINKS, ef_construction=BUILDING, random_seed=1)
        made.add_items(vectors, num_threads=1)
        with InMemory() as path:
            made.save_index(path)
            return Path(path).read_bytes()

    def open(self, data: bytes, shape: tuple[int, int]) -> None:
        import hnswlib

        self._index = hnswlib.Index("ip", shape[1])
        with InMemory() as path:
            Path(path).write_bytes(data)
            self._index.load_index(path)
        self._index.set_num_threads(1)

    def look_at(self, effort: int) -> None:
        self._index.set_ef(effort)

    def nearest(self, probe: Vector) -> Any:
        return self._index.knn_query(probe, SHORTLIST, num_threads=1)[0][0]


class Usearch:
    """HNSW over templates of a kind: f32 or i8."""

    tuned = True

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def build(self, vectors: Vector) -> bytes:
        from usearch.index import Index

        made = Index(ndim=vectors.shape[1], metric="cos", dtype=self._kind, connectivity=LINKS,
                     expansion_add=BUILDING)  # fmt: skip
        made.add(np.arange(len(vectors)), vectors, threads=1)
        return bytes(made.save())

    def open(self, data: bytes, shape: tuple[int, int]) -> None:
        from usearch.index import Index

        self._index = Index.restore(data)

    def look_at(self, effort: int) -> None:
        self._index.expansion_search = effort

    def nearest(self, probe: Vector) -> Any:
        return self._index.search(probe, SHORTLIST, threads=1).keys


#: Name, package, how it is made, and whether it misses nobody.
PEERS: dict[str, tuple[str, Callable[[], Any], bool]] = {
    "fr exact": ("numpy", Numpy, True),  # how it is built and opened is said by _build and _open
    "fr annoy": ("annoy", Numpy, False),
    "numpy f32": ("numpy", Numpy, True),
    "simsimd int8": ("simsimd", Simsimd, False),
    "faiss flat": ("faiss", lambda: Faiss("Flat"), True),
    "faiss SQ8": ("faiss", lambda: Faiss("SQ8"), False),
    "faiss HNSW": ("faiss", lambda: Faiss(f"HNSW{LINKS}"), False),
    "hnswlib": ("hnswlib", Hnswlib, False),
    "usearch f32": ("usearch", lambda: Usearch("f32"), False),
    "usearch i8": ("usearch", lambda: Usearch("i8"), False),
}


class InMemory:
    """The path of a file that is only in memory."""

    def __enter__(self) -> str:
        self._handle = os.memfd_create("peer", os.MFD_CLOEXEC)
        return f"/proc/self/fd/{self._handle}"

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)


@dataclasses.dataclass
class Row:
    """What is printed of an engine."""

    name: str
    build: float
    file: float
    effort: int
    open: float = 0.0
    memory: float = 0.0
    search: float = float("inf")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size", type=int, default=100_000, help="references")
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument(
        "--probes", type=int, default=3000, help="mated, beside a third of strangers"
    )
    parser.add_argument("--only", default="", help=f"some of: {', '.join(PEERS)}")
    options = parser.parse_args()
    for name in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{name}_NUM_THREADS"] = "1"  # for the processes that are begun from here
    wanted = [name.strip() for name in options.only.split(",")] if options.only else list(PEERS)
    here = [name for name in wanted if importlib.util.find_spec(PEERS[name][0])]
    for name in wanted:
        if name not in here:
            print(f"{name}: not installed, left out")
    with tempfile.TemporaryDirectory() as folder:
        _compare(Path(folder), here, options.size, options.dimension, options.probes)


def _compare(folder: Path, names: list[str], size: int, dimension: int, probes: int) -> None:
    strangers = probes // 3
    everybody = lifelike.people(size + strangers, dimension)
    np.save(folder / "templates.npy", everybody[:size])
    mates = np.random.default_rng(3).choice(size, probes, replace=False)
    asked = np.concatenate([lifelike.photos(everybody[mates]), lifelike.photos(everybody[size:])])
    np.save(folder / "probes.npy", asked)
    np.save(folder / "mates.npy", mates)
    own = np.sum(everybody[mates] * asked[:probes], axis=1)
    best = _best(everybody[:size], asked)
    del everybody
    context = multiprocessing.get_context("spawn")
    rows, pools = [], []
    for name in names:
        with context.Pool(1) as once:
            rows.append(Row(name, *once.apply(_build, (name, folder))))
        print(rows[-1], file=sys.stderr)
    for row in rows:
        pools.append(context.Pool(1))
        row.open, row.memory = pools[-1].apply(_open, (row.name, folder, row.effort))
    for turn in range(TURNS):
        for row, pool in zip(rows, pools, strict=True):
            row.search = min(row.search, pool.apply(_turn, (turn,)))
    _print(rows, pools, size, dimension, best, own)
    for pool in pools:
        pool.terminate()


def _print(
    rows: list[Row], pools: list[Pool], size: int, dimension: int, best: Vector, own: Vector
) -> None:
    strict = 2.0
    if dimension == 128:
        strict = threshold_for(lifelike.calibration(), size, 0.6, 1 / 6000).cosine
    exact = next((row for row in rows if row.name == "fr exact"), rows[0])
    print(f"{size:,} templates of {dimension} numbers, {len(own):,} mated probes and "
          f"{len(best) - len(own):,} strangers; threshold: cosine {strict:.3f}, reached by "
          f"{np.mean(own >= strict):.1%} of mates")  # fmt: skip
    print(f"{'':>13} {'effort':>8} {'build s':>8} {'file MB':>8} {'open ms':>8} {'memory MB':>9} "
          f"{'search ms':>9} {'pays after':>10} {'recall@1':>8} {'lost':>7} "
          f"{'at 1 %':>7}")  # fmt: skip
    answers = [
        pool.apply_async(_answers, (PEERS[row.name][2],))  # all at once: nothing is timed here
        for row, pool in zip(rows, pools, strict=True)
    ]
    for row, answer in zip(rows, answers, strict=True):
        few = PEERS[row.name][2]
        found, first = answer.get()
        saved, more = exact.search - row.search, row.build - exact.build
        pays = "never" if saved <= 0 else "at once" if more <= 0 else f"{1000 * more / saved:,.0f}"
        if row is exact:
            pays = "–"
        if few:
            sure = own[: len(found)] > 0.6
            np.testing.assert_allclose(found[sure], own[: len(found)][sure], atol=1e-5)
            np.testing.assert_allclose(first[:CHECKED], best[:CHECKED], atol=1e-5)
            cells = ["", "", f"all of {2 * CHECKED}"]
        else:
            mated = len(own)
            lost = np.mean((own >= strict) & (found < strict))
            recall = np.mean(first[:mated] >= best[:mated] - 1e-6)
            at = np.quantile(first[mated:], 0.99), np.quantile(best[mated:], 0.99)
            equal = (np.count_nonzero(own >= at[1]) - np.count_nonzero(found >= at[0])) / mated
            cells = [f"{recall:.2%}", f"{lost:.2%}" if strict < 1 else "–", f"{equal:.2%}"]
        print(f"{row.name:>13} {row.effort or '':>8} {row.build:>8.1f} {row.file:>8.0f} "
              f"{row.open:>8.0f} {row.memory:>9.0f} {row.search:>9.2f} {pays:>10} "
              + " ".join(f"{cell:>7}" for cell in cells), flush=True)  # fmt: skip


def _best(vectors: Vector, probes: Vector) -> Vector:
    """The highest cosine of each probe with anybody."""
    best = np.full(len(probes), -1, np.float32)
    for first in range(0, len(vectors), 1 << 14):
        np.maximum(best, (vectors[first : first + (1 << 14)] @ probes.T).max(axis=0), out=best)
    return best


# -- in the process of an engine -----------------------------------------------------------------


def _build(name: str, folder: Path) -> tuple[float, float, int]:
    """Build it and leave it encrypted in the folder: CPU s, MB, effort (0 where there is none)."""
    place = folder / name
    place.mkdir()
    vectors = np.load(folder / "templates.npy")
    began, effort = time.process_time(), 0
    rows = np.arange(len(vectors))
    if name.startswith("fr "):
        packed = Packed(rows, rows, vectors)
        if name == "fr annoy":
            packed = with_index(packed)
            effort = packed.search_k
        _generations(place, new=True).write(packed, "")
    else:
        peer = PEERS[name][1]()
        data = peer.build(vectors)
        if peer.tuned:
            peer.open(data, vectors.shape)
            effort = _effort(peer, vectors)
        with (place / "sealed").open("wb") as file:
            file.writelines(_sealed(data))
    took = time.process_time() - began
    return took, sum(one.stat().st_size for one in place.rglob("*") if one.is_file()) / 1e6, effort


def _effort(peer: Any, vectors: Vector) -> int:
    """As approximate.with_index finds Annoy's."""
    probes, mates = approximate.hard_case(vectors, np.arange(len(vectors)))
    effort = SHORTLIST
    while effort < len(vectors):
        peer.look_at(effort)
        found = sum(mate in peer.nearest(probe) for probe, mate in zip(probes, mates, strict=True))
        if found >= approximate.RECALL_TARGET * len(probes):
            break
        effort += effort // 2
    return effort


def _generations(place: Path, *, new: bool = False) -> Generations:
    slots = KeySlots(place / "slots", bytes(32))
    if new:
        slots.create(1)
        signer = SigningKey.create(place)
    else:
        signer = SigningKey.load(place)
    (place / "generations").mkdir(exist_ok=True)
    return Generations(place / "generations", slots, signer)


_KEY = bytes(32)
_nearest: Callable[[Vector], Any]
_templates: Vector
_probes: Vector
_mates: NDArray[np.int64]


def _sealed(data: bytes) -> Iterator[bytes]:
    for place in range(0, len(data), CHUNK):
        nonce = place.to_bytes(12, "big")
        yield AESGCM(_KEY).encrypt(nonce, data[place : place + CHUNK], None)


def _unsealed(path: Path) -> bytes:
    size, tag, cipher = path.stat().st_size, 16, AESGCM(_KEY)
    total = -(-size // (CHUNK + tag))
    out = bytearray(size - total * tag)
    with path.open("rb") as file, memoryview(out) as view:
        for place in range(0, len(out), CHUNK):
            cipher.decrypt_into(place.to_bytes(12, "big"), file.read(CHUNK + tag), None,
                                view[place : place + CHUNK])  # fmt: skip
    return bytes(out)


def _open(name: str, folder: Path, effort: int) -> tuple[float, float]:
    """CPU ms until the first answer, and MB of memory that it took."""
    global _nearest, _templates, _probes, _mates
    _templates = np.load(folder / "templates.npy", mmap_mode="r")
    _probes, _mates = np.load(folder / "probes.npy"), np.load(folder / "mates.npy")
    _ = _probes[:8] @ _probes[0]  # what the first product costs is the library's
    before, began = _memory(), time.process_time()
    if name.startswith("fr "):
        packed = _generations(folder / name).read(1, "")

        def ask(probe: Vector) -> Any:
            return engine_for(packed, name.split()[1]).nearest(probe, SUBJECTS, None)

        _nearest = ask
    else:
        peer = PEERS[name][1]()
        peer.open(_unsealed(folder / name / "sealed"), _templates.shape)
        if effort:
            peer.look_at(effort)
        _nearest = peer.nearest
    _cosines(_probes[0])
    took = 1000 * (time.process_time() - began)
    return took, _memory() - before


def _memory() -> float:
    text = Path("/proc/self/status").read_text()
    pages = (text.partition(f"{kind}:")[2].split()[0] for kind in ("RssAnon", "RssShmem"))
    return sum(map(int, pages)) / 1000


def _cosines(probe: Vector) -> tuple[NDArray[np.int64], Vector]:
    """The shortlist and its cosines; HNSW says −1 for what it did not find."""
    rows = np.asarray(_nearest(probe), np.int64)
    rows = rows[rows >= 0]
    return rows, np.asarray(_templates[rows] @ probe)


def _turn(turn: int) -> float:
    """CPU ms of a search."""
    some = _probes[np.random.default_rng(turn).choice(len(_probes), A_TURN)]
    began = time.process_time()
    for probe in some:
        _cosines(probe)
    return 1000 * (time.process_time() - began) / A_TURN


def _answers(few: bool) -> tuple[Vector, Vector]:
    """Each mate's cosine, −1 where it was not found; each probe's highest."""
    mates = _mates[:CHECKED] if few else _mates
    strangers = _probes[len(_mates) :]
    probes = np.concatenate([_probes[: len(mates)], strangers[:CHECKED] if few else strangers])
    found, first = np.full(len(mates), -1, np.float32), np.empty(len(probes), np.float32)
    for place, probe in enumerate(probes):
        rows, cosines = _cosines(probe)
        first[place] = cosines.max()
        if place < len(mates):
            found[place] = cosines[rows == mates[place]].max(initial=-1)
    return found, first


if __name__ == "__main__":
    main()
