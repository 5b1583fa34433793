"""The client's side of a command: send its words and the bytes of its files, print the answer.

No model, no gallery and no key is loaded here, and no path of this account is sent.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import typer

from fr_cli.cli.exchange import ask
from fr_cli.cli.options import before_reading, read_photo_argument, unchecked
from fr_cli.cli.served import CAME, LOCAL, MADE, SERVED, Served
from fr_cli.cli.wiring import Session
from fr_cli.cli.written import Publish, target
from fr_cli.errors import (
    ConfigurationError,
    FrError,
    NotAllowed,
    NotServed,
    UsageProblem,
)
from fr_cli.service.frame import Frame
from fr_cli.service.request import Request, Show, Value

if TYPE_CHECKING:
    from fr_cli.operations.doctor import Check

#: Bytes of a file that is sent with a request: a head, a key, a list.
LARGEST = 8 * 2**20

_GROUNDS = ("case", "reason", "place", "supervisor", "necessity")


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
    sent = {
        f"{CAME}{name}-{number}": path
        for name in served.reads
        for number, path in enumerate(_paths(parameters[name]))
    }
    blobs = dict(_read(served, parameters))
    for name in (served.photo, served.feed, served.unless, *served.own, *served.reads):
        parameters.pop(name, None)
    with contextlib.ExitStack() as stack:
        targets: dict[str, tuple[str, Publish]] = {}
        for name, how in served.writes.items():
            path = parameters[name]
            parameters[name] = bool(path)
            if path:
                targets[name] = (str(path), stack.enter_context(target(Path(str(path)), how)))
        request = Request(words, parameters, _show(session), blobs)
        source = Path(str(given[served.feed])) if served.feed else None
        reply = ask(request, source, session)
        code = _print(reply, sent, targets, session)
    raise typer.Exit(code)


class _Rules:
    """What of a bench is needed to ask for the grounds of a search: the station's policy."""

    def __init__(self, session: Session) -> None:
        from fr_cli.authority.identity import Person

        reply = ask(Request("policy show", {}, Show(json=True)), None, session)
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
    if session.asks and not any(parameters.get(name) for name in ("yes", "dry_run", "ask")):
        typer.confirm(served.confirm, abort=True, err=True)
        parameters["yes"] = True


def _paths(value: Value) -> list[str]:
    return value if isinstance(value, list) else [str(value)] if value else []


def _read(served: Served, parameters: Mapping[str, Value]) -> Iterator[tuple[str, bytes]]:
    if served.photo:
        yield "photo", read_photo_argument(str(parameters[served.photo]))
    for name in served.reads:
        for number, path in enumerate(_paths(parameters[name])):
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


def examined(session: Session) -> Check:
    """Whether the station answers, and lets this account ask."""
    from fr_cli.operations.doctor import Check

    name, what = "station", f"This account asks the station at {session.station}"
    try:
        error = ask(Request("status", {}, Show(json=True)), None, session).body["error"]
    except FrError as trouble:
        return Check(name, "fail", f"{what}. {trouble.message}", trouble.hint, trouble.code)
    if error:
        said = str(error["message"])
        return Check(name, "fail", f"{what}. {said}", str(error["hint"]), int(error["code"]))
    return Check(name, "ok", f"{what}, and it answers; its own account runs fr doctor --home DIR")


def _print(
    reply: Frame,
    sent: Mapping[str, str],
    targets: Mapping[str, tuple[str, Publish]],
    session: Session,
) -> int:
    """Print an answer with this account's own paths, and write its files; the exit code."""
    made = {MADE + name: path for name, (path, _) in targets.items()}

    def ours(text: str, as_json: bool = False) -> str:
        for stands, path in sorted({**sent, **made}.items(), reverse=True):
            text = text.replace(stands, json.dumps(path)[1:-1] if as_json else path)
        return text

    printed, note = (reply.blobs.get(name, b"").decode() for name in (":out", ":err"))
    if error := reply.body["error"]:
        session.output.pass_on(printed, ours(note))
        said = (ours(str(error[key])) for key in ("message", "hint"))
        return session.output.fail_with(str(error["name"]), int(error["code"]), *said)
    for name, (_, publish) in targets.items():
        publish({
            one.removeprefix(name).removeprefix("/"): data
            for one, data in reply.blobs.items()
            if one.partition("/")[0] == name
        })  # fmt: skip
    session.output.pass_on(ours(printed, session.output.as_json), ours(note))
    return int(reply.body["code"])
