"""Checking many lines at once in other processes, each line for itself.

What lines can be checked for without those before them: grammar, canonical form, fields, the
leaf, and with `full` the signature. An examiner only ever vouches for ordinary lines; at the
first that is not (a wrong one, the genesis entry, a rotation, an erasure that names others, a
clock that went back) it hands the chunk back, and it is read line by line where all the rules are.
"""

from __future__ import annotations

import multiprocessing
import os
from binascii import a2b_base64
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from fr_cli.audit.canonical import parse
from fr_cli.audit.entry import check_fields
from fr_cli.audit.line import HeadVerifier, read_line
from fr_cli.audit.merkle import leaf_hash
from fr_cli.audit.shapes import Shapes

#: Bytes of a log below which other processes are not worth their start.
LARGE, LARGE_FULL = 50_000_000, 3_000_000
#: Lines of a chunk.
LINES = 1000

_ORDINARY = frozenset({"intent", "batch", "outcome", "abandoned", "recovery"})


class Terms(NamedTuple):
    """The key in force, the origin, and whether every signature is checked."""

    public: bytes
    origin: str
    full: bool


class Examined(NamedTuple):
    """Lines that are right by themselves, the first of which follows `size` others.

    For each line its leaf hash and the root that it states (32 bytes each, joined), its phase and
    the id of its act, both empty where the body was erased; the times are the first and the last,
    in order between.
    """

    terms: Terms
    size: int
    leaves: bytes
    roots: bytes
    phases: tuple[str, ...]
    reqs: tuple[str, ...]
    first_time: str
    last_time: str


@contextmanager
def pool(length: int, full: bool) -> Iterator[ProcessPoolExecutor | None]:
    """Processes on all cores for a log of this many bytes; None if it is small."""
    if length < (LARGE_FULL if full else LARGE):
        yield None
        return
    # Spawned and not forked: the caller may have threads.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(os.cpu_count(), mp_context=context)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def examined(
    source: Iterable[bytes],
    executor: ProcessPoolExecutor | None,
    terms: Callable[[], Terms | None],
) -> Iterator[tuple[list[bytes], Examined | None]]:
    """The lines in chunks, in their order, each with what was found if it was examined."""
    lines, size = iter(source), 0
    if executor is None:
        yield from (([text], None) for text in lines)
        return
    waiting = deque[tuple[list[bytes], Future[Examined | None] | None]]()
    while texts := list(islice(lines, LINES)):
        waiting.append((texts, _submitted(executor, texts, size, terms())))
        size += len(texts)
        if size <= LINES or len(waiting) > 2 * (os.cpu_count() or 1):  # the first names the terms
            yield _result(*waiting.popleft())
    while waiting:
        yield _result(*waiting.popleft())


def _submitted(
    executor: ProcessPoolExecutor, texts: list[bytes], size: int, terms: Terms | None
) -> Future[Examined | None] | None:
    try:
        return executor.submit(examine, texts, size, terms) if terms else None
    except BrokenProcessPool:
        return None


def _result(
    texts: list[bytes], future: Future[Examined | None] | None
) -> tuple[list[bytes], Examined | None]:
    # Where processes cannot be started, or one was killed, the lines are checked here.
    try:
        return texts, future.result() if future else None
    except BrokenProcessPool:
        return texts, None


def examine(texts: list[bytes], size: int, terms: Terms) -> Examined | None:
    """Check lines that follow `size` others; None unless all are ordinary and right."""
    heads = _heads(terms.public, terms.origin)
    leaves, roots, phases, reqs = list[bytes](), list[bytes](), list[str](), list[str]()
    first = last = ""
    try:
        for seq, text in enumerate(texts, size):
            known = _SHAPES.known(text)
            if known and known.seq == b"%d" % seq and known.size == b"%d" % (seq + 1):
                root, signature, phase = known.root, known.signature, known.phase
                req, time, leaf = known.req, known.time, leaf_hash(known.body)
            else:
                line = read_line(text)
                if line.size != seq + 1:
                    return None
                root, signature, phase = line.root.encode(), line.signature.encode(), ""
                req, time, leaf = "", last, line.leaf
                if line.body is not None:
                    entry = parse(line.body)
                    check_fields(entry, seq)
                    phase, req, time = str(entry["ph"]), str(entry["req"]), str(entry["t"])
                    if phase not in _ORDINARY or "erases" in entry:
                        return None
                    _SHAPES.learn(text, entry)
            if time < last or not heads.vouched(root, signature, seq + 1, check=terms.full):
                return None
            first, last = first or time, time
            leaves.append(leaf)
            roots.append(a2b_base64(root))
            phases.append(phase)
            reqs.append(req)
    except ValueError:
        return None
    return Examined(
        terms, size, b"".join(leaves), b"".join(roots), tuple(phases), tuple(reqs), first, last
    )


#: Of ordinary entries alone, so that a line of a known shape is one.
_SHAPES = Shapes()


@lru_cache(maxsize=2)
def _heads(public: bytes, origin: str) -> HeadVerifier:
    return HeadVerifier(public, origin)
