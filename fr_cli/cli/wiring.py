"""What a command works with: the home, the printer, and the tools built from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from fr_cli.cli.output import Output, TerminalListener, plain

if TYPE_CHECKING:
    from fr_cli.keys.passphrase import Ask
    from fr_cli.operations.bench import Bench
    from fr_cli.records import Listener


@dataclass(frozen=True)
class Session:
    """One run of `fr`."""

    home: Path
    output: Output

    @property
    def listener(self) -> Listener:
        """Hears the progress of operations, and draws it."""
        return TerminalListener(self.output)

    def bench(self, *, wait: float | None = None) -> Bench:
        """The tools of the home; ConfigurationError (3) if there is no home.

        `wait` is how many seconds a change of the gallery waits for another one.
        """
        from fr_cli.operations.bench import Bench

        bench = Bench(self.home, terminal(), wait=wait)
        bench.tell = lambda notice: self.output.note(plain(notice, "yellow"))
        return bench

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


def session_of(context: typer.Context) -> Session:
    """The session that the app's callback made."""
    session = context.find_object(Session)
    assert session is not None
    return session


def new_session(home: Path | None, *, as_json: bool, debug: bool) -> Session:
    """A session for the global options."""
    from fr_cli.site import default_home

    return Session(home or default_home(), Output(as_json=as_json, debug=debug))
