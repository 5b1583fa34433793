"""The processes that do the work: workers that stay, and one of its own for each errand.

Both are forked from the door, which has no threads, no keys and no photo library in it.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import NoReturn, TypeAlias

from fr_cli.service.bench import Kept
from fr_cli.service.frame import HANDED, Frame, GoneError, receive, send
from fr_cli.service.peer import Peer
from fr_cli.service.request import Request

#: Seconds between two looks of an idle worker at whether its generation is still that of now.
LOOK = 0.05

#: Answers a request of somebody, with what a worker keeps and, for a feed, the line to the client.
Answer: TypeAlias = Callable[[Request, Peer, Kept, socket.socket | None], Frame]
#: Loads what the first request would wait for.
Prepare: TypeAlias = Callable[[Kept], None]


def start_worker(answer: Answer, prepare: Prepare) -> tuple[int, socket.socket]:
    """Fork a worker; its process id, and the line to it."""
    ours, its = socket.socketpair()
    child = os.fork()
    if child:
        its.close()
        return child, ours
    _become(lambda: _work(its, answer, prepare), keep={its.fileno()})


def start_errand(
    answer: Answer, request: Request, peer: Peer, client: socket.socket, patience: float
) -> int:
    """Fork a process that answers this one request on the client's own line; its process id."""
    child = os.fork()
    if child:
        return child

    def run() -> None:
        kept = Kept()
        try:
            reply = answer(request, peer, kept, client)
        finally:
            kept.close()
        with suppress(OSError):  # who hung up is not told
            send(client, reply, patience)

    os.nice(10)  # whoever waits for an answer goes before a feed
    _become(run, keep={client.fileno()})


def _become(run: Callable[[], None], keep: Collection[int]) -> NoReturn:
    """Be a process of its own: of the parent's files only these; ends here."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the door says when to stop
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _close_all_but({0, 1, 2, *keep})
        run()
        code = 0
    except KeyboardInterrupt:
        pass
    except BaseException as trouble:
        # Its class and never its words, which may hold personal data.
        sys.stderr.write(f"fr serve: a process failed ({type(trouble).__name__})\n")
    finally:
        with suppress(BaseException):
            sys.stderr.flush()
        os._exit(code)


def _close_all_but(keep: set[int]) -> None:
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in keep:
            with suppress(OSError):
                os.close(int(name))


def _work(line: socket.socket, answer: Answer, prepare: Prepare) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kept = Kept()
    prepare(kept)
    try:
        while True:
            while not select.select([line], [], [], LOOK)[0]:
                kept.generation.look()
            try:
                handed = receive(line, HANDED)
            except GoneError:
                return
            request = Request.of(Frame(handed.body["request"], handed.blobs))
            send(line, answer(request, Peer(*handed.body["peer"]), kept, None))
    finally:
        kept.close()
