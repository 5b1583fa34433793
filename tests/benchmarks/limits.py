"""What the limits of an operator cost: the log is their only memory, and it is long.

    python -m tests.benchmarks.limits [--entries N] [--searches N ...] [--folder DIR]

A log of so many entries, with so many searches within the last hour: CPU until the newest time is
known (each act), until a process that begins knows the hour (`fr identify` by itself), and until
one that stays knows it again after a further search (`fr serve`).
"""

from __future__ import annotations

import argparse
import secrets
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fr_cli.audit.canonical import JSON, canonical, parse
from fr_cli.audit.entry import Draft
from fr_cli.audit.line import signed_line
from fr_cli.audit.recent import Recent, newest_time
from fr_cli.keys import SigningKey
from fr_cli.records import utc

ORIGIN = "fr.local/benchmark"
ROOT = "A" * 43 + "="
SEARCHES = frozenset({"identify", "verify"})
WHY: JSON = {"case": "CR/26/1", "reason": "unknown-person", "place": "street"}
DECISION: JSON = {
    "outcome": "candidates", "basis": "Common law", "model": "0" * 64, "calibration": "0" * 64,
    "candidates": [{"rank": 1, "subject": "0" * 32, "reference": "0" * 32, "score": "0.68"}] * 3,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--searches", type=int, nargs="+", default=[60, 3_600, 54_000])
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    for searches in options.searches:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            _measure(Path(folder), options.entries, searches)


def _measure(folder: Path, entries: int, searches: int) -> None:
    log, signer = folder / "audit.jsonl", SigningKey.create(folder)
    now = datetime.now(UTC)
    old = b"".join(_search(signer, 0, now - timedelta(days=1), 0)[1])
    with log.open("wb") as file:
        for _ in range((entries - 2 * searches) // 2):
            file.write(old)
        for number in range(searches):
            at = now - timedelta(hours=1) * (1 - number / searches)
            act, lines = _search(signer, entries - 2 * (searches - number), at, number % 100)
            file.write(b"".join(lines))
    size = log.stat().st_size / 2**20
    print(f"{entries:,} entries ({size:,.0f} MiB), {searches:,} searches in the last hour by 100")
    print(f"  the newest time: {_cpu(lambda: newest_time(log), 20):.2f} ms")
    since = now - timedelta(hours=1)
    print(f"  the hour, at first: {_cpu(lambda: _new(log).before('', 1, since), 1):.1f} ms")
    recent = _new(log)
    recent.before("", 1, since)
    spent = []
    for number in range(20):
        act, lines = _search(signer, entries + 2 * number, datetime.now(UTC), 1)
        with log.open("ab") as file:
            file.write(b"".join(lines))
        spent.append(_cpu(lambda act=act: recent.before(act, 1, since), 1))  # type: ignore[misc]
    print(f"  the hour, one search later: {sorted(spent)[10]:.2f} ms")


def _new(log: Path) -> Recent:
    return Recent(log, SEARCHES)


def _search(signer: SigningKey, seq: int, at: datetime, uid: int) -> tuple[str, list[bytes]]:
    req = secrets.token_hex(16)
    who: JSON = {"uid": uid, "user": "pc", "loginuid": uid, "tty": ""}
    said: dict[str, JSON] = {"cmd": "identify", "act": "consultation", "req": req, "op": who}
    bodies = [
        parse(Draft(ph="intent", policy="0" * 64, why=WHY, **said).body(seq)),
        parse(Draft(ph="outcome", policy="0" * 64, exit=0, dec=DECISION, **said).body(seq + 1)),
    ]
    lines = [
        signed_line(
            canonical(body | {"t": utc(at, exact=True)}), seq + number, ROOT, signer, ORIGIN
        )
        for number, body in enumerate(bodies, 1)
    ]
    return req, lines


def _cpu(run: Callable[[], object], times: int) -> float:
    """Milliseconds of CPU for one run."""
    began = time.process_time()
    for _ in range(times):
        run()
    return 1000 * (time.process_time() - began) / times


if __name__ == "__main__":
    main()
