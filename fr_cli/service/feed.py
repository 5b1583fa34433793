"""A feed that comes over the socket: the client reads its files, the service never names one.

The client sends row after row, each with its photo, and `{"end": true}`; the socket makes it wait
where the service is busy. At last the service sends the answer.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fr_cli.errors import UsageProblem
from fr_cli.operations.manifest import HOLDS, BadRow, Row, Supply, is_text
from fr_cli.records import Enrolment
from fr_cli.service.frame import REPLY, ROW, Frame, GoneError, NotAFrameError, receive, send

#: Seconds that one side waits for the next frame of the other.
PATIENCE = 300.0
#: Where the photo of a row is that came over the socket: nowhere.
NOWHERE = Path("/dev/null/sent")


class Sent:
    """The service's side: a supply (`operations.manifest.Supply`) at the end of a line."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._came = Frame({})
        self.total: int | None = None

    def rows(self) -> Iterator[Row | BadRow]:
        """The rows as they come; UsageProblem where the client breaks off."""
        while True:
            frame = self._receive()
            if "end" in frame.body:
                return
            try:
                row = _row(frame)
            except NotAFrameError as trouble:
                raise _broken_off(trouble) from trouble
            self._came = frame
            yield row

    def photo(self, row: Row) -> bytes:
        """The photo that came with the last row."""
        return _photo(self._came)

    def _receive(self) -> Frame:
        try:
            return receive(self._line, ROW, PATIENCE)
        except (GoneError, NotAFrameError, OSError) as trouble:
            raise _broken_off(trouble) from trouble


def _broken_off(trouble: Exception) -> UsageProblem:
    return UsageProblem(
        f"The feed broke off ({trouble}); what was enrolled before is kept.", hint="Run it again."
    )


def _photo(frame: Frame) -> bytes:
    why = frame.body.get("unreadable")
    if why is not None or "photo" not in frame.blobs:
        raise OSError(str(why)[:200])
    return frame.blobs["photo"]


def _row(frame: Frame) -> Row | BadRow:
    """The row that a frame holds, checked as those of a file are; NotAFrameError."""
    body = frame.body
    line = body.get("line")
    if type(line) is not int or not 0 <= line < 2**53:
        raise NotAFrameError("a row without the number of its line")
    bad, fields = body.get("bad"), body.get("row")
    if isinstance(bad, dict) and set(bad) == {"text", "reason", "image"}:
        return BadRow(line, *(str(bad[name])[:1000] for name in ("text", "reason", "image")))
    if not isinstance(fields, dict):
        raise NotAFrameError("neither a row nor a bad one")
    try:
        extra = fields.pop("extra")
        if not isinstance(extra, dict) or not (_words(extra) and _words(fields)):
            raise TypeError
        enrolment = Enrolment(**fields, extra=extra)
    except (TypeError, KeyError):
        raise NotAFrameError("a row with other fields") from None
    if not (enrolment.subject_id and enrolment.image and enrolment.reference_id):
        raise NotAFrameError("a row of nobody")
    if enrolment.hold.lower() not in HOLDS:
        raise NotAFrameError("a row whose hold is neither true nor false")
    return Row(line, NOWHERE, enrolment)


def _words(values: dict[Any, Any]) -> bool:
    return all(isinstance(one, str) and is_text(one) for one in (*values, *values.values()))


def send_feed(line: socket.socket, supply: Supply, rows: Iterable[Row | BadRow]) -> Frame:
    """The client's side: send these rows of the supply; the answer.

    OSError or GoneError if the service is gone.
    """
    try:
        for row in rows:
            send(line, _framed(row, supply), PATIENCE)
        send(line, Frame({"end": True}), PATIENCE)
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has refused, and says why
    return receive(line, REPLY)


def _framed(row: Row | BadRow, supply: Supply) -> Frame:
    if isinstance(row, BadRow):
        said = {"text": row.text, "reason": row.reason, "image": row.image}
        return Frame({"line": row.line, "bad": said})
    body: dict[str, Any] = {"line": row.line, "row": asdict(row.enrolment)}
    try:
        return Frame(body, {"photo": supply.photo(row)})
    except OSError as trouble:
        return Frame(body | {"unreadable": str(trouble.strerror or trouble)})
