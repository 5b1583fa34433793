"""What officers feel while the nightly enrolment runs: the latency of `fr identify`, as a ratio.

    python -m tests.benchmarks.crowd [--officers 8] [--rounds 6]

So many processes identify one photo after the other: first alone, then while `fr enroll` works on
10,000 lines with its workers on all cores, and a subject is purged. Whole commands, from start to
end. Any error ends the benchmark. The enrolment is stopped when the officers are done.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.benchmarks.cost import FR, PEOPLE, made_up_photos

LINES, PHOTOS = 10_000, 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--officers", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fr(folder, "demo", "--keep", str(folder / "home"))
        alone = _latencies(folder, options.officers, options.rounds)
        enrolment = subprocess.Popen(
            [FR, "enroll", _manifest(folder)], env=_environment(folder), stdout=subprocess.DEVNULL
        )
        while _enrolled(folder) < 100:
            time.sleep(0.2)
        beside = _latencies(folder, options.officers, options.rounds // 2)
        fr(folder, "purge", "--subject", "made-up 7", "--yes")
        beside += _latencies(folder, options.officers, options.rounds - options.rounds // 2)
        if enrolment.poll() is not None:
            sys.exit("the enrolment ended before the officers did")
        enrolment.send_signal(signal.SIGINT)
        enrolment.wait()
        enrolled = _enrolled(folder)
        fr(folder, "gallery", "check")
    median, busy = statistics.median(alone), statistics.median(beside)
    print(f"{options.officers} officers alone: median {median:.2f} s ({len(alone)} searches)")
    print(
        f"beside an enrolment ({enrolled:,} enrolled meanwhile) and a purge: median {busy:.2f} s, "
        f"{busy / median:.2f} x ({len(beside)} searches, no error)"
    )


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {"FR_HOME": str(folder / "home")}


def fr(folder: Path, *words: str) -> str:
    """Run a command that must succeed; its standard output."""
    done = subprocess.run(
        [FR, *words], env=_environment(folder), check=True, capture_output=True, text=True
    )
    return done.stdout


def _enrolled(folder: Path) -> int:
    return int(json.loads(fr(folder, "gallery", "stats", "--json"))["references"])


def _manifest(folder: Path) -> Path:
    for number, photo in enumerate(itertools.islice(made_up_photos(None), PHOTOS)):
        (folder / f"{number}.jpg").write_bytes(photo)
    manifest = folder / "feed.csv"
    lines = [f"made-up {number},{number % PHOTOS}.jpg" for number in range(LINES)]
    manifest.write_text("\n".join(["subject_id,image", *lines]) + "\n")
    return manifest


def _latencies(folder: Path, officers: int, rounds: int) -> list[float]:
    """Seconds of each search; every officer makes so many, one after the other."""
    with ThreadPoolExecutor(officers) as pool:
        mine = pool.map(lambda _: [_identify(folder) for _ in range(rounds)], range(officers))
        return [seconds for some in mine for seconds in some]


def _identify(folder: Path) -> float:
    photo = PEOPLE / "P001" / "assets" / "amateur_selfie.jpg"
    before = time.perf_counter()
    fr(folder, "identify", str(photo), "--case", "1", "--reason", "test", "--json")
    return time.perf_counter() - before


if __name__ == "__main__":
    main()
