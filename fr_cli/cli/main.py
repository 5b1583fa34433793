"""The app: its commands, its global options, and how an error becomes an exit code."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from fr_cli import __version__
from fr_cli.cli.commands import COMMANDS, Commands
from fr_cli.cli.options import hoisted, unchecked
from fr_cli.cli.output import Output
from fr_cli.cli.wiring import new_session
from fr_cli.errors import INTERRUPTED, FrError

#: A search makes some 100,000 objects before it begins, nearly all of them the code of libraries,
#: which stay: Python looks through them 150 times for rings that nobody holds any more.
_SELDOM, _USUAL = (200_000, 10, 10), gc.get_threshold()
#: Commands that end before there is anything to collect. Of others a ring may hold photos.
_SHORT = ("identify", "verify")


class FrGroup(TyperGroup):
    """Takes global options anywhere on the line, and turns every error into its exit code."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.commands = Commands()

    def get_params(self, ctx: Any) -> list[Any]:
        """The global options, which need none of Typer's checks."""
        params: list[Any] = super().get_params(ctx)
        for param in params:
            unchecked(param, Path if param.name == "home" else bool)
        return params

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the commands, without importing any."""
        return list(COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands in the help, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **named: Any
    ) -> Any:
        """Run a command line; ends the process with its exit code unless told otherwise."""
        arguments = hoisted(list(sys.argv[1:] if args is None else args))
        words = arguments[: arguments.index("--")] if "--" in arguments else arguments
        output = Output(as_json="--json" in words, debug="--debug" in words)
        try:
            code = super().main(arguments, standalone_mode=False, **named)
            if code == INTERRUPTED:
                text = "Interrupted. What was finished before is kept."
                output.fail_with("Interrupted", INTERRUPTED, text, "")
        except FrError as trouble:
            code = output.fail(trouble)
        except typer.TyperException as trouble:
            usage = getattr(trouble, "ctx", None)
            hint = f"See: {usage.command_path} --help" if usage else ""
            code = output.fail_with("UsageProblem", 2, trouble.format_message(), hint)
        except typer.Abort:
            code = output.fail_with("Aborted", INTERRUPTED, "Nothing was done.", "")
        except Exception as trouble:
            code = output.crash(trouble)
        if not standalone_mode:
            return code
        sys.exit(code or 0)


class Program(typer.Typer):
    """The app, which ends its process when it is called."""

    def __call__(self, *words: Any, **named: Any) -> Any:
        """Run the command line of this process; without `standalone_mode`, return its exit code."""
        gc.set_threshold(*_SELDOM)
        try:
            return super().__call__(*words, **named)
        except SystemExit as end:
            if isinstance(end.code, int) and threading.active_count() == 1:
                _leave(end.code)
            raise


def _leave(code: int) -> NoReturn:
    """End the process with what is due, and let the kernel take back its memory in one piece.

    Python would take it apart object by object, which costs a tenth of a search.
    """
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(code)  # Python knows what to do about it
    os._exit(code)


app = Program(
    cls=FrGroup,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich costs as much as all of the rest of `fr --help`
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option("--home", help="The home folder.", envvar="FR_HOME", show_default=False),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document, errors too.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Operator-initiated facial identification, with a signed record of every act.

    A candidate is somebody to look at. The officer decides, not the machine.
    """
    if context.invoked_subcommand not in _SHORT:
        gc.set_threshold(*_USUAL)
    session = context.obj = new_session(home, as_json=as_json, debug=debug)
    if version:
        typer.echo(f"fr {__version__}")
    elif context.invoked_subcommand is None:
        from fr_cli.cli.status import first_words

        first_words(session)
    elif session.station is not None:
        from fr_cli.cli.station import route

        route(context, session)
