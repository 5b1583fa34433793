"""Who connected, as the kernel says."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from fr_cli.service import peer
from fr_cli.service.peer import Peer


@pytest.fixture
def listener(tmp_path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(tmp_path / "s"))
    made.listen()
    return made


def test_it_is_who_connected(listener: socket.socket) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(listener.getsockname())
        line, _ = listener.accept()
        with line:
            found = Peer.of(line)
    assert found.uid == os.getuid()
    assert found.asker()["service"] == os.getuid()
    login = int(Path("/proc/self/loginuid").read_text())
    assert found.loginuid in (None, login)


def test_an_account_without_a_name_has_none() -> None:
    assert Peer(4_000_000_000).asker()["user"] == ""


def test_of_a_process_that_has_ended_nobody_says_who_logged_in(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "Path", lambda path: _Login())
    child = os.fork()
    if not child:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(listener.getsockname())
            if os.fork() == 0:
                time.sleep(20)  # holds the line
            os._exit(0)
    os.waitpid(child, 0)
    line, _ = listener.accept()
    with line:
        assert Peer.of(line).loginuid is None


class _Login:
    """A loginuid of whoever has the number of that process now."""

    def read_text(self) -> str:
        return "1234"
