"""The client's side of a command: send its words and the bytes of its files, print the answer.

No model, no gallery and no key is loaded here, and no path of this account is sent.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import typer

from fr_cli.cli.draft import draft
from fr_cli.cli.options import before_reading, read_photo_argument, unchecked
from fr_cli.cli.served import LOCAL, SERVED, Served, Written
from fr_cli.cli.wiring import Session
from fr_cli.errors import (
    ConfigurationError,
    FrError,
    NotAllowed,
    NotServed,
    OutputFailed,
    StationUnreachable,
    UsageProblem,
)
from fr_cli.service.frame import REPLY, Frame, GoneError, NotAFrameError, receive, send
from fr_cli.service.request import Request, Show, Value

if TYPE_CHECKING:
    from fr_cli.operations.doctor import Check

#: Seconds that a request may take to be sent, and its answer to come: an errand may be long.
SENDING, WAITING = 60.0, 7 * 3600.0
#: What stands for a file of the answer in what is printed of it.
MADE = "fr-file-"
#: Bytes of a file that is sent with a request: a head, a key, a list.
LARGEST = 8 * 2**20

_GROUNDS = ("case", "reason", "place", "supervisor", "necessity")

Publish = Callable[[Mapping[str, bytes]], None]


def route(context: typer.Context, session: Session) -> None:
    """Let the command that was typed go to the station, before its line is read."""
    group: Any = context.command
    name = str(context.invoked_subcommand)
    _route(group.commands[name], name, session)


def _route(command: Any, words: str, session: Session) -> None:
    if words in LOCAL:
        return
    served, direct = SERVED.get(words), command.invoke
    checks = {param.name: param.process_value for param in command.params}
    before_reading(command, unchecked)  # what a value must be, the station says
    if hasattr(command, "commands"):
        for name, one in command.commands.items():
            _route(one, f"{words} {name}", session)
        return

    def invoke(context: typer.Context) -> Any:
        if served is None:
            raise NotServed(
                f"The station at {session.station} does not serve: fr {words}.",
                hint="The account that owns its home runs this; for a home of your own, give "
                "--home DIR.",
            )
        if served.unless and context.params[served.unless]:
            for name, check in checks.items():
                context.params[name] = check(context, context.params[name])
            return direct(context)
        return _ask(words, served, context.params, session)

    command.invoke = invoke


def _ask(words: str, served: Served, given: Mapping[str, Any], session: Session) -> None:
    parameters: dict[str, Value] = {}
    for name, value in given.items():
        parameters[name] = list(value) if isinstance(value, tuple) else value
    if served.confirm:
        _confirm(served, parameters, session)
    if served.grounds:
        _complete(parameters, session)
    for name, of in served.beside.items():
        place = f"{parameters[of]}.sig"
        if parameters[of] and not parameters[name] and Path(place).exists():
            parameters[name] = place
    blobs = dict(_read(served, parameters))
    for name in (served.photo, served.feed, served.unless, *served.own, *served.reads):
        parameters.pop(name, None)
    with contextlib.ExitStack() as stack:
        targets: dict[str, tuple[str, Publish]] = {}
        for name, how in served.writes.items():
            path = parameters[name]
            parameters[name] = bool(path)
            if path:
                targets[name] = (str(path), stack.enter_context(_target(Path(str(path)), how)))
        request = Request(words, parameters, _show(session), blobs)
        source = Path(str(given[served.feed])) if served.feed else None
        reply = _exchange(request, source, session)
        code = _print(reply, targets, session)
    raise typer.Exit(code)


class _Rules:
    """What of a bench is needed to ask for the grounds of a search: the station's policy."""

    def __init__(self, session: Session) -> None:
        from fr_cli.authority.identity import Person

        reply = _exchange(Request("policy show", {}, Show(json=True)), None, session)
        if error := reply.body["error"]:
            raise NotAllowed(str(error["message"]), hint=str(error["hint"]))
        said = json.loads(reply.blobs[":out"])
        self.policy = SimpleNamespace(
            places=said["places"],
            supervised=said["supervised"],
            reasons={name: SimpleNamespace(**one) for name, one in said["reasons"].items()},
            operators={name: SimpleNamespace(**one) for name, one in said["operators"].items()},
        )
        self.person = Person(os.getuid(), pwd.getpwuid(os.getuid()).pw_name)

    def __enter__(self) -> _Rules:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


def _complete(parameters: dict[str, Value], session: Session) -> None:
    """Ask at the terminal for the grounds that the policy wants and that were left out."""
    from fr_cli.authority.circumstances import Circumstances
    from fr_cli.cli import grounds

    words = {name: str(parameters[name]) for name in _GROUNDS}
    flags = parameters["flag"]
    said = Circumstances(
        words["place"],
        grounds.known_flags(flags if isinstance(flags, list) else ()),
        words["supervisor"],
        words["necessity"],
    )
    maker: Any = lambda wait: _Rules(session)  # noqa: E731
    asks = replace(session, maker=maker)
    given = grounds.Grounds(words["case"], words["reason"], said)
    done = grounds.complete(given, str(parameters["photo"]), asks)
    told = done.circumstances
    answers = (done.case, done.reason, told.place, told.supervisor, told.necessity)
    parameters |= dict(zip(_GROUNDS, answers, strict=True)) | {"flag": list(told.flags)}


def _confirm(served: Served, parameters: dict[str, Value], session: Session) -> None:
    """Ask here what the station cannot; without a terminal it refuses what needs a yes."""
    asks = sys.stdin.isatty() and not session.output.as_json
    if asks and not any(parameters.get(name) for name in ("yes", "dry_run", "ask")):
        typer.confirm(served.confirm, abort=True, err=True)
        parameters["yes"] = True


def _read(served: Served, parameters: Mapping[str, Value]) -> Iterator[tuple[str, bytes]]:
    if served.photo:
        yield "photo", read_photo_argument(str(parameters[served.photo]))
    for name in served.reads:
        value = parameters[name]
        paths = value if isinstance(value, list) else [str(value)] if value else []
        for number, path in enumerate(paths):
            try:
                with Path(path).open("rb") as file:
                    data = file.read(LARGEST + 1)
            except OSError as trouble:
                raise ConfigurationError(
                    f"{path} cannot be read: {trouble.strerror}.", hint="Check its path."
                ) from trouble
            if len(data) > LARGEST:
                raise UsageProblem(f"{path} has more than {LARGEST >> 20} MB.")
            yield f"{name}/{number}", data


def _show(session: Session) -> Show:
    screen = session.output.screen
    terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    colour = terminal and not os.environ.get("NO_COLOR")
    return Show(session.output.as_json, screen.width, colour)


def _exchange(request: Request, source: Path | None, session: Session) -> Frame:
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


def examined(session: Session) -> Check:
    """Whether the station answers, and lets this account ask."""
    from fr_cli.operations.doctor import Check

    name, what = "station", f"This account asks the station at {session.station}"
    try:
        error = _exchange(Request("status", {}, Show(json=True)), None, session).body["error"]
    except FrError as trouble:
        return Check(name, "fail", f"{what}. {trouble.message}", trouble.hint, trouble.code)
    if error:
        said = str(error["message"])
        return Check(name, "fail", f"{what}. {said}", str(error["hint"]), int(error["code"]))
    return Check(name, "ok", f"{what}, and it answers; its own account runs fr doctor --home DIR")


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


def _print(reply: Frame, targets: Mapping[str, tuple[str, Publish]], session: Session) -> int:
    error = reply.body["error"]
    printed, note = (reply.blobs.get(name, b"").decode() for name in (":out", ":err"))
    if not error:
        for name, (path, publish) in targets.items():
            stands_for = json.dumps(path)[1:-1] if session.output.as_json else path
            printed = printed.replace(MADE + name, stands_for)
            note = note.replace(MADE + name, path)
            publish({
                one.removeprefix(name).removeprefix("/"): data
                for one, data in reply.blobs.items()
                if one.partition("/")[0] == name
            })  # fmt: skip
    session.output.pass_on(printed, note)
    if error:
        said = (str(error[key]) for key in ("message", "hint"))
        return session.output.fail_with(str(error["name"]), int(error["code"]), *said)
    return int(reply.body["code"])


@contextlib.contextmanager
def _target(path: Path, how: Written) -> Iterator[Publish]:
    """Open what is to be written before the request is sent, so that it cannot fail after."""
    if how == "page":
        with draft(path, None) as page:
            assert page is not None
            yield lambda files: page.publish(files[""])
        return
    if how == "folder":
        if path.exists():
            raise UsageProblem(f"{path} is there already.", hint="Give a new folder by --out.")
        yield lambda files: _write_folder(path, files) if files else None
        return
    new = how == "new"
    try:
        file = path.open("xb" if new else "wb")
    except OSError as trouble:
        raise ConfigurationError(
            f"{path} cannot be written: {trouble.strerror}.",
            hint="Give the path of a new file." if new else "Choose another path.",
        ) from trouble
    written = False

    def publish(files: Mapping[str, bytes]) -> None:
        nonlocal written
        if "" in files:
            file.write(files[""])
            file.flush()
            written = True

    try:
        with file:
            yield publish
    except OSError as trouble:
        raise OutputFailed(f"{path} cannot be written: {trouble.strerror}.") from trouble
    finally:
        if new and not written:
            path.unlink(missing_ok=True)


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    try:
        folder.mkdir(mode=0o700)
        for name, data in files.items():
            parts = Path(name).parts
            if not parts or Path(name).is_absolute() or ".." in parts:
                raise FrError(f"The station sent a file of the name {name!r}.")
            place = folder.joinpath(*parts)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
    except OSError as trouble:
        raise OutputFailed(f"{folder} cannot be written: {trouble.strerror}.") from trouble
