"""What it costs to open a gallery for one search: CPU time and memory, by its size.

    python -m tests.benchmarks.opening [--sizes 10000,1000000] [--beside N] [--photos N] [--index]

Makes galleries of random unit vectors of 128 dimensions, one subject each, and asks each of them
once in a process of its own. CPU is user + system time; `peak` is the whole process, with Python
and numpy. --index builds an Annoy index with each gallery, which takes minutes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import secrets
import tempfile
import time
from pathlib import Path

import numpy as np

from fr_cli.gallery import gallery as gallery_module
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.generation import Packed
from fr_cli.gallery.photos import keep_photo
from fr_cli.gallery.rows import provenance
from fr_cli.gallery.vault import seal
from fr_cli.gallery.view import bound
from fr_cli.keys import SigningKey, SiteKey
from fr_cli.records import Enrolment
from fr_cli.site import Site

FINGERPRINT = "ab" * 32
DIMENSION = 128
PHOTO = 200_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,100000,1000000", help="references, with commas")
    parser.add_argument("--beside", type=int, default=0, help="enrolled since the generation")
    parser.add_argument("--photos", type=int, default=0, help=f"kept, of {PHOTO:,} bytes")
    parser.add_argument("--index", action="store_true", help="with an Annoy index")
    parser.add_argument("--folder", type=Path, help="where to lay them; a temporary one if not")
    options = parser.parse_args()
    print(f"{'references':>10} {'beside':>7} {'photos':>7} {'open ms':>8} {'+ search':>9} "
          f"{'wall ms':>9} {'peak MB':>8} {'idle MB':>8}")  # fmt: skip
    for size in map(int, options.sizes.split(",")):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            home = Path(folder) / "home"
            probe = _make(home, size, options.beside, min(options.photos, size), options.index)
            context = multiprocessing.get_context("spawn")
            runs = []
            for _ in range(3):
                with context.Pool(1) as pool:
                    runs.append(pool.apply(_ask, (home, probe)))
            cpu_open, cpu_search, wall, peak, idle = min(runs)
            print(f"{size:>10,} {options.beside:>7,} {options.photos:>7,} {cpu_open:>8.1f} "
                  f"{cpu_search:>9.1f} {wall:>9.1f} {peak:>8.0f} {idle:>8.0f}")  # fmt: skip


def _site(home: Path) -> Site:
    return Site(home, "fr.local/benchmark", "none")


def _make(home: Path, size: int, beside: int, photos: int, index: bool) -> np.ndarray:
    """A home with a gallery of these many; the template of one of them."""
    site = _site(home)
    for folder in (site.keys, site.gallery):
        folder.mkdir(parents=True)
    SiteKey.create(site.keys)
    SigningKey.create(site.keys)
    setattr(gallery_module, "EXACT_UP_TO", 0 if index else 10**9)  # noqa: B010
    random = np.random.default_rng(1)
    with Gallery.open(site, SiteKey.load(site.keys), fingerprint=FINGERPRINT, create=True) as made:
        vectors = random.standard_normal((size + beside, DIMENSION), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        for first in range(0, size + beside, 50_000):
            _insert(made, vectors[first : first + 50_000], first, photos)
        pks = np.arange(1, size + 1)
        number = made.write_generation(Packed(pks, pks, vectors[:size]), FINGERPRINT)
        with made.store.transaction():
            made.store.set_meta(generation=str(number), high_water=str(size))
        made.store.scrub()
    return np.array(vectors[0])


def _insert(gallery: Gallery, vectors: np.ndarray, first: int, photos: int) -> None:
    said = provenance(Enrolment("", "", "", source="custody"))
    slots = gallery.subject_keys.create(len(vectors))
    subjects, refs = [], []
    for place, (slot, key) in enumerate(slots):
        pk, name, uid = first + place + 1, f"s{first + place}", secrets.token_hex(16)
        context = bound(uid, name, FINGERPRINT)
        sealed = seal(key, vectors[place].tobytes(), context)
        subjects.append((pk, uid, name, slot, ""))
        refs.append((pk, uid, pk, "r", uid, "", said, "{}", sealed, "", ""))
    with gallery.store.transaction():
        gallery.store.db.executemany(
            "INSERT INTO subjects (pk, uid, subject_id, slot, enrolled_at) VALUES (?, ?, ?, ?, ?)",
            subjects,
        )
        gallery.store.db.executemany(
            f"INSERT INTO refs VALUES ({', '.join('?' * len(refs[0]))})", refs
        )
        for (slot, key), row in zip(slots, refs, strict=True):
            if row[0] <= photos:
                keep_photo(gallery.store, row[0], row[1], f"s{slot}", key, os.urandom(PHOTO))


def _ask(home: Path, probe: np.ndarray) -> tuple[float, float, float, float, float]:
    """CPU ms to open, CPU ms and wall ms to open and search, peak MB, MB before."""
    _ = np.zeros(8) @ np.zeros(8)  # what the first product costs is the library's
    site, site_key = _site(home), SiteKey.load(_site(home).keys)
    idle = _peak()
    start = time.process_time()
    with Gallery.open(site, site_key, fingerprint=FINGERPRINT) as gallery:
        with gallery.store.snapshot():
            gallery._view()
        opened = time.process_time() - start
    wall, start = time.perf_counter(), time.process_time()
    with Gallery.open(site, site_key, fingerprint=FINGERPRINT) as gallery:
        hits, _ = gallery.search(probe, count=50)
        searched = time.process_time() - start
        assert hits[0].subject_id == "s0"
        wall = time.perf_counter() - wall
    return 1000 * opened, 1000 * searched, 1000 * wall, _peak(), idle


def _peak() -> float:
    """The most memory that this process held, in MB; getrusage would count its parent's."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
