"""What it costs to wrap all keys anew after a purge: CPU seconds, on random unit vectors.

python tests/benchmarks/epoch.py 10000
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from fr_cli.gallery.wrapping import Wrapping
from tests.gallery.conftest import House, purge, store, vectors


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main(count: int) -> None:
    """Print the cost of a purge with and without, and of wrapping alone."""
    templates = vectors(count, dimension=128)
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder) / "home")
        with house.open(create=True) as gallery, gallery.writing():
            for start in range(0, count, 5000):
                some = range(start, min(count, start + 5000))
                store(gallery, *((f"s{number}", "r", templates[number]) for number in some))
            gallery.rebuild()
            print(f"wrapping {count:,} keys anew: {cpu(gallery.wrapping.advance):.3f} s")
            print(f"a purge of one: {cpu(lambda: purge(gallery, 's1')):.3f} s")
            Wrapping.advance = lambda self: 0  # type: ignore[method-assign]
            print(f"the same without: {cpu(lambda: purge(gallery, 's2')):.3f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]))
