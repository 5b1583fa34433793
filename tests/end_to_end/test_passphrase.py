"""A home under a passphrase, at a terminal and without one."""

from __future__ import annotations

import os
import pty
import sys
from pathlib import Path

import pytest

from fr_cli.keys import SITE_KEY, signing, site
from tests.conftest import Fr, jpeg, small

PASSPHRASE = "eleven apples"
MAIN = """
from fr_cli.keys import signing, site
signing.ROUNDS, site.COST = 2, 16
from fr_cli.cli.main import app
app()
"""


def at_terminal(home: Path, *words: str, types: tuple[str, ...] = ()) -> tuple[int, str, int]:
    """Run `fr` at a terminal of its own: exit code, all that was shown, how often it asked."""
    child, terminal = pty.fork()
    if not child:
        environment = {**os.environ, "FR_HOME": str(home), "TERM": "dumb"}
        os.execve(sys.executable, [sys.executable, "-c", MAIN, *words], environment)
    shown, asked = "", 0
    while True:
        try:
            shown += os.read(terminal, 4096).decode()
        except OSError:  # the other end is closed
            break
        if shown.endswith(": ") and asked < len(types):
            os.write(terminal, f"{types[asked]}\n".encode())
            asked += 1
            shown += "\n"
    os.close(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, shown, asked


@pytest.fixture
def home(tmp_path: Path) -> Path:
    code, shown, asked = at_terminal(
        tmp_path / "home", "init", "--passphrase", types=(PASSPHRASE, PASSPHRASE)
    )
    assert (code, asked) == (0, 2), shown
    assert PASSPHRASE not in shown
    return tmp_path / "home"


def test_no_key_lies_in_clear(home: Path) -> None:
    assert b'"kdf": "scrypt"' in (home / "keys" / SITE_KEY).read_bytes()
    assert (home / "keys" / "audit.key").read_bytes().startswith(b"-----BEGIN OPENSSH")


def test_each_command_asks_once_and_shows_nothing_of_it(
    home: Path, models: Path, tmp_path: Path
) -> None:
    (tmp_path / "feed" / "P001").mkdir(parents=True)
    (tmp_path / "feed" / "P001" / "p.jpg").write_bytes(jpeg(small("P001", "studio_portrait")))
    code, shown, asked = at_terminal(
        home, "enroll", str(tmp_path / "feed"), types=(PASSPHRASE,) * 2
    )
    assert (code, asked) == (0, 1), shown
    assert PASSPHRASE not in shown
    code, shown, asked = at_terminal(home, "gallery", "stats", types=(PASSPHRASE,) * 2)
    assert (code, asked) == (0, 1), shown


def test_a_wrong_one_is_exit_3(home: Path) -> None:
    code, shown, _ = at_terminal(home, "gallery", "stats", types=("not it",))
    assert code == 3
    assert "does not open" in shown


def test_without_a_terminal_the_file_is_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fr = Fr(home)
    monkeypatch.setattr("fr_cli.cli.wiring.terminal", lambda: None)
    error = fr.json("audit", "show", code=3)
    assert "FR_PASSPHRASE_FILE" in error["hint"]
    named = home.parent / "passphrase"
    named.write_text(PASSPHRASE + "\n")
    named.chmod(0o600)
    monkeypatch.setenv("FR_PASSPHRASE_FILE", str(named))
    fr.json("audit", "show")
    named.write_text("not it")
    assert "Try again" in fr.json("audit", "show", code=3)["hint"]


def test_a_home_is_made_with_the_passphrase_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "ROUNDS", 2)
    monkeypatch.setattr(site, "COST", 16)
    monkeypatch.setattr("fr_cli.cli.wiring.terminal", lambda: None)
    fr = Fr(tmp_path / "home")
    assert "FR_PASSPHRASE_FILE" in fr.json("init", "--passphrase", code=3)["hint"]
    assert not fr.home.exists()
    named = tmp_path / "passphrase"
    named.write_text(PASSPHRASE)
    named.chmod(0o600)
    monkeypatch.setenv("FR_PASSPHRASE_FILE", str(named))
    assert fr.json("init", "--passphrase")["passphrase"] is True
    fr.json("audit", "show")
    assert Fr(tmp_path / "other").json("init")["passphrase"] is False
