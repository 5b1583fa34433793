"""What a command works with: the home, the printer, and the tools built from them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from fr_cli.cli.output import Output, TerminalListener, plain
from fr_cli.errors import UsageProblem

if TYPE_CHECKING:
    from fr_cli.keys.passphrase import Ask
    from fr_cli.operations.bench import Bench
    from fr_cli.operations.manifest import Supply
    from fr_cli.records import Listener


#: Where a station's socket lies unless FR_STATION says something else; empty for none.
STATION = Path("/run/fr/fr.sock")


@dataclass(frozen=True)
class Session:
    """One run of `fr`.

    `station` is the socket of the service that is asked, None where commands act on `home`. Where
    the service itself runs a command, `maker` makes its benches, and `sent` is the feed that came.
    """

    home: Path
    output: Output
    station: Path | None = None
    maker: Callable[[float | None], Bench] | None = None
    sent: Supply | None = None

    @property
    def listener(self) -> Listener:
        """Hears the progress of operations, and draws it."""
        return TerminalListener(self.output)

    def bench(self, *, wait: float | None = None) -> Bench:
        """The tools of the home; ConfigurationError (3) if there is no home.

        `wait` is how many seconds a change of the gallery waits for another one.
        """
        from fr_cli.operations.bench import Bench

        if self.maker is not None:
            bench = self.maker(wait)
        else:
            bench = Bench(self.home, terminal(), wait=wait)
        bench.tell = lambda notice: self.output.note(plain(notice, "yellow"))
        return bench

    @property
    def asks(self) -> bool:
        """Whether somebody is there to be asked; never under --json, for no script may wait."""
        return sys.stdin.isatty() and not self.output.as_json

    def confirm(self, question: str, why: str) -> None:
        """Ask for a yes; UsageProblem, which says why one is due, where nobody can be asked."""
        if not self.asks:
            raise UsageProblem(why, hint="Confirm it with --yes.")
        typer.confirm(question, abort=True, err=True)

    def feed(self, source: Path) -> Path | Supply:
        """Where a feed comes from: this file or folder, or the client of the service."""
        return source if self.sent is None else self.sent

    def new_passphrase(self) -> bytes:
        """A passphrase to be set; ConfigurationError (3) where none can be had."""
        from fr_cli.keys.passphrase import new_passphrase

        return new_passphrase(terminal())


def terminal() -> Ask | None:
    """Asks for a passphrase at the terminal without showing it; None where there is no terminal.

    Not on standard input, where a photo may come from.
    """
    import os
    from getpass import getpass

    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return None
    return getpass


def one_thread() -> None:
    """Let linear algebra start no threads, for a command that makes one template.

    They would wait in a loop for work that does not come: 30 ms of a search.
    """
    import os

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def session_of(context: typer.Context) -> Session:
    """The session that the app's callback made."""
    session = context.find_object(Session)
    assert session is not None
    return session


def new_session(home: Path | None, *, as_json: bool, debug: bool) -> Session:
    """A session for the global options: on a home that is named, else on the station of this
    machine, else on the account's own home.
    """
    from fr_cli.site import default_home

    station = None if home else station_here()
    return Session(home or default_home(), Output(as_json=as_json, debug=debug), station)


def station_here() -> Path | None:
    """The socket of the service that this account asks: FR_STATION, else the usual place."""
    import os

    named = os.environ.get("FR_STATION")
    if named is not None:
        return Path(named) if named else None
    try:
        found = STATION.is_socket()
    except OSError:  # the folder is closed to this account: then it asks, and is told
        found = True
    return STATION if found else None
