"""Many photos → templates, on all cores, in the order in which they came."""

from __future__ import annotations

import collections
import ctypes
import itertools
import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

from fr_cli.errors import FrError
from fr_cli.face.pipeline import Choice, FacePipeline
from fr_cli.records import Template

Key = TypeVar("Key")

#: A worker costs about a second to start; below this many photos each it does not pay.
PHOTOS_A_WORKER = 40
_PR_SET_PDEATHSIG = 1
_pipeline: FacePipeline | None = None


def templates(
    photos: Iterable[tuple[Key, bytes]],
    *,
    folders: Sequence[Path],
    embedder: str,
    floors: Mapping[str, float],
    choice: Choice = "single",
    workers: int | None = None,
) -> Iterator[tuple[Key, Template | FrError]]:
    """Yield (key, template, or why there is none) for each (key, encoded photo), in order.

    At most a few photos a worker are held in memory, whatever the length of the input. The
    templates are the same bit for bit with any number of workers.
    """
    count = len(os.sched_getaffinity(0)) if workers is None else workers
    source = iter(photos)
    first = list(itertools.islice(source, count * PHOTOS_A_WORKER))
    count = min(count, len(first) // PHOTOS_A_WORKER)
    source = itertools.chain(first, source)
    if count < 2:
        yield from _alone(source, folders, embedder, floors, choice)
        return
    # Workers are started afresh, not forked: the parent may have threads, and a fork would
    # keep the parent's locks held after its death.
    with ProcessPoolExecutor(
        count,
        multiprocessing.get_context("spawn"),
        _prepare,
        (tuple(folders), embedder, dict(floors), os.getpid()),
    ) as pool:
        waiting: collections.deque[tuple[Key, Future[Template | FrError]]] = collections.deque()
        try:
            for key, photo in source:
                waiting.append((key, pool.submit(_one, photo, choice)))
                if len(waiting) >= 4 * count:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _alone(
    photos: Iterable[tuple[Key, bytes]],
    folders: Sequence[Path],
    embedder: str,
    floors: Mapping[str, float],
    choice: Choice,
) -> Iterator[tuple[Key, Template | FrError]]:
    pipeline: FacePipeline | None = None
    try:
        for key, photo in photos:
            # Loaded for the first photo only: a night without new images costs hashes.
            pipeline = pipeline or FacePipeline.load(folders, embedder=embedder, floors=floors)
            yield key, _template(pipeline, photo, choice)
    finally:
        if pipeline is not None:
            pipeline.close()


def _template(pipeline: FacePipeline, photo: bytes, choice: Choice) -> Template | FrError:
    try:
        return pipeline.template(photo, choice)
    except FrError as trouble:
        return trouble


def _prepare(
    folders: Sequence[Path], embedder: str, floors: Mapping[str, float], parent: int
) -> None:
    """Set up a worker: it ends with its parent, and leaves an interrupt to it."""
    global _pipeline
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _pipeline = FacePipeline.load(folders, embedder=embedder, floors=floors)


def _one(photo: bytes, choice: Choice) -> Template | FrError:
    assert _pipeline is not None
    return _template(_pipeline, photo, choice)
