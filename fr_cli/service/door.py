"""The door: takes requests from many accounts, hands them out fairly, and hands the answers back.

One process without threads, which never looks into a photo and holds no key. A client has to send
its request within a time and a size before anybody works on it, so a slow one costs memory that is
bounded and nobody's time. Who asks is read from the kernel when they connect.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from fr_cli.errors import NotServed, StationBusy
from fr_cli.service.frame import REPLY, Frame, NotAFrameError, Parser
from fr_cli.service.processes import Answer, Prepare, start_errand, start_worker
from fr_cli.service.queues import Queues
from fr_cli.service.request import Places, Request, refusal, refused
from fr_cli.service.visits import Room, Visit, Visits


@dataclass(frozen=True)
class Bounds:
    """How much the service takes on."""

    workers: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    room: Room = field(default_factory=Room)
    #: Seconds that a worker may need for one request, and an errand that is no feed.
    working: float = 60.0
    errand: float = 6 * 3600.0
    errands: int = 4
    errands_of_one: int = 1
    #: Seconds that what runs may go on when the service is told to stop.
    grace: float = 30.0


@dataclass(eq=False)
class _Hand:
    """A worker, and whom it works for."""

    pid: int
    line: socket.socket
    visit: Visit | None = None
    until: float = 0.0
    parser: Parser = field(default_factory=lambda: Parser(REPLY))
    out: memoryview = field(default_factory=lambda: memoryview(b""))


class Door:
    """The loop of the service."""

    def __init__(
        self,
        listener: socket.socket,
        answer: Answer,
        prepare: Prepare,
        places: Places,
        bounds: Bounds,
    ) -> None:
        self._listener, self._places, self._bounds = listener, places, bounds
        self._answer, self._prepare = answer, prepare
        self._selector = selectors.DefaultSelector()
        self._visits = Visits(self._selector, bounds.room, self._enter)
        self._hands: set[_Hand] = set()
        self._errands: dict[int, tuple[Visit, float]] = {}
        self._for_workers: Queues[Visit] = Queues(bounds.room.of_one)
        self._for_errands: Queues[Visit] = Queues(bounds.room.of_one)
        self._stopping = 0.0
        self._last_start = 0.0

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; then finish what runs."""
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        wake, woken = socket.socketpair()
        wake.setblocking(False)
        woken.setblocking(False)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, lambda *_: self._stop())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(wake, selectors.EVENT_READ)
        try:
            for _ in range(self._bounds.workers):
                self._hire()
            while not (self._stopping and self._idle()):
                for key, mask in self._selector.select(0.2):
                    if key.fileobj is self._listener:
                        self._visits.accept(self._listener)
                    elif key.fileobj is wake:
                        with suppress(BlockingIOError):
                            wake.recv(4096)
                    elif isinstance(key.data, _Hand):
                        self._serve_hand(key.data, mask)
                    elif key.data in self._visits:
                        self._visits.serve(key.data, mask)
                self._reap()
                self._keep_time()
                self._hand_out()
        finally:
            self._end()

    def _enter(self, visit: Visit, request: Request) -> None:
        place = self._places(request.command)
        if self._stopping:
            self._visits.reply(visit, refused(StationBusy("The station is being stopped.")))
        elif place is None:
            words = f"This station does not serve: fr {request.command[:50]}."
            self._visits.reply(visit, refused(NotServed(words, hint="See: fr serve --help")))
        else:
            queue = self._for_workers if place == "worker" else self._for_errands
            if not queue.put(visit.peer.uid, visit):
                busy = StationBusy("Too many of your requests wait already.")
                self._visits.reply(visit, refused(busy))

    # -- work --------------------------------------------------------------------------------

    def _hand_out(self) -> None:
        free = [hand for hand in self._hands if hand.visit is None]
        for hand in free:
            visit = self._next(self._for_workers)
            if visit is None:
                break
            assert visit.request is not None
            hand.visit, hand.parser = visit, Parser(REPLY)
            hand.until = time.monotonic() + self._bounds.working
            request = visit.request.frame()
            body = {"peer": [visit.peer.uid, visit.peer.loginuid], "request": request.body}
            hand.out = memoryview(Frame(body, request.blobs).encode())
            self._selector.modify(hand.line, selectors.EVENT_READ | selectors.EVENT_WRITE, hand)
        busy = Counter(visit.peer.uid for visit, _ in self._errands.values())
        while len(self._errands) < self._bounds.errands:
            visit = self._next(self._for_errands, busy_with=busy)
            if visit is None:
                break
            assert visit.request is not None
            busy[visit.peer.uid] += 1
            pid = start_errand(
                self._answer, visit.request, visit.peer, visit.line, self._bounds.room.taking
            )
            self._errands[pid] = (visit, time.monotonic() + self._bounds.errand)

    def _next(self, queue: Queues[Visit], busy_with: Counter[int] | None = None) -> Visit | None:
        busy = busy_with or Counter()
        limit = self._bounds.errands_of_one
        while (visit := queue.take(lambda uid: busy[uid] < limit)) is not None:
            if not visit.hung_up:
                return visit
            self._visits.leave(visit)
        return None

    def _serve_hand(self, hand: _Hand, mask: int) -> None:
        try:
            if mask & selectors.EVENT_WRITE and hand.out:
                hand.out = hand.out[hand.line.send(hand.out) :]
                if not hand.out:
                    self._selector.modify(hand.line, selectors.EVENT_READ, hand)
            if mask & selectors.EVENT_READ:
                data = hand.line.recv(hand.parser.wanted)
                if not data:
                    raise ConnectionResetError
                frame = hand.parser.feed(data)
                if frame is not None:
                    visit, hand.visit = hand.visit, None
                    if visit is not None:
                        self._visits.reply(visit, frame)
        except BlockingIOError:
            return
        except (OSError, NotAFrameError):
            self._lost(hand, "The process that worked on the request ended.")

    def _lost(self, hand: _Hand, words: str) -> None:
        """Replace a worker that ended, or had to be ended."""
        self._hands.discard(hand)
        self._selector.unregister(hand.line)
        hand.line.close()
        with suppress(ProcessLookupError):
            os.kill(hand.pid, signal.SIGKILL)
        _say(f"a worker is replaced: {words}")
        if hand.visit is not None:
            hint = "The log has it as abandoned. Ask again; if it happens again, try another photo."
            self._visits.reply(hand.visit, refusal("Bug", 1, words, hint))
        if not self._stopping:
            self._hire()

    def _hire(self) -> None:
        # One that dies at once must not be replaced as fast as the machine can.
        time.sleep(max(0.0, self._last_start + 0.1 - time.monotonic()))
        self._last_start = time.monotonic()
        pid, line = start_worker(self._answer, self._prepare)
        line.setblocking(False)
        hand = _Hand(pid, line)
        self._hands.add(hand)
        self._selector.register(line, selectors.EVENT_READ, hand)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                found = self._errands.pop(ended[0], None)
                if found is not None:
                    self._visits.leave(found[0])

    def _keep_time(self) -> None:
        now = time.monotonic()
        for hand in [one for one in self._hands if one.visit is not None and now > one.until]:
            self._lost(hand, f"The request took longer than {self._bounds.working:g} s.")
        for pid, (_, until) in self._errands.items():
            if now > until or (self._stopping and now > self._stopping):
                # As by Ctrl-C: what is finished is kept, and the log says how it ended.
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT if now < until + 10 else signal.SIGKILL)
        self._visits.keep_time()

    # -- stopping ----------------------------------------------------------------------------

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping = time.monotonic() + self._bounds.grace
            _say("stopping: what runs is finished")

    def _idle(self) -> bool:
        """Whether nothing is left to do; refuses whoever waits or comes."""
        for visit in self._waiting():
            self._visits.reply(visit, refused(StationBusy("The station is being stopped.")))
        busy = any(hand.visit for hand in self._hands) or self._errands
        answering = any(visit.out for visit in self._visits)
        return not busy and not answering

    def _waiting(self) -> Iterator[Visit]:
        yield from self._for_workers.drain()
        yield from self._for_errands.drain()

    def _end(self) -> None:
        for visit in self._visits:
            self._visits.leave(visit)
        for hand in self._hands:
            hand.line.close()  # at which it ends
        for hand in self._hands:
            with suppress(ChildProcessError):
                os.waitpid(hand.pid, 0)
        self._listener.close()


def _say(words: str) -> None:
    sys.stderr.write(f"fr serve: {words}\n")
    sys.stderr.flush()
