"""Many photos → templates, on all cores, in the order in which they came."""

from __future__ import annotations

import ctypes
import itertools
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from fr_cli.errors import FrError, PhotoUnreadable
from fr_cli.face import golden
from fr_cli.face.photo import MEMORY_TUNING
from fr_cli.face.pipeline import Choice, FacePipeline
from fr_cli.records import Template

T = TypeVar("T")
Key = TypeVar("Key")
#: Photos with their keys, and what became of each.
Lot = list[tuple[Any, bytes]]
Answers = list[Template | FrError]

#: A worker costs about a second to start; below this many photos each it does not pay.
PHOTOS_A_WORKER = 20
#: Photos that go to a worker together: handing over one costs this process a millisecond.
TOGETHER = 4
#: How many such lots there are for each worker, the one it works on included.
WAITING = 2
_PR_SET_PDEATHSIG = 1
_maker: Maker | None = None
_pipeline: FacePipeline | Exception | None = None


@dataclass(frozen=True)
class Maker:
    """What makes the templates: everything that a worker needs to set itself up."""

    folders: tuple[Path, ...]
    embedder: str
    floors: Mapping[str, float]
    choice: Choice = "single"

    def pipeline(self) -> FacePipeline:
        """Load the models and check them on the golden photo; WeightsWrong if they are missing,
        altered, or give another template than they did."""
        pipeline = FacePipeline.load(self.folders, embedder=self.embedder, floors=self.floors)
        try:
            golden.check_or_record(pipeline, self.folders[0])
        except BaseException:
            pipeline.close()
            raise
        return pipeline


def templates(
    photos: Iterable[tuple[Key, bytes]], maker: Maker, *, workers: int | None = None
) -> Iterator[tuple[Key, Template | FrError]]:
    """Yield (key, template, or why there is none) for each (key, encoded photo), in order.

    A few photos a worker are held in memory, whatever the length of the input. The templates
    are the same bit for bit with any number of workers. A photo that breaks its worker is a
    PhotoUnreadable like any other. Raises WeightsWrong.
    """
    cores = len(os.sched_getaffinity(0))
    count = min(workers or cores, 4 * cores)
    source = iter(photos)
    first = deque(itertools.islice(source, count * PHOTOS_A_WORKER))
    count = min(count, len(first) // PHOTOS_A_WORKER)
    everything = _drained(first, source)
    if count < 2:
        yield from _alone(everything, maker)
        return
    with closing(_Crew(maker, count)) as crew:
        while lot := list(itertools.islice(everything, TOGETHER)):
            crew.send(lot)
            if crew.busy:
                yield from crew.receive()
        while crew.waiting:
            yield from crew.receive()


def _drained(first: deque[T], rest: Iterator[T]) -> Iterator[T]:
    """All items, none of them kept once it is handed on."""
    while first:
        yield first.popleft()
    yield from rest


def _alone(
    photos: Iterable[tuple[Key, bytes]], maker: Maker
) -> Iterator[tuple[Key, Template | FrError]]:
    pipeline: FacePipeline | None = None
    try:
        for key, photo in photos:
            # Loaded for the first photo only: a night without new images costs hashes.
            pipeline = pipeline or maker.pipeline()
            yield key, _template(pipeline, photo, maker.choice)
    finally:
        if pipeline is not None:
            pipeline.close()


def _template(pipeline: FacePipeline, photo: bytes, choice: Choice) -> Template | FrError:
    try:
        return pipeline.template(photo, choice)
    except FrError as trouble:
        return trouble
    except Exception as trouble:  # one photo must not end the run of all others
        return PhotoUnreadable(
            f"The photo could not be processed ({type(trouble).__name__}).",
            hint="Save it anew as JPEG.",
        )


class _Crew:
    """Worker processes, and the lots of photos that they have not answered yet, oldest first."""

    def __init__(self, maker: Maker, count: int) -> None:
        self._maker, self._count = maker, count
        self._pool = self._start(count)
        self.waiting: deque[tuple[Lot, Future[Answers]]] = deque()

    @property
    def busy(self) -> bool:
        """Whether every worker has enough to do."""
        return len(self.waiting) >= WAITING * self._count

    def send(self, lot: Lot) -> None:
        """Hand photos, each with its key, to whoever is free."""
        try:
            future = self._submit(lot)
        except BrokenProcessPool:
            self._renew()
            future = self._submit(lot)
        self.waiting.append((lot, future))

    def receive(self) -> Iterator[tuple[Any, Template | FrError]]:
        """The keys and answers of the oldest lot."""
        lot, future = self.waiting.popleft()
        try:
            answers = future.result()
        except BrokenProcessPool:
            answers = [self._by_itself(photo) for _, photo in lot]
            self._renew()
        for (key, _), answer in zip(lot, answers, strict=True):
            yield key, answer

    def close(self) -> None:
        """End the workers; what they have not begun is dropped."""
        _end(self._pool)

    def _start(self, count: int) -> ProcessPoolExecutor:
        # Workers are started afresh, not forked: the parent may have threads, and a fork would
        # keep the parent's locks held after its death.
        context = multiprocessing.get_context("spawn")
        # They go through the weights for every photo: in large pages the same costs 2 to 5 % less.
        os.environ.setdefault("GLIBC_TUNABLES", MEMORY_TUNING)
        return ProcessPoolExecutor(count, context, _prepare, (self._maker, os.getpid()))

    def _submit(self, lot: Lot) -> Future[Answers]:
        return self._pool.submit(_some, [photo for _, photo in lot])

    def _renew(self) -> None:
        """New workers for all that the broken ones have not answered."""
        _end(self._pool)
        self._pool = self._start(self._count)
        left, self.waiting = self.waiting, deque()
        for lot, future in left:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.waiting.append((lot, future))
            else:
                self.waiting.append((lot, self._submit(lot)))

    def _by_itself(self, photo: bytes) -> Template | FrError:
        """Try a photo that a broken worker may have died of, where it can harm no other."""
        pool = self._start(1)
        try:
            return pool.submit(_some, [photo]).result()[0]
        except BrokenProcessPool:
            return PhotoUnreadable(
                "The photo breaks the process that reads it, as hostile files do.",
                hint="Do not open it elsewhere; save it anew as JPEG from its source.",
            )
        finally:
            _end(pool)


def _end(pool: ProcessPoolExecutor) -> None:
    """Wait for the end of a pool; what it has not begun is dropped."""
    broken, queue = getattr(pool, "_broken", False), getattr(pool, "_call_queue", None)
    if broken and queue is not None:
        # Python before 3.11.5 waits for ever: a thread of the pool still writes photos into a pipe
        # that no worker reads any more (CPython's issue 94777, mended in the same way).
        queue._reader.close()
    pool.shutdown(wait=True, cancel_futures=True)


def _prepare(maker: Maker, parent: int) -> None:
    """Set up a worker: it ends with its parent, and leaves an interrupt to it."""
    global _maker, _pipeline
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _maker = maker
    try:
        _pipeline = maker.pipeline()
    except Exception as trouble:  # of the set-up, not of a photo: the pool would not say what
        _pipeline = trouble


def _some(photos: list[bytes]) -> Answers:
    assert _maker is not None
    assert _pipeline is not None
    if isinstance(_pipeline, Exception):
        raise _pipeline
    return [_template(_pipeline, photo, _maker.choice) for photo in photos]
