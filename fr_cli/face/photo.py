"""Bytes of a file → pixels: a photo is decoded in a process of its own.

What is no photo is refused before (formats.py). The rest goes to decoder.py, which has limits of
memory and time; photo bytes are never written to a disk.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Self

from fr_cli.errors import ConfigurationError, PhotoUnreadable
from fr_cli.face import decoder
from fr_cli.face.decoder import MAX_PIXELS, MIN_SIDE, REPLY, REQUEST, Verdict
from fr_cli.face.formats import AGAIN, recognise

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SECONDS = 20.0  # for one photo, by the clock
GRACE = 5.0  # the decoder keeps SECONDS itself; after this much more it is killed from here

#: A worker lives for one photo, so every page it writes is new: few large pages cost an eighth
#: less than many small ones (`python -m tests.benchmarks.cost`).
MEMORY_TUNING = (
    "glibc.malloc.hugetlb=1:glibc.malloc.top_pad=33554432:glibc.malloc.mmap_threshold=1073741824"
)

SINGLE = "Save the one to use as a single photo."

#: What an operator reads for each verdict, and the hint. {0} and {1} are the numbers of the reply.
SENTENCES = {
    Verdict.DAMAGED: ("The {kind} file is damaged, incomplete or of a rare kind.", AGAIN),
    Verdict.TOO_LARGE: (
        "The photo has {0} by {1} pixels; "
        f"more than {MAX_PIXELS // 10**6} megapixels are not read.",
        "Save a smaller copy of it; 2 megapixels are plenty for a face.",
    ),
    Verdict.TOO_SMALL: (
        f"The photo has {{0}} by {{1}} pixels; below {MIN_SIDE} a side there is no face to see.",
        "Take the photo again from nearer, or use the original instead of its preview.",
    ),
    Verdict.SEVERAL: ("The {kind} file holds {0} pictures.", SINGLE),
    Verdict.NO_PHOTO: ("The {kind} file holds measured values, not the tones of a photo.", AGAIN),
    Verdict.MEMORY: ("The photo needs more memory than a photo may.", AGAIN),
    Verdict.TIME: ("The photo takes too long to decode.", AGAIN),
    Verdict.CRASHED: ("The photo broke its decoder, as damaged or hostile files do.", AGAIN),
}


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photo, upright: pixels are uint8 BGR, shape (height, width, 3).

    `format` is one of JPEG, PNG, WEBP, HEIF, TIFF, BMP.
    """

    pixels: NDArray[np.uint8]
    format: str


class _LostError(Exception):
    """The decoder did not answer, for this reason."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.name)
        self.verdict = verdict


class Decoder:
    """One decoding process for many photos; threads may share it, one at a time is served.

    Entering it starts the process, which gets ready while the caller loads its models.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._greeted = False
        self._lock = Lock()

    def __enter__(self) -> Self:
        with self._lock:
            self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def decode(self, data: bytes) -> Photo:
        """Decode a file; raises PhotoUnreadable (20), or ConfigurationError (3) without Pillow."""
        kind = recognise(data)
        with self._lock:
            try:
                verdict, first, second, pixels = self._exchange(kind, data)
            except _LostError as lost:
                self._stop()
                verdict, first, second, pixels = lost.verdict, 0, 0, None
            except BaseException:  # an interrupt leaves half a reply in the pipe
                self._stop()
                raise
        if pixels is not None:
            return Photo(pixels=pixels, format=kind)
        if verdict is Verdict.NO_READER:
            raise ConfigurationError(
                f"The software that reads {kind} files is not installed.", hint="Install fr again."
            )
        sentence, hint = SENTENCES.get(verdict, SENTENCES[Verdict.CRASHED])
        raise PhotoUnreadable(sentence.format(first, second, kind=kind), hint=hint)

    def close(self) -> None:
        """End the process; nothing of it is left. A later `decode` starts a new one."""
        with self._lock:
            self._stop()

    def _start(self) -> None:
        alive = self._child is not None and self._child.poll() is None
        # Bytes that nobody asked for would be taken for the reply to the next photo.
        if alive and not (self._greeted and _speaks(self._stdout)):
            return
        self._stop()
        self._greeted = False
        try:
            self._child = subprocess.Popen(  # noqa: S603 - no word of it is from outside
                [sys.executable, "-I", "-S", "-B", decoder.__file__, str(SECONDS), *_libraries()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env={"GLIBC_TUNABLES": MEMORY_TUNING},
                cwd="/",
                process_group=0,  # Ctrl-C is for the caller, who then ends the child
            )
        except OSError as trouble:
            raise ConfigurationError(
                f"The photo decoder cannot be started: {trouble.strerror}."
            ) from trouble
        _prepare(self._stdin, self._stdout)

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.close()  # at which it kills and buries its worker, and ends
        try:
            child.wait(timeout=1)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        child.stdout.close()

    @property
    def _stdin(self) -> int:
        assert self._child is not None
        assert self._child.stdin is not None
        return self._child.stdin.fileno()

    @property
    def _stdout(self) -> int:
        assert self._child is not None
        assert self._child.stdout is not None
        return self._child.stdout.fileno()

    def _exchange(
        self, kind: str, data: bytes
    ) -> tuple[Verdict, int, int, NDArray[np.uint8] | None]:
        """Send a request and read its reply; raises _LostError."""
        import numpy as np

        until = time.monotonic() + SECONDS + GRACE
        self._start()
        if not self._greeted:
            try:
                self._reply(until)
            except _LostError as lost:
                raise ConfigurationError(
                    "The photo decoder does not start.", hint="Install fr again."
                ) from lost
            self._greeted = True
        for part in (REQUEST.pack(kind.encode(), len(data)), data):
            _send(self._stdin, memoryview(part), until)
        verdict, first, second = self._reply(until)
        if verdict is not Verdict.DECODED:
            return verdict, first, second, None
        # The worker has read a hostile file: what it says of its own is checked here again.
        if first * second > MAX_PIXELS or min(first, second) < MIN_SIDE:
            raise _LostError(Verdict.CRASHED)
        pixels = np.empty((second, first, 3), dtype=np.uint8)
        _receive(self._stdout, pixels.data.cast("B"), until)
        return verdict, first, second, pixels

    def _reply(self, until: float) -> tuple[Verdict, int, int]:
        frame = bytearray(REPLY.size)
        _receive(self._stdout, memoryview(frame), until)
        number, first, second = REPLY.unpack(frame)
        try:
            return Verdict(number), first, second
        except ValueError:
            raise _LostError(Verdict.CRASHED) from None


def decode_photo(data: bytes) -> Photo:
    """Decode one photo in a process for it alone; raises PhotoUnreadable (20)."""
    with Decoder() as once:
        return once.decode(data)


def _libraries() -> list[str]:
    """The folders that hold Pillow and pillow_heif: all that the child gets beside Python."""
    from importlib.util import find_spec

    specs = [find_spec(name) for name in ("PIL", "pillow_heif")]
    origins = [Path(spec.origin) for spec in specs if spec is not None and spec.origin]
    return list(dict.fromkeys(str(origin.parent.parent) for origin in origins))


def _prepare(stdin: int, stdout: int) -> None:
    """Widen the pipes, and never wait in a write for a child that does not read."""
    from fcntl import F_SETPIPE_SZ, fcntl

    for descriptor in (stdin, stdout):
        with suppress(OSError):  # the user's share of pipe memory is used up: slower, as good
            fcntl(descriptor, F_SETPIPE_SZ, 2**20)
        os.set_blocking(descriptor, False)


def _speaks(descriptor: int) -> bool:
    """Whether a pipe has bytes to read, or has ended."""
    events = select.poll()
    events.register(descriptor, select.POLLIN)
    return bool(events.poll(0))


def _ready(descriptor: int, event: int, until: float) -> None:
    """Wait for a pipe; raises _LostError(TIME)."""
    events = select.poll()
    events.register(descriptor, event)
    if not events.poll(max(0.0, until - time.monotonic()) * 1000):
        raise _LostError(Verdict.TIME)


def _send(descriptor: int, view: memoryview, until: float) -> None:
    """Write all of it; raises _LostError."""
    while view:
        _ready(descriptor, select.POLLOUT, until)
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            continue
        except BrokenPipeError:
            raise _LostError(Verdict.CRASHED) from None


def _receive(descriptor: int, view: memoryview, until: float) -> None:
    """Fill the view; raises _LostError."""
    while view:
        _ready(descriptor, select.POLLIN, until)
        count = os.readv(descriptor, [view])
        if not count:
            raise _LostError(Verdict.CRASHED)
        view = view[count:]
