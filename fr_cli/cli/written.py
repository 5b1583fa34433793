"""What an answer of a station is written to, by the account that asked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from fr_cli.cli.draft import draft
from fr_cli.cli.served import Written
from fr_cli.errors import ConfigurationError, FrError, OutputFailed, UsageProblem

#: Takes the files of an answer by their names; that of a single file is empty.
Publish = Callable[[Mapping[str, bytes]], None]


@contextlib.contextmanager
def target(path: Path, how: Written) -> Iterator[Publish]:
    """Open what is to be written before the request is sent, so that it cannot fail after."""
    if how == "page":
        with draft(path, None) as page:
            assert page is not None
            yield lambda files: page.publish(files[""])
        return
    if how == "folder":
        if path.exists():
            raise UsageProblem(f"{path} is there already.", hint="Give a new folder by --out.")
        yield lambda files: _write_folder(path, files) if files else None
        return
    new = how == "new"
    try:
        file = path.open("xb" if new else "wb")
    except OSError as trouble:
        raise ConfigurationError(
            f"{path} cannot be written: {trouble.strerror}.",
            hint="Give the path of a new file." if new else "Choose another path.",
        ) from trouble
    done = False

    def publish(files: Mapping[str, bytes]) -> None:
        nonlocal done
        if "" in files:
            file.write(files[""])
            file.flush()
            done = True

    try:
        with file:
            yield publish
    except OSError as trouble:
        raise OutputFailed(f"{path} cannot be written: {trouble.strerror}.") from trouble
    finally:
        if new and not done:
            path.unlink(missing_ok=True)


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    try:
        folder.mkdir(mode=0o700)
        for name, data in files.items():
            parts = Path(name).parts
            if not parts or Path(name).is_absolute() or ".." in parts:
                raise FrError(f"The station sent a file of the name {name!r}.")
            place = folder.joinpath(*parts)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
    except OSError as trouble:
        raise OutputFailed(f"{folder} cannot be written: {trouble.strerror}.") from trouble
