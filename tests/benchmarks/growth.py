"""What each command costs in galleries of 10,000 to 10,000,000: one table, and a plot.

    python -m tests.benchmarks.growth [--sizes 10000,100000,1000000] [--beyond 10000000]
        [--lines 100000,1000000] [--plot FILE] [--folder FOLDER]

Galleries of synthetic templates (laid.py), one subject each, and one made-up person whose selfie is
the probe. Each line of the table is a process of its own, from start to end: CPU is user + system
time with all children, peak the most memory that one process held, both the least of three runs
where a command can be run again. `--beyond` is not laid but computed from the two largest sizes,
on a straight line, and marked ~. `--lines` are longer manifests of unchanged images, in the largest
gallery. A million takes some two minutes to lay and 2 GB of disk.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from fr_cli.face.pipeline import FacePipeline
from tests.benchmarks.cost import PEOPLE, made_up_photos
from tests.benchmarks.laid import FR, feed, lay, synthetic

PROBE = PEOPLE / "P001" / "assets" / "amateur_selfie.jpg"
UNCHANGED, NEW = 10_000, 100
RUNS = 3
_MEASURE = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
wall, used = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
if done.returncode not in (0, 100):  # 100: done, and somebody was refused, as who was purged
    sys.exit(done.stderr)
print(json.dumps([used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024, done.stdout]))
"""


@dataclass(frozen=True)
class Cost:
    """Of one process: CPU and wall seconds, peak in MB."""

    cpu: float
    wall: float
    peak: float


#: What was measured: a command, in a gallery of so many.
Table = dict[tuple[str, int], Cost]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,100000,1000000", help="references, with commas")
    parser.add_argument("--beyond", type=int, default=10_000_000, metavar="N")
    parser.add_argument("--lines", default="100000,1000000", help="of manifests, with commas")
    parser.add_argument("--plot", type=Path, metavar="FILE")
    parser.add_argument("--folder", type=Path, help="where to lay them; a temporary one if not")
    options = parser.parse_args()
    sizes = sorted(map(int, options.sizes.split(",")))
    table: Table = {}
    disk: dict[int, float] = {}
    print(f"{'references':>12}  {'':<34} {'CPU s':>8} {'wall s':>8} {'peak MB':>8}")
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            home = _Home(Path(name), size)
            for what, cost in home.story():
                table[what, size] = cost
                _print(size, what, cost)
            disk[size] = home.disk()
            for lines in map(int, filter(None, options.lines.split(","))):
                if size == sizes[-1] and lines <= size:
                    _print(size, f"enroll, {lines:,} unchanged", home.enroll(lines))
    if len(sizes) > 1 and options.beyond > sizes[-1]:
        _extrapolate(table, disk, sizes, options.beyond)
    print("disk, MB: " + ", ".join(f"{size:,}: {disk[size]:,.0f}" for size in disk))
    if options.plot:
        _plot(table, disk, sizes, options.plot)


def _print(size: int, what: str, cost: Cost, mark: str = "") -> None:
    print(
        f"{size:>12,}{mark:>1} {what:<34} {cost.cpu:>8.2f} {cost.wall:>8.2f} {cost.peak:>8.0f}",
        flush=True,
    )


class _Home:
    """A gallery of one size, and what is asked of it, in the order of a day."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._size = folder, size
        self._home = folder / "home"

    def story(self) -> Iterator[tuple[str, Cost]]:
        code = "import sys; from tests.benchmarks.growth import lay_one; lay_one(*sys.argv[1:])"
        yield "(laying it)", _measured(sys.executable, "-c", code, str(self._home), str(self._size))
        yield "status", self._asked("status")
        yield "identify", self._asked("identify", PROBE, "--case", "B", "--reason", "test")
        yield "verify", self._asked("verify", PROBE, "s0", "--case", "B", "--reason", "test")
        search = self._search()
        yield "decide", self._done("decide", search, "--reject-all", "--reason", "the ear differs")
        known = ("--authorised-by", _account(), "--expires", "2099-01-01", "--purpose", "benchmark")
        who = ("--subject", "s7", "--reason", "benchmark")
        yield "watchlist create", self._done("watchlist", "create", "W", *known, *who)
        yield "watchlist list", self._asked("watchlist", "list")
        yield (
            "report --subject",
            self._asked("report", "--subject", "s7", "--to", "B", "--reason", "B"),
        )
        yield "audit show", self._asked("audit", "show")
        yield "gallery stats", self._asked("gallery", "stats")
        yield f"enroll, {UNCHANGED:,} unchanged", self.enroll(UNCHANGED)
        before = self._generation()
        yield f"enroll, {NEW} new", self._done("enroll", self._new())
        if self._size >= 10 * UNCHANGED and self._generation() != before:
            raise SystemExit("a hundred new ones made a generation")
        yield "purge --subject", self._done("purge", "--subject", "s5", "--yes")
        yield "purge --expired", self._done("purge", "--expired", "--yes")
        yield "gallery rebuild", self._done("gallery", "rebuild")

    def enroll(self, lines: int) -> Cost:
        """A manifest of so many unchanged images."""
        return self._done("enroll", feed(self._folder / "feed", min(lines, self._size)))

    def disk(self) -> float:
        """MB of the gallery and its keys."""
        parts = ((self._home / name).rglob("*") for name in ("gallery", "keys"))
        files = [path for path in itertools.chain(*parts) if path.is_file()]
        return sum(path.stat().st_size for path in files) / 1e6

    def _asked(self, *words: object) -> Cost:
        runs = [self._done(*words) for _ in range(RUNS)]
        return Cost(*(min(column) for column in zip(*map(astuple, runs), strict=True)))

    def _done(self, *words: object) -> Cost:
        return _measured(FR, "--home", str(self._home), *map(str, words))

    def _json(self, *words: object) -> dict[str, object]:
        command = [FR, "--home", str(self._home), "--json", *map(str, words)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return dict(json.loads(done.stdout))

    def _search(self) -> object:
        found = self._json("identify", PROBE, "--case", "B", "--reason", "test")
        return found["search_id"]

    def _generation(self) -> object:
        return self._json("gallery", "stats")["generation"]

    def _new(self) -> Path:
        folder = self._folder / "new"
        for number, photo in enumerate(itertools.islice(made_up_photos(None), NEW)):
            (folder / f"N{number:04d}").mkdir(parents=True)
            (folder / f"N{number:04d}" / "photo.jpg").write_bytes(photo)
        return folder


def lay_one(home: str, size: str) -> None:
    """A gallery of this size, in which P001 is s0."""
    templates = synthetic(int(size), 128)
    with FacePipeline.load() as pipeline:
        portrait = next((PEOPLE / "P001" / "assets").glob("studio_portrait*"))
        templates[0] = pipeline.template(portrait.read_bytes()).vector
    lay(Path(home), templates)


def _measured(*command: str) -> Cost:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *command], env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return Cost(*json.loads(done.stdout)[:3])


def _account() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def _extrapolate(table: Table, disk: dict[int, float], sizes: list[int], beyond: int) -> None:
    """Add what the two largest sizes say of a larger one, on a straight line."""
    small, large = sizes[-2:]

    def there(low: float, high: float) -> float:
        return max(high, high + (high - low) * (beyond - large) / (large - small))

    for what in [what for what, size in table if size == large]:
        pair = zip(astuple(table[what, small]), astuple(table[what, large]), strict=True)
        table[what, beyond] = Cost(*(there(low, high) for low, high in pair))
        _print(beyond, what, table[what, beyond], "~")
    disk[beyond] = there(disk[small], disk[large])


def _plot(table: Table, disk: dict[int, float], sizes: list[int], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(11, 8), sharex=True, layout="constrained")
    shown = ["status", "identify", "decide", f"enroll, {UNCHANGED:,} unchanged",
             f"enroll, {NEW} new", "purge --subject", "gallery rebuild"]  # fmt: skip
    for plot, (name, title) in zip(
        axes.flat, {"cpu": "CPU s", "wall": "wall s", "peak": "peak MB"}.items(), strict=False
    ):
        for number, what in enumerate(shown):
            ends = sizes, [size for size in disk if size >= sizes[-1]]
            for some, style in zip(ends, ("o-", "o:"), strict=True):
                values = [getattr(table[what, size], name) for size in some]
                label = what if style == "o-" else None
                plot.plot(some, values, style, color=f"C{number}", label=label, markersize=4)
        plot.set(title=title, xscale="log", yscale="log")
    axes[0, 0].legend(fontsize=8)
    for some, style in ((sizes, "o-"), ([size for size in disk if size >= sizes[-1]], "o:")):
        axes[1, 1].plot(some, [disk[size] for size in some], style, color="black", markersize=4)
    axes[1, 1].set(title="disk MB (gallery and keys)", xscale="log", yscale="log")
    for plot in axes.flat:
        plot.grid(alpha=0.3)
        plot.spines[["top", "right"]].set_visible(False)
    for plot in axes[1]:
        plot.set_xlabel("references" + " (dotted: computed)" * (len(disk) > len(sizes)))
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
