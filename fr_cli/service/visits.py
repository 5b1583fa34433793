"""The visits of clients: their connections, taken and answered within bounds of time and size."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from fr_cli.errors import StationBusy, UsageProblem
from fr_cli.service.frame import REQUEST, Frame, NotAFrameError, Parser
from fr_cli.service.peer import Peer
from fr_cli.service.request import Request, refused


@dataclass(eq=False)
class Visit:
    """A client that sends its request (until that is there), waits, or takes its answer (`out`)."""

    line: socket.socket
    peer: Peer
    until: float
    parser: Parser = field(default_factory=lambda: Parser(REQUEST))
    request: Request | None = None
    out: memoryview = field(default_factory=lambda: memoryview(b""))

    @property
    def hung_up(self) -> bool:
        """Whether nobody waits for an answer any more."""
        try:
            return self.line.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True


@dataclass(frozen=True)
class Room:
    """How many connections at once, how many of one account, how many bytes of requests; seconds
    for a client to send its request, and to take its answer.
    """

    connections: int = 128
    of_one: int = 16
    held: int = 256 * 2**20
    sending: float = 15.0
    taking: float = 60.0


class Visits:
    """All clients that are connected; `arrived` is told when a request is there as a whole."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        room: Room,
        arrived: Callable[[Visit, Request], None],
    ) -> None:
        self._selector, self._room, self._arrived = selector, room, arrived
        self._visits: set[Visit] = set()

    def __contains__(self, visit: object) -> bool:
        return visit in self._visits

    def __iter__(self) -> Iterator[Visit]:
        return iter(list(self._visits))

    def accept(self, listener: socket.socket) -> None:
        """Let one in, or tell them that there is no room."""
        try:
            line, _ = listener.accept()
        except OSError:  # gone again, or no handle left: the next turn will do
            return
        line.setblocking(False)
        try:
            peer = Peer.of(line)
        except OSError:
            line.close()
            return
        mine = sum(one.peer.uid == peer.uid for one in self._visits)
        if mine >= self._room.of_one or len(self._visits) >= self._room.connections:
            busy = refused(StationBusy("Too many requests are under way."))
            with suppress(OSError):  # a fresh socket takes so little, or the client waits in vain
                line.send(busy.encode())
            line.close()
            return
        visit = Visit(line, peer, time.monotonic() + self._room.sending)
        self._visits.add(visit)
        self._selector.register(line, selectors.EVENT_READ, visit)

    def serve(self, visit: Visit, mask: int) -> None:
        """Read from them, or write to them."""
        if visit.out:
            self._write(visit)
        elif mask & selectors.EVENT_READ:
            self._read(visit)

    def reply(self, visit: Visit, frame: Frame) -> None:
        """Answer; then they go."""
        visit.out = memoryview(frame.encode())
        visit.until = time.monotonic() + self._room.taking
        visit.request = None
        with suppress(KeyError):
            self._selector.unregister(visit.line)
        self._selector.register(visit.line, selectors.EVENT_WRITE, visit)
        self._write(visit)

    def leave(self, visit: Visit) -> None:
        """Let them go without another word."""
        self._visits.discard(visit)
        with suppress(KeyError, ValueError):
            self._selector.unregister(visit.line)
        visit.line.close()

    def keep_time(self) -> None:
        """Whoever is too slow goes; whoever waits for an answer may wait."""
        now = time.monotonic()
        for visit in self:
            if now > visit.until and visit.out:
                self.leave(visit)
            elif now > visit.until and visit in self._reading():
                self.reply(visit, refused(StationBusy("The request did not come in time.")))

    def _reading(self) -> list[Visit]:
        return [one for one in self._visits if one.parser.wanted and not one.out]

    def _read(self, visit: Visit) -> None:
        try:
            data = visit.line.recv(visit.parser.wanted)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.leave(visit)
            return
        try:
            frame = visit.parser.feed(data)
            request = Request.of(frame) if frame else None
        except NotAFrameError as trouble:
            words = f"The request is not understood: {trouble}."
            self.reply(visit, refused(UsageProblem(words)))
            return
        if request is not None:
            visit.request = request
            self._selector.unregister(visit.line)
            self._arrived(visit, request)
        elif sum(one.parser.held for one in self._visits) > self._room.held:
            self.reply(visit, refused(StationBusy("Too many photos are on their way.")))

    def _write(self, visit: Visit) -> None:
        try:
            visit.out = visit.out[visit.line.send(visit.out) :]
        except BlockingIOError:
            return
        except OSError:
            self.leave(visit)
            return
        if not visit.out:
            self.leave(visit)
