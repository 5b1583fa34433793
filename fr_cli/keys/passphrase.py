"""The passphrase of a home's keys: read from a file or asked for, once in a process."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from fr_cli.errors import ConfigurationError
from fr_cli.keys.files import read_private

Key = TypeVar("Key")

#: Asks a person, with this prompt; this room has no terminal.
Ask = Callable[[str], str]

#: Names a file with the passphrase.
FILE = "FR_PASSPHRASE_FILE"
#: Names a file with the one that is to take its place; while both are set, either opens a key.
NEW_FILE = "FR_NEW_PASSPHRASE_FILE"
#: Bytes of a passphrase that is new. Length is what counts (NIST SP 800-63B asks for 8 at least).
LEAST = 8


class Passphrase:
    """Opens the keys of one home; what has opened one is tried on the next before anyone is asked.

    `ask` is None where nobody can be asked.
    """

    def __init__(self, ask: Ask | None = None) -> None:
        self._ask = ask
        self._known: list[bytes] = []

    def open(self, path: Path, attempt: Callable[[bytes], Key | None]) -> tuple[Key, bytes]:
        """What `attempt` makes of the right passphrase, and that; it gives None for a wrong one.

        ConfigurationError if there is no passphrase, or none that opens it.
        """
        files = [name for name in (FILE, NEW_FILE) if os.environ.get(name)]
        given = [read_passphrase(name) for name in files]
        for known in dict.fromkeys([*self._known, *given]):
            if (key := attempt(known)) is not None:
                self._known.append(known)
                return key, known
        if not files:
            told = self._asked(path)
            if (key := attempt(told)) is not None:
                self._known.append(told)
                return key, told
        raise ConfigurationError(
            f"The passphrase does not open {path}, or the file is damaged.",
            hint="Try again; without it the key must be restored from its backup.",
        )

    def _asked(self, path: Path) -> bytes:
        if self._ask is None:
            raise ConfigurationError(
                f"{path} is under a passphrase, and nobody can be asked for it here.",
                hint=f"Name a file that holds it (mode 600) in {FILE}.",
            )
        return self._ask(f"Passphrase of {path}: ").encode()


def read_passphrase(variable: str) -> bytes:
    """The passphrase in the file that a variable of the environment names, without its newline."""
    return read_private(Path(os.environ[variable])).removesuffix(b"\n")


def new_passphrase(ask: Ask | None) -> bytes:
    """A passphrase to be set: from a file, else asked for twice; ConfigurationError if too short.

    FR_NEW_PASSPHRASE_FILE goes before FR_PASSPHRASE_FILE.
    """
    for name in (NEW_FILE, FILE):
        if os.environ.get(name):
            return _long_enough(read_passphrase(name))
    if ask is None:
        raise ConfigurationError(
            "Nobody can be asked for a passphrase here.",
            hint=f"Name a file that holds it (mode 600) in {FILE}.",
        )
    chosen = ask("New passphrase: ")
    _long_enough(chosen.encode())
    if ask("The same again: ") != chosen:
        raise ConfigurationError("The two are not the same.", hint="Nothing was done; try again.")
    return chosen.encode()


def _long_enough(passphrase: bytes) -> bytes:
    if len(passphrase) < LEAST:
        raise ConfigurationError(
            f"A passphrase has at least {LEAST} bytes.",
            hint="Several words that were thrown by dice are best; whoever has the file can guess "
            "as long as they like.",
        )
    return passphrase
