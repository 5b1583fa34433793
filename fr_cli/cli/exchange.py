"""One request to a station and its answer, over its socket."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

from fr_cli.cli.wiring import Session
from fr_cli.errors import StationUnreachable
from fr_cli.service.frame import REPLY, Frame, GoneError, NotAFrameError, receive, send
from fr_cli.service.request import Request

#: Seconds that a request may take to be sent, and its answer to come: an errand may be long.
SENDING, WAITING = 60.0, 7 * 3600.0


def ask(request: Request, source: Path | None, session: Session) -> Frame:
    """The station's answer; `source` is a feed that is sent as it is asked for.

    StationUnreachable if there is no answer.
    """
    assert session.station is not None
    try:
        with connected(session.station) as line:
            try:
                send(line, request.frame(), SENDING)
                if source is not None:
                    return _send_feed(line, source, session)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it has refused before it had read all, and says why
            return receive(line, REPLY, WAITING)
    except (GoneError, NotAFrameError, OSError) as trouble:
        raise StationUnreachable(
            f"The station at {session.station} broke off: {trouble}.",
            hint="The log of the station says whether the act was carried out.",
        ) from trouble


def _send_feed(line: socket.socket, source: Path, session: Session) -> Frame:
    from fr_cli.operations.manifest import Manifest
    from fr_cli.service.feed import send_feed

    supply = Manifest(source)
    rows = session.listener.track(supply.rows(), "Sending", supply.total)
    return send_feed(line, supply, rows)


@contextlib.contextmanager
def connected(station: Path) -> Iterator[socket.socket]:
    """A line to the station; StationUnreachable."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        try:
            line.connect(str(station))
        except OSError as trouble:
            raise StationUnreachable(
                f"The station at {station} does not answer: {trouble.strerror or trouble}."
            ) from trouble
        yield line
