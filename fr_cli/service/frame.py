"""How client and service write to each other: a header in JSON, then blobs of bytes.

    b"fr/1" · length of the header (4 bytes, big endian) · header · the blobs, in the header's order

The header is `{"body": {…}, "blobs": [[name, length], …]}`. Whoever reads says beforehand how much
may come, and nothing is allocated for bytes that were only announced.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fr_cli.face.formats import MAX_BYTES

_START = struct.Struct(">4sI")
_MARK = b"fr/1"
#: Bytes that are taken from a socket at once.
_READ = 1 << 18


class NotAFrameError(ValueError):
    """These bytes are not a frame, or a larger one than is allowed."""


class GoneError(ConnectionError):
    """The other side closed, or let the time run out, before its frame was whole."""


@dataclass(frozen=True)
class Limits:
    """How much may come in one frame: bytes of the header, number of blobs, bytes of all blobs."""

    header: int
    blobs: int
    bytes: int


#: A request: a photo of at most what the decoder takes and one byte more for it to refuse, or a
#: few small files.
REQUEST = Limits(header=1 << 16, blobs=16, bytes=MAX_BYTES + 1)
#: A line of a feed with its photo; a line may have as many free columns as fit into a megabyte.
ROW = Limits(header=1 << 21, blobs=1, bytes=MAX_BYTES + 1)
#: What the service itself writes.
REPLY = Limits(header=1 << 21, blobs=10_000, bytes=1 << 30)
#: What a worker is handed: a request, with who asks.
HANDED = Limits(header=1 << 17, blobs=16, bytes=MAX_BYTES + 1)


@dataclass(frozen=True)
class Frame:
    """One message."""

    body: Mapping[str, Any]
    blobs: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def encode(self) -> bytes:
        """Its bytes."""
        sizes = [[name, len(data)] for name, data in self.blobs.items()]
        header = json.dumps({"body": self.body, "blobs": sizes}, ensure_ascii=False).encode(
            errors="replace"
        )
        return b"".join((_START.pack(_MARK, len(header)), header, *self.blobs.values()))


class Parser:
    """Takes the bytes of one frame as they come, and never asks for one more."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._data = bytearray()
        self._needs = _START.size
        self._header: dict[str, Any] | None = None
        self._sizes: list[tuple[str, int]] = []
        self._read = self._start

    @property
    def wanted(self) -> int:
        """How many bytes may be taken from the socket now; 0 when the frame is whole."""
        return min(_READ, self._needs - len(self._data))

    @property
    def held(self) -> int:
        """How many bytes are in memory."""
        return len(self._data)

    def feed(self, data: bytes) -> Frame | None:
        """Take some bytes; the frame when it is whole. NotAFrameError."""
        self._data += data
        while len(self._data) == self._needs:
            if (frame := self._read()) is not None:
                return frame
        return None

    def _start(self) -> Frame | None:
        mark, length = _START.unpack(self._data)
        if mark != _MARK:
            raise NotAFrameError("it is not of this protocol")
        if not 0 < length <= self._limits.header:
            raise NotAFrameError("its header is too large")
        self._needs += length
        self._read = self._headed
        return None

    def _headed(self) -> Frame | None:
        try:
            header = json.loads(self._data[_START.size :].decode())
        except (ValueError, RecursionError):
            raise NotAFrameError("its header is not JSON") from None
        if not isinstance(header, dict) or set(header) != {"body", "blobs"}:
            raise NotAFrameError("its header has other keys")
        self._header = header["body"]
        if not isinstance(self._header, dict):
            raise NotAFrameError("its body is not an object")
        self._sizes = _sizes(header["blobs"], self._limits)
        self._data.clear()
        self._needs = sum(size for _, size in self._sizes)
        self._read = self._whole
        return None

    def _whole(self) -> Frame:
        assert self._header is not None
        blobs, start = {}, 0
        for name, size in self._sizes:
            blobs[name] = bytes(memoryview(self._data)[start : start + size])
            start += size
        self._data = bytearray()
        self._needs = 0
        return Frame(self._header, blobs)


def _sizes(said: Any, limits: Limits) -> list[tuple[str, int]]:
    if not isinstance(said, list) or len(said) > limits.blobs:
        raise NotAFrameError("it has too many blobs")
    sizes: list[tuple[str, int]] = []
    for one in said:
        if not (isinstance(one, list) and [type(part) for part in one] == [str, int]):
            raise NotAFrameError("a blob is not announced by name and length")
        if one[1] < 0 or len(one[0]) > 1000:
            raise NotAFrameError("a blob is announced with an impossible length or name")
        sizes.append((one[0], one[1]))
    if len({name for name, _ in sizes}) != len(sizes):
        raise NotAFrameError("two blobs have one name")
    if sum(size for _, size in sizes) > limits.bytes:
        raise NotAFrameError("its blobs are too large")
    return sizes


def send(line: socket.socket, frame: Frame, seconds: float | None = None) -> None:
    """Send a whole frame within so many seconds; OSError if the other side is gone."""
    line.settimeout(seconds)
    line.sendall(frame.encode())


def receive(line: socket.socket, limits: Limits, seconds: float | None = None) -> Frame:
    """Take one frame within so many seconds; GoneError or NotAFrameError."""
    parser, until = Parser(limits), None if seconds is None else time.monotonic() + seconds
    while True:
        line.settimeout(None if until is None else max(0.001, until - time.monotonic()))
        try:
            data = line.recv(parser.wanted)
        except TimeoutError:
            raise GoneError("nothing came in time") from None
        if not data:
            raise GoneError("the other side closed")
        if (frame := parser.feed(data)) is not None:
            return frame
