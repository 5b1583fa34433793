"""What the signed log costs, as ratios to what it cannot do without, all in one run.

    python -m tests.benchmarks.audit [--entries N] [--writers N] [--acts N] [--folder D] [--sync N]

Writing is compared with bare write + fdatasync of the same lines by one process; checking with
the crypto library verifying as many signatures on all cores, and with 15 s a million entries.
`--entries 0` leaves checking out. `--sync` simulates a disk of that pace: each sync sleeps so many
microseconds instead (give a folder in memory), for the bare lines as for the log's.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import multiprocessing
import os
import resource
import secrets
import statistics
import tempfile
import time
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from fr_cli.audit.canonical import parse
from fr_cli.audit.entry import Draft
from fr_cli.audit.line import checkpoint, signed_line
from fr_cli.audit.log import AuditLog
from fr_cli.audit.merkle import Frontier, leaf_hash
from fr_cli.audit.verify import verify_log
from fr_cli.keys import SigningKey

ORIGIN = "fr.local/benchmark"
WHY = {"case": "CR/26/1", "reason": "unknown-person", "basis": "investigation"}
DECISION: dict[str, Any] = {
    "result": "candidates",
    "threshold": "0.585",
    "cands": [{"ref": "0123456789abcdef", "score": "0.6812"}] * 3,
}
CHUNK = 20_000
ROUNDS = 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--writers", type=int, default=32)
    parser.add_argument("--acts", type=int, default=10, help="of each writer and round")
    parser.add_argument("--folder", type=Path, help="on the disk to measure")
    parser.add_argument("--sync", type=int, help="microseconds of a simulated sync")
    options = parser.parse_args()
    _simulate(options.sync)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for name in ("writing", "checking"):
            (Path(folder) / name).mkdir()
        _writing(Path(folder) / "writing", options.writers, options.acts, options.sync)
        if options.entries:
            _checking(Path(folder) / "checking", options.entries)


def _simulate(microseconds: int | None) -> None:
    if microseconds is not None:
        setattr(os, "fdatasync", lambda handle: time.sleep(microseconds / 1e6))  # noqa: B010


def _writing(folder: Path, writers: int, acts: int, sync: int | None) -> None:
    signer = SigningKey.create(folder)
    log = AuditLog.create(folder, signer, ORIGIN)
    for _ in range(20):
        _act(log)
    began = time.perf_counter()
    cpu = time.process_time()
    for _ in range(100):
        _act(log)
    alone, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(f"one writer: {200 / alone:,.0f} entries/s; {cpu / 200 * 1e6:.0f} µs CPU an entry")
    context = multiprocessing.get_context("spawn")
    barrier, used = context.Barrier(writers + 1), context.Queue()
    workers = [
        context.Process(target=_writer, args=(folder, barrier, acts, sync, used))
        for _ in range(writers)
    ]
    for worker in workers:
        worker.start()
    lines = log.path.read_bytes().splitlines(keepends=True)[1:]
    lines = list(itertools.islice(itertools.cycle(lines), 2 * acts * writers))
    # The disk and the cores are shared and their pace changes: bare, together, bare, together, …
    bare, together = [_bare(folder / "bare", lines)], list[float]()
    for _ in range(ROUNDS):
        barrier.wait()
        began = time.perf_counter()
        barrier.wait()
        together.append(time.perf_counter() - began)
        bare.append(_bare(folder / "bare", lines))
    ratios = [
        (before + after) / 2 / took
        for before, took, after in zip(bare, together, bare[1:])  # noqa: B905
    ]
    cpu = sum(used.get() for _ in workers)
    for worker in workers:
        worker.join()
    found = verify_log(log.path, signer.public, ORIGIN)
    assert found.entries == 241 + ROUNDS * len(lines), "an entry was lost or doubled"
    assert found.open_intents == ()
    rates = (len(lines) / statistics.median(took) for took in (together, bare))
    print("{} writers: {:,.0f} entries/s; bare: {:,.0f} lines/s (medians)".format(writers, *rates))
    print(f"{cpu / ROUNDS / len(lines) * 1e6:.0f} µs CPU an entry, {os.cpu_count()} cores")
    print(
        f"ratio: {statistics.median(ratios):.2f}, median of {ROUNDS} from {min(ratios):.2f} to "
        f"{max(ratios):.2f} (asked for: 0.60)"
    )


def _writer(
    folder: Path, barrier: Barrier, acts: int, sync: int | None, used: Queue[float]
) -> None:
    _simulate(sync)
    log = AuditLog(folder, SigningKey.load(folder), ORIGIN)
    cpu = 0.0
    for _ in range(ROUNDS):
        barrier.wait()
        cpu -= time.process_time()
        for _ in range(acts):
            _act(log)
        cpu += time.process_time()
        barrier.wait()
    used.put(cpu)


def _act(log: AuditLog) -> None:
    with log.act("identify", "consultation", why=WHY) as act:
        act.decide(**DECISION)


def _bare(path: Path, lines: list[bytes]) -> float:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    began = time.perf_counter()
    for line in lines:
        os.write(handle, line)
        os.fdatasync(handle)
    took = time.perf_counter() - began
    os.close(handle)
    return took


def _checking(folder: Path, entries: int) -> None:
    signer = SigningKey.create(folder)
    path = folder / "audit.jsonl"
    _write_log(path, entries, signer)
    print(f"{entries:,} entries, {path.stat().st_size / 1e6:,.0f} MB")
    cores = os.cpu_count() or 1
    with _Clock() as fast:
        verify_log(path, signer.public, ORIGIN)
    print(
        f"fast check: {fast.wall:.1f} s, {fast.wall / entries * 1e6:.1f} µs an entry "
        f"(asked for: 15); {fast.cpu / entries * 1e6:.1f} µs CPU, on {cores} cores"
    )
    sample = [min(entries, 4 * CHUNK) // (2 * cores)] * 2 * cores
    before = _signatures(sample)
    with _Clock() as full:
        verify_log(path, signer.public, ORIGIN, full=True)
    after = _signatures(sample)
    share = entries / sum(sample) / 2
    wall, cpu = share * (before.wall + after.wall), share * (before.cpu + after.cpu)
    print(f"full check: {full.wall:.1f} s; the signatures alone: {wall:.1f} s")
    print(
        f"ratio: {wall / full.wall:.2f} of the time (asked for: 0.80), "
        f"{cpu / full.cpu:.2f} of the CPU"
    )


def _signatures(sample: list[int]) -> _Clock:
    with _Clock() as clock:
        pool = multiprocessing.get_context("spawn").Pool()
        pool.map(_verify_signatures, sample, 1)
        pool.close()
        pool.join()
    return clock


class _Clock:
    """Wall time, and CPU time with that of ended child processes."""

    def __enter__(self) -> _Clock:
        self.wall, self.cpu = -time.perf_counter(), -self._cpu()
        return self

    def __exit__(self, *trouble: object) -> None:
        self.wall += time.perf_counter()
        self.cpu += self._cpu()

    @staticmethod
    def _cpu() -> float:
        used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(one.ru_utime + one.ru_stime for one in used)


def _verify_signatures(count: int) -> None:
    key = SigningKey.new()
    public, text = key.private.public_key(), checkpoint(ORIGIN, 123_456, "A" * 43 + "=")
    signature = key.sign(text)
    for _ in range(count):
        public.verify(signature, text)


def _write_log(path: Path, entries: int, signer: SigningKey) -> None:
    """A log as acts would write it, without their care for the disk."""
    frontier = Frontier()
    drafted = Draft(cmd="init", act="administration", ph="genesis", req="0" * 32)
    stamp = parse(drafted.body(0))
    genesis = {"origin": ORIGIN, "key": base64.b64encode(signer.public).decode()}
    req = ""
    with path.open("wb") as file:
        for seq in range(entries):
            nonce = base64.urlsafe_b64encode(secrets.token_bytes(16))[:22].decode()
            entry: dict[str, Any] = stamp | {"seq": seq, "n": nonce}
            if seq == 0:
                entry |= genesis
            elif seq % 2:
                req = secrets.token_hex(16)
                intent = {"cmd": "identify", "act": "consultation", "ph": "intent"}
                entry |= intent | {"req": req, "why": WHY, "policy": "sha256:" + "a" * 64}
            else:
                outcome = {"cmd": "identify", "act": "consultation", "ph": "outcome"}
                entry |= outcome | {"req": req, "exit": 0, "dec": DECISION}
            body = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
            frontier.append(leaf_hash(body))
            root = base64.b64encode(frontier.root()).decode()
            file.write(signed_line(body, frontier.size, root, signer, ORIGIN))


if __name__ == "__main__":
    main()
