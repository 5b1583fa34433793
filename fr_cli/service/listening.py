"""The socket on which the service hears: handed over by systemd, or made here."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from fr_cli.errors import ConfigurationError

#: The first handle that systemd hands over.
_FIRST = 3
_WAITING = 128


def listen(path: Path, mode: int) -> socket.socket:
    """A listening Unix socket: systemd's if it gave one, else made at this path with this mode.

    ConfigurationError if it cannot be made, or if another service hears there.
    """
    given = _from_systemd()
    if given is not None:
        return given
    _check_folder(path)
    _remove_left(path)
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777)  # until its mode is set, nobody may connect
    try:
        line.bind(str(path))
        path.chmod(mode)
    except OSError as trouble:
        line.close()
        raise ConfigurationError(
            f"The socket {path} cannot be made: {trouble.strerror}.",
            hint="Its folder must be there and belong to this account.",
        ) from trouble
    finally:
        os.umask(before)
    line.listen(_WAITING)
    return line


def _from_systemd() -> socket.socket | None:
    """sd_listen_fds(3): one socket, for this process."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    if os.environ.get("LISTEN_FDS") != "1":
        raise ConfigurationError("systemd handed over more than one socket, or none.")
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    line = socket.socket(fileno=_FIRST)
    line.set_inheritable(False)
    if line.family != socket.AF_UNIX or line.type != socket.SOCK_STREAM:
        raise ConfigurationError("The socket that systemd handed over is not a Unix stream socket.")
    return line


def _check_folder(path: Path) -> None:
    """Whoever may write to the folder may put another socket in the place of this one."""
    try:
        found = path.parent.stat()
    except OSError as trouble:
        raise ConfigurationError(
            f"There is no folder {path.parent} for the socket: {trouble.strerror}.",
            hint=f"Make it, for the service: install -d -o fr -g fr-users -m 2750 {path.parent}",
        ) from trouble
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationError(
            f"Other accounts may write to {path.parent}, so they could take the socket's place.",
            hint="Give the socket a folder that belongs to the service alone.",
        )


def _remove_left(path: Path) -> None:
    """What a service that was killed has left; ConfigurationError if one still answers there."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        with suppress(ConnectionRefusedError, FileNotFoundError):
            probe.connect(str(path))
            raise ConfigurationError(
                f"A service hears at {path} already.", hint="Stop it first, or give --socket."
            )
    path.unlink(missing_ok=True)
