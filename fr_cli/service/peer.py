"""Who is at the other end of the socket: as the kernel says, and nothing that they say."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from fr_cli.audit.canonical import JSON

_CREDENTIALS = struct.Struct("3i")
#: A handle of the process that connected (Linux 6.5); Python 3.11 has no name for it.
_SO_PEERPIDFD = 77
_NOBODY = 2**32 - 1

Asker: TypeAlias = Mapping[str, JSON]


@dataclass(frozen=True)
class Peer:
    """The account that connected, and who had logged in behind it; None where nobody can say."""

    uid: int
    loginuid: int | None = None

    @classmethod
    def of(cls, line: socket.socket) -> Peer:
        """Of the process that called connect(), whoever holds the socket since."""
        raw = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(raw)
        return cls(uid, _loginuid(line, pid))

    @property
    def user(self) -> str:
        """The name of the account; empty where this system knows none."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return ""

    def asker(self) -> Asker:
        """On whose behalf the service acts, as the log says it; `service` is its own account."""
        return {
            "uid": self.uid,
            "user": self.user,
            "loginuid": self.loginuid,
            "tty": "",
            "service": os.getuid(),
        }


def _loginuid(line: socket.socket, pid: int) -> int | None:
    """Who logged in, for the record; what may be done, the account alone decides.

    Only by a handle of the very process: its number may be another's by now, and a wrong name in
    a signed log is worse than none. Older kernels give no such handle.
    """
    try:
        handle = line.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except OSError:
        return None
    try:
        login = int(Path(f"/proc/{pid}/loginuid").read_text())
        # It is alive, so the number was its own while its file was read.
        signal.pidfd_send_signal(handle, 0)
    except (OSError, ValueError):
        return None
    finally:
        os.close(handle)
    return None if login == _NOBODY else login
