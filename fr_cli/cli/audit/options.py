"""Options and words that the commands of `fr audit` share."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fr_cli.cli.output import plain
from fr_cli.records import utc

if TYPE_CHECKING:
    from rich.console import RenderableType


Key = Annotated[
    Path | None, typer.Option("--key", help="The log's public key; the home's own by default.")
]
GivenKey = Annotated[
    Path | None, typer.Option("--key", help="The public key of the log, as its owner published it.")
]
KeyChanges = Annotated[
    list[Path] | None,
    typer.Option("--key-change", help="Proof of a change of the log's key; repeat, in order."),
]
LogFile = Annotated[Path | None, typer.Option("--log", help="A log outside a home; needs --key.")]
Out = Annotated[Path | None, typer.Option("--out", help="Write it to this file.")]
Reason = Annotated[
    str, typer.Option("--reason", help="Why it is looked up, for the log; no name of a person.")
]
Since = Annotated[str, typer.Option("--since", help="From this day or time on (UTC, ISO 8601).")]
Until = Annotated[
    str, typer.Option("--until", help="Up to the end of this day, or before this time.")
]


def clock(seconds: int) -> str:
    """POSIX seconds as UTC."""
    return utc(datetime.fromtimestamp(seconds, UTC))


def text(out: Path | None, content: str, what: str) -> list[RenderableType]:
    """The text itself, line by line; or, if it goes to a file, that it was written there."""
    if out is None:
        return [plain(line) for line in content.splitlines()]
    from fr_cli.operations.audit import write_file

    write_file(out, content.encode())
    return [plain(f"{what} is in {out}.")]
