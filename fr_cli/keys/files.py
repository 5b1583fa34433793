"""Files that hold secrets: made for their owner alone, durable, replaced as a whole or not."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from fr_cli.disk import sync_folder
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


def replace_private(path: Path, data: bytes) -> None:
    """Put a secret in the place of another, durable; the old bytes are overwritten in their place.

    At every moment one of the two is there as a whole. Call `tidy` first, and after a crash.
    """
    draft, old = _beside(path)
    write_private(draft, data)
    with path.open("r+b") as file:
        # A second name, by which the old bytes are found if this process dies; not every file
        # system has such names.
        with suppress(PermissionError):
            old.hardlink_to(path)
        sync_folder(path.parent)
        draft.replace(path)
        sync_folder(path.parent)
        _overwrite(file)
    old.unlink(missing_ok=True)
    sync_folder(path.parent)


def tidy(path: Path) -> None:
    """Destroy what a replacement that was cut short has left beside a secret."""
    for leftover in _beside(path):
        if leftover.exists():
            if not (path.exists() and leftover.samefile(path)):
                with leftover.open("r+b") as file:
                    _overwrite(file)
            leftover.unlink()
            sync_folder(path.parent)


def _beside(path: Path) -> tuple[Path, Path]:
    return path.with_name(f"{path.name}.next"), path.with_name(f"{path.name}.old")


def _overwrite(file: BinaryIO) -> None:
    file.write(secrets.token_bytes(os.fstat(file.fileno()).st_size))
    file.flush()
    os.fsync(file.fileno())
