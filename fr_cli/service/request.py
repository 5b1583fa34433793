"""What may be asked of the service, and in which form: words, numbers and bytes, never a path.

Who asks is not in it: that the kernel says (peer.py). Nor is anything of the client's environment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from fr_cli.errors import FrError
from fr_cli.service.frame import Frame, NotAFrameError

Value: TypeAlias = bool | int | float | str | list[str] | None

#: A terminal is no narrower and no wider than this.
NARROWEST, WIDEST = 20, 1000
_LONGEST = 10_000


@dataclass(frozen=True)
class Show:
    """How the answer is to be drawn: as JSON, or as text of so many columns (None: not folded)."""

    json: bool = False
    width: int | None = None
    colour: bool = False


@dataclass(frozen=True)
class Request:
    """One command with its parameters by name, and the bytes of its photo or files."""

    command: str
    parameters: Mapping[str, Value]
    show: Show = Show()
    blobs: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def frame(self) -> Frame:
        """As it travels."""
        show = {"json": self.show.json, "width": self.show.width, "colour": self.show.colour}
        body = {"command": self.command, "parameters": dict(self.parameters), "show": show}
        return Frame(body, self.blobs)

    @classmethod
    def of(cls, frame: Frame) -> Request:
        """What came, if it has this form exactly; NotAFrameError."""
        body = frame.body
        if set(body) != {"command", "parameters", "show"}:
            raise NotAFrameError("it has other fields than command, parameters and show")
        command, parameters = body["command"], body["parameters"]
        if not isinstance(command, str) or not isinstance(parameters, dict):
            raise NotAFrameError("its command or its parameters are of another type")
        for value in parameters.values():
            if not _is_value(value):
                raise NotAFrameError("a parameter is neither a word nor a number")
        return cls(command, parameters, _show(body["show"]), frame.blobs)


def _is_value(value: object) -> bool:
    if isinstance(value, list):
        return len(value) <= 100 and all(isinstance(one, str) and _short(one) for one in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int) or _short(value)


def _short(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST


def _show(said: Any) -> Show:
    if not isinstance(said, dict) or set(said) != {"json", "width", "colour"}:
        raise NotAFrameError("it does not say how to show the answer")
    width = said["width"]
    if type(said["json"]) is not bool or type(said["colour"]) is not bool:
        raise NotAFrameError("it does not say how to show the answer")
    if width is not None and type(width) is not int:
        raise NotAFrameError("its width is not a number")
    return Show(said["json"], width and min(max(width, NARROWEST), WIDEST), said["colour"])


def refusal(name: str, code: int, message: str, hint: str) -> Frame:
    """An answer that is an error: the client draws it."""
    error = {"name": name, "code": code, "message": message, "hint": hint}
    return Frame({"code": code, "error": error, "files": {}}, {})


def refused(trouble: FrError) -> Frame:
    """The same, of an error of the tree."""
    return refusal(type(trouble).__name__, trouble.code, trouble.message, trouble.hint)


#: Where a command runs: in a worker that keeps the models, or in a process of its own.
Place: TypeAlias = Literal["worker", "errand"]
#: The place of a served command; None for one that is not served.
Places: TypeAlias = Callable[[str], Place | None]
