"""One printer for every command: a document for scripts, a picture in words for people."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from fr_cli.errors import FrError, OutputFailed
from fr_cli.records import harmless

# Rich is imported where something is drawn: `fr --help` and scripts do without it.
if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

T = TypeVar("T")
ISSUES = "This is a bug in fr. Run the command again with --debug and report what it prints."


def plain(text: object, style: str = "") -> Text:
    """Foreign text made harmless, and its markup not obeyed."""
    from rich.text import Text

    return Text(harmless(text), style=style)


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table without lines; the columns of `right` are aligned to the right."""
    from rich.table import Table

    drawn = Table(box=None, pad_edge=False, header_style="dim", show_header=any(columns))
    for name in columns:
        drawn.add_column(name, overflow="fold", justify="right" if name in right else "left")
    return drawn


def _is_text(picture: RenderableType) -> bool:
    from rich.text import Text

    return isinstance(picture, Text)


@dataclass(frozen=True)
class Screen:
    """What a result is drawn for: so many columns (None: not folded), and whether in colour.

    Without `colour` the library looks for itself whether this process has a terminal.
    """

    width: int | None = None
    colour: bool = False

    @classmethod
    def here(cls) -> Screen:
        """The terminal of this process, or none."""
        return cls(shutil.get_terminal_size().columns if sys.stdout.isatty() else None)


class Output:
    """Results to standard output, everything else to standard error."""

    def __init__(self, *, as_json: bool, debug: bool = False, screen: Screen | None = None) -> None:
        """`screen` is what to draw for, None for the terminal or pipe of this process."""
        self.as_json = as_json
        self.debug = debug
        self.screen = Screen.here() if screen is None else screen

    @cached_property
    def _out(self) -> Console:
        return self._console(self.screen.width)

    @cached_property
    def _err(self) -> Console:
        return self._console(None, stderr=True)

    def _console(self, width: int | None, *, stderr: bool = False) -> Console:
        from rich.console import Console

        # Piped text is not folded: who reads it there searches it by line.
        wide = 200 if not (stderr or width) else width
        forced: dict[str, Any] = (
            {"force_terminal": True, "color_system": "standard"} if self.screen.colour else {}
        )
        return Console(
            highlight=False, markup=False, emoji=False, width=wide, stderr=stderr, **forced
        )

    def show(self, document: Mapping[str, Any], *pictures: RenderableType) -> None:
        """Print the document under --json, the pictures otherwise; OutputFailed if it cannot."""
        try:
            if self.as_json:
                text = json.dumps(document, ensure_ascii=False, allow_nan=False)
                sys.stdout.write(text + "\n")
            self.tell(*pictures)
            sys.stdout.flush()
        except BrokenPipeError:
            raise  # whoever reads has seen enough
        except OSError as trouble:
            raise OutputFailed(f"The answer cannot be printed: {trouble.strerror}.") from trouble

    def pass_on(self, text: str, note: str = "") -> None:
        """Print what was drawn elsewhere for this screen; OutputFailed if it cannot."""
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as trouble:
            raise OutputFailed(f"The answer cannot be printed: {trouble.strerror}.") from trouble
        sys.stderr.write(note)

    def tell(self, *pictures: RenderableType) -> None:
        """Print a part of the result for people; a script gets the whole at the end."""
        if not self.as_json:
            for picture in pictures:
                self._out.print(picture, soft_wrap=_is_text(picture) and not self.screen.width)

    def note(self, *pictures: RenderableType) -> None:
        """Tell a person something that is not the result; a script is not told."""
        if not self.as_json:
            for picture in pictures:
                # A path that is folded cannot be copied.
                self._err.print(picture, soft_wrap=_is_text(picture))

    def fail(self, error: FrError) -> int:
        """Show an expected error; returns its exit code."""
        return self.fail_with(type(error).__name__, error.code, error.message, error.hint)

    def fail_with(self, name: str, code: int, message: str, hint: str) -> int:
        """Show an error by its parts; returns the exit code."""
        if self.as_json:
            parts = {"error": name, "code": code, "message": message, "hint": hint}
            sys.stderr.write(json.dumps(parts, ensure_ascii=False) + "\n")
        else:
            self._err.print(plain(message, "bold red"), soft_wrap=True)
            if hint:
                self._err.print(plain(hint), soft_wrap=True)
        return code

    def crash(self, trouble: BaseException) -> int:
        """Show a bug: its traceback only under --debug, because it may hold personal data."""
        if self.debug:
            import traceback

            traceback.print_exception(trouble)
        return self.fail_with(
            "Bug", 1, f"Something went wrong in fr itself ({type(trouble).__name__}).", ISSUES
        )


class TerminalListener:
    """Progress on standard error, with rate and time left; silent unless that is a terminal."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._shown = sys.stderr.isatty() and not output.as_json

    def track(self, items: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:
        """Pass the items through under a progress bar."""
        if not self._shown:
            yield from items
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(show_speed=True),
            MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(label, total=total, rate="")
            due = 0.0
            for done, item in enumerate(items, start=1):
                yield item
                # Of a million lines, drawing each would take longer than checking them.
                if (now := time.monotonic()) >= due:
                    speed = bar.tasks[0].speed
                    bar.update(task, completed=done, rate=f"{speed:.0f}/s" if speed else "")
                    due = now + 0.1

    def say(self, text: str) -> None:
        """Print one sentence to standard error."""
        self._output.note(plain(text))
