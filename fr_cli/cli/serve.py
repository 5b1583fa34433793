"""`fr serve`: one account owns the home, and answers many."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fr_cli.cli.output import plain
from fr_cli.cli.wiring import STATION, session_of

if TYPE_CHECKING:
    from fr_cli.service.door import Bounds


def serve(
    context: typer.Context,
    socket: Annotated[
        Path, typer.Option("--socket", help="Where to hear; systemd's socket goes before it.")
    ] = STATION,
    everyone: Annotated[
        bool,
        typer.Option("--everyone", help="Let every account connect, not only the socket's group."),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Searches at a time; one a core by default."),
    ] = None,
) -> None:
    """Serve this home to the accounts that its policy names, over a Unix socket.

    Runs until SIGTERM. Who asks is what the kernel says of the connection; what they may do, the
    policy. Not for root, and not for a policy without operators.
    """
    from fr_cli.cli.served import place_of
    from fr_cli.cli.serving import Station
    from fr_cli.errors import ConfigurationError
    from fr_cli.service.door import Door
    from fr_cli.service.hardening import check_account, close_process
    from fr_cli.service.listening import listen

    session = session_of(context)
    home = session.home.resolve()
    with session.bench() as bench:
        check_account(bench.site)
        close_process()  # before any key is read
        if not bench.policy.operators:
            raise ConfigurationError(
                "The policy names no operators, so nobody could ask this service.",
                hint="Name the accounts and their roles in policy.yaml, under operators.",
            )
        bench.audit.head()  # what keeps every request from being logged is said here
    listener = listen(socket, 0o666 if everyone else 0o660)
    place = Path(listener.getsockname())
    station = Station(home, place)
    door = Door(listener, station.answer, station.prepare, place_of, _bounds(workers))
    session.output.note(plain(f"Serving {home} at {place}."))
    door.run()


def _bounds(workers: int | None) -> Bounds:
    from fr_cli.service.door import Bounds

    return Bounds() if workers is None else Bounds(workers=workers)
