"""A folder that the tester named for curves or plots: made before the work, filled after it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fr_cli.disk import write_whole
from fr_cli.errors import ConfigurationError, OutputFailed
from fr_cli.site import Site


def prepare(folder: Path | None, site: Site) -> None:
    """Make the folder; ConfigurationError if it lies in the home or cannot be made."""
    if folder is None:
        return
    site.refuse_inside(folder)
    if folder.resolve() == site.home.resolve():
        raise ConfigurationError(
            f"{folder} is the home itself.", hint="Choose a folder outside of the home."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as trouble:
        raise ConfigurationError(
            f"The folder {folder} cannot be made: {trouble.strerror}.",
            hint="Give the path of a folder that you may write to.",
        ) from trouble


def fill(folder: Path, files: Iterable[tuple[str, str | bytes]]) -> None:
    """Write each file whole or not at all; OutputFailed if the disk does not take one."""
    for name, content in files:
        try:
            write_whole(folder / name, [content.encode() if isinstance(content, str) else content])
        except OSError as trouble:
            raise OutputFailed(f"{folder / name} cannot be written: {trouble.strerror}.") from None
