"""A file that the operator asked for: opened before the work, there only when it is whole.

For pages that hold personal data: readable by their owner alone, and never in the home.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from fr_cli.errors import ConfigurationError, OutputFailed
from fr_cli.site import Site

PAGE = b"<!doctype html>"
ELSEWHERE = "Give the path of a file in a folder that exists and that you may write to."


class Draft:
    """An empty file beside its target, which `publish` fills and renames to it."""

    def __init__(self, target: Path, place: Path, handle: int) -> None:
        self._target = target
        self._place = place
        self._file = os.fdopen(handle, "wb")

    def publish(self, text: str | bytes) -> None:
        """Write it all and give it its name; OutputFailed if the disk does not take it."""
        try:
            self._file.write(text.encode() if isinstance(text, str) else text)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._place.replace(self._target)
        except OSError as trouble:
            raise OutputFailed(
                f"The sheet {self._target} cannot be written: {trouble.strerror}."
            ) from trouble

    def discard(self) -> None:
        """Close it, and remove what was not published."""
        with contextlib.suppress(OSError):
            self._file.close()
        self._place.unlink(missing_ok=True)


@contextlib.contextmanager
def draft(
    target: Path | None, site: Site | None, *, begins: bytes = PAGE
) -> Iterator[Draft | None]:
    """Open a draft of the target (none for None); gone at the end unless it was published.

    `site` is the home of this account, None where a station is asked.

    ConfigurationError, before anything is done, if the target lies in the home, is a file
    of another kind (one that does not begin so, in any case), or cannot be made.
    """
    if target is None:
        yield None
        return
    if site is not None:
        site.refuse_inside(target)
    try:
        _refuse_other_files(target, begins)
        place = target.with_name(f".{secrets.token_hex(8)}.new")
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as trouble:
        raise ConfigurationError(
            f"{target} cannot be written: {trouble.strerror}.", hint=ELSEWHERE
        ) from trouble
    opened = Draft(target, place, handle)
    try:
        yield opened
    finally:
        opened.discard()


def _refuse_other_files(target: Path, begins: bytes) -> None:
    """Only a file of the same kind, or an empty one, is ever replaced: not the probe, nor a
    device."""
    if not target.exists():
        return
    if target.is_file():
        with target.open("rb") as file:
            start = file.read(len(begins))
        if not start or start.lower() == begins.lower():
            return
    kind = "a page" if begins == PAGE else "such a file"
    raise ConfigurationError(
        f"{target} is there already, and is not {kind} that could be replaced.", hint=ELSEWHERE
    )
