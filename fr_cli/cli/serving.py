"""The service's side of a command: the same function, with what came over the socket.

Every parameter passes the checks of the command line once more, for the client may be anybody's.
None of them is ever a path of this machine: what the command reads lies in memory or in a folder
of its own in memory, and so does what it writes.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from fr_cli.cli.commands import Commands
from fr_cli.cli.output import Output, Screen
from fr_cli.cli.served import CAME, MADE, SERVED, Served
from fr_cli.cli.wiring import Session
from fr_cli.errors import ConfigurationError, FrError, NotAllowed, PhotoUnreadable, UsageProblem
from fr_cli.service.bench import Kept, StationBench
from fr_cli.service.feed import Sent
from fr_cli.service.frame import Frame

if TYPE_CHECKING:
    import socket

    from fr_cli.operations.bench import Bench
    from fr_cli.service.peer import Peer
    from fr_cli.service.request import Request

#: A file system in memory: what is written for a client touches no disk.
MEMORY = Path("/dev/shm")  # noqa: S108


class Station:
    """Answers requests on a home; one at a time."""

    def __init__(self, home: Path, socket: Path) -> None:
        self._home, self._socket = home, socket

    def prepare(self, kept: Kept) -> None:
        """Load what the first search would wait for; what is wrong, that search says."""
        nobody: dict[str, Any] = {"uid": os.getuid(), "user": "", "loginuid": None, "tty": ""}
        with contextlib.suppress(FrError):
            StationBench(self._home, nobody, kept).pipeline  # noqa: B018

    def answer(self, request: Request, peer: Peer, kept: Kept, line: socket.socket | None) -> Frame:
        """Carry out what somebody asks; an error is an answer too."""
        screen = Screen(request.show.width, request.show.colour)
        out, err = io.StringIO(), io.StringIO()
        output = Output(as_json=request.show.json, screen=screen)
        code, error, files = 0, None, dict[str, bytes]()
        with _folder() as folder, _captured(out, err, request.blobs.get("photo", b"")):
            try:
                files = self._run(request, peer, kept, line, output, folder)
            except typer.Exit as end:
                code, files = end.exit_code, _made(folder)
            except FrError as trouble:
                error = _error(type(trouble).__name__, trouble.code, trouble.message, trouble.hint)
            except typer.TyperException as trouble:
                hint = f"See: fr {request.command} --help"
                error = _error("UsageProblem", 2, trouble.format_message(), hint)
            except typer.Abort:
                error = _error("Aborted", 130, "Nothing was done.", "")
            except KeyboardInterrupt:
                text = "The station was stopped. What was finished before is kept."
                error = _error("Interrupted", 130, text, "")
            except Exception as trouble:
                words = f"Something went wrong in the service itself ({type(trouble).__name__})."
                error = _error("Bug", 1, words, "Tell whoever runs it.")
        if error:
            code, files = error["code"], {}
        body = {"code": code, "error": error}
        printed = {":out": out.getvalue().encode(errors="replace")} if not error else {}
        note = err.getvalue().encode(errors="replace")
        return Frame(body, {**printed, ":err": note, **files})

    def _run(
        self,
        request: Request,
        peer: Peer,
        kept: Kept,
        line: socket.socket | None,
        output: Output,
        folder: Path,
    ) -> dict[str, bytes]:
        asker = peer.asker()

        def bench(wait: float | None = None) -> StationBench:
            return StationBench(self._home, asker, kept, wait=wait)

        served = SERVED[request.command]
        with bench() as first:
            _admit(request.command, str(asker["user"]), first)
        supply = Sent(line) if served.feed and line else None
        session = Session(self._home, output, self._socket, maker=bench, sent=supply)
        command = _command(request.command)
        context = typer.Context(command, info_name=request.command, obj=session)
        context.params = _parameters(request, command, served, folder, context)
        with context:
            command.invoke(context)
        return _made(folder)


def _admit(command: str, user: str, bench: Bench) -> None:
    """NotAllowed (4) for who is not named in the policy, also where the command is no act."""
    with contextlib.suppress(ConfigurationError):
        if user in bench.policy.operators:
            return
    with bench.act(command, "consultation"):  # refuses them, in the log too
        raise NotAllowed("This account is not an operator of this home.")


def _command(words: str) -> Any:
    command: Any = Commands()[words.split()[0]]
    for word in words.split()[1:]:
        command = command.commands[word]
    return command


def _parameters(
    request: Request, command: Any, served: Served, folder: Path, context: typer.Context
) -> dict[str, Any]:
    """The parameters of the command, checked as those of a command line are."""
    known = {param.name: param for param in command.params}
    strange = sorted(set(request.parameters) - set(known))
    if strange:
        raise UsageProblem(
            f"fr {request.command} has no parameter {strange[0][:50]!r}.",
            hint="Client and station may be of different versions of fr.",
        )
    values = {}
    for name, param in known.items():
        given: Any = request.parameters.get(name)
        if name == served.photo:
            given = "-"  # the command reads it where standard input is
            if "photo" not in request.blobs:
                raise PhotoUnreadable("No photo was sent.")
        elif name == served.feed:
            given = os.devnull
        elif name in served.writes:
            given = f"{MADE}{name}" if given else None
        elif name in served.reads:
            given = _read(name, request.blobs, folder)
            given = (given if param.multiple else given[0]) if given else None
        elif "Path" in str(param.type_descriptor.annotation) and given:
            raise UsageProblem(f"--{name} names a file, which a station does not open.")
        if given is None:
            given = param.get_default(context)
        values[name] = param.process_value(context, given)
    return values


def _read(name: str, blobs: Mapping[str, bytes], folder: Path) -> list[str]:
    """The files that came for a parameter, laid where the command finds them."""
    places = []
    for blob, data in blobs.items():
        what, _, number = blob.partition("/")
        if what == name and number.isdecimal():
            place = f"{CAME}{name}-{int(number)}"
            (folder / place).write_bytes(data)
            places.append(place)
    return places


def _made(folder: Path) -> dict[str, bytes]:
    """What the command has written: a file by its parameter, a folder's as `parameter/name`."""
    found = {}
    for top in folder.glob(f"{MADE}*"):
        for path in [top, *top.rglob("*")]:
            if path.is_file() and not path.is_symlink():
                name = path.relative_to(folder).as_posix().removeprefix(MADE)
                found[name] = path.read_bytes()
    return found


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder in memory, for this request alone, in which the process works meanwhile."""
    made = Path(tempfile.mkdtemp(prefix="fr-serve-", dir=MEMORY))
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chdir(made)
        if not os.access(Path.home(), os.W_OK):  # matplotlib would leave a folder in /tmp
            os.environ["MPLCONFIGDIR"] = str(made)
        yield made
    finally:
        os.fchdir(before)
        os.close(before)
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def _captured(out: io.StringIO, err: io.StringIO, photo: bytes) -> Iterator[None]:
    """Standard input is the photo, and what is printed is kept for the client."""
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(photo))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield
    finally:
        sys.stdin = before


def _error(name: str, code: int, message: str, hint: str) -> dict[str, Any]:
    return {"name": name, "code": code, "message": message, "hint": hint}
