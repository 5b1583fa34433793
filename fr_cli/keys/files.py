"""Files that hold secrets: made for their owner alone, durable, and never written over."""

from __future__ import annotations

import os
from pathlib import Path

from fr_cli.errors import ConfigurationError


def credential(name: str) -> Path | None:
    """The credential of this name that systemd gave to the unit; None where it gave none."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder, name) if folder else None
    return path if path and path.exists() else None


def write_private(path: Path, data: bytes) -> None:
    """Write a new file of mode 0600, synced; ConfigurationError if there is one."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as trouble:
        raise ConfigurationError(
            f"The key {path} cannot be written: {trouble.strerror}.",
            hint="A key is never overwritten: choose another folder, or move the old one away.",
        ) from trouble
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def read_private(path: Path) -> bytes:
    """The bytes of a file that only its owner can read; ConfigurationError otherwise."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read()
    except OSError as trouble:
        raise ConfigurationError(
            f"The key {path} cannot be read: {trouble.strerror}.",
            hint="Run as the account that owns the home, mount the volume of its keys, or restore "
            "the key from its backup.",
        ) from trouble
    # systemd opens its credentials to the unit alone, but by an access list, which shows as bits
    # of the group.
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    if mode & 0o077 and not (given and path.parent == Path(given)):
        raise ConfigurationError(
            f"The key {path} can be read by other accounts (mode {mode & 0o777:o}).",
            hint=f"Close it with: chmod 600 {path}",
        )
    return data
