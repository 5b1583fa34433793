"""Weights by their hash: where their files lie, and how to fetch them.

The catalogue says what a file must be. Where it came from does not matter then, so several
sources are tried, and every byte that is loaded or kept has been hashed first.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Literal

from fr_cli.disk import sync_folder
from fr_cli.errors import ConfigurationError, WeightsWrong
from fr_cli.face import sources
from fr_cli.face.catalogue import Model, catalogue, named, needed
from fr_cli.face.choices import resolved
from fr_cli.face.sources import CHUNK, Chunks, RefusedError
from fr_cli.records import Listener

__all__ = [
    "Model",
    "Pulled",
    "catalogue",
    "check",
    "expected",
    "find",
    "load",
    "named",
    "needed",
    "pull",
    "resolved",
]


@dataclass(frozen=True)
class Pulled:
    """Where the file of a model lies now, and the source it came from; `already`: it was there."""

    model: Model
    path: Path
    source: str
    already: bool


Status = Literal["ok", "missing", "wrong", "unpinned"]
#: A source by name, and how to read the file of a model from it in chunks.
Source = tuple[str, Callable[[], Chunks]]


def find(model: Model, folders: Sequence[Path]) -> Path:
    """The first file of this name and size; raises WeightsWrong (50). Its hash is not checked."""
    expected(model)
    for path in (folder / model.file for folder in folders):
        with suppress(OSError):
            if path.stat().st_size == model.size:
                return path
    places = ", ".join(str(folder) for folder in folders)
    raise WeightsWrong(
        f"The weights of {model.name}, {model.file} of {model.size} bytes, are not in {places}."
    )


def load(model: Model, folders: Sequence[Path]) -> bytes:
    """The bytes of the file, hashed as they are returned; raises WeightsWrong (50)."""
    path = find(model, folders)
    sha256, size = expected(model)
    try:
        with path.open("rb") as file:
            data = file.read(size + 1)
    except OSError as trouble:
        raise WeightsWrong(f"{path} cannot be read: {trouble.strerror}.") from trouble
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise WeightsWrong(
            f"{path} is not the file of {model.name}: its SHA-256 is {found}, expected {sha256}.",
            hint="Somebody or something changed it. Fetch it again with: fr models pull",
        )
    return data


def expected(model: Model) -> tuple[str, int]:
    """The hash and the size that the file must have; WeightsWrong (50) if nobody has said."""
    if model.sha256 is None or model.size is None:
        raise WeightsWrong(
            f"Nobody has said which bytes are right for {model.name}: the catalogue knows no hash.",
            hint=f"Bring {model.file} from {model.url}, and use: fr models pin {model.name} FILE",
        )
    return model.sha256, model.size


def check(folders: Sequence[Path], needed: Collection[str]) -> list[tuple[Model, Status]]:
    """The models that are needed, and all others of which a file is there, hashed again."""
    models = [resolved(name, folders) for name in catalogue()]
    return [
        (model, _status(model, folders))
        for model in models
        if model.name in needed or _lies(model, folders)
    ]


def _status(model: Model, folders: Sequence[Path]) -> Status:
    try:
        load(model, folders)
    except WeightsWrong:
        if model.sha256 is None:
            return "unpinned"
        return "wrong" if _lies(model, folders) else "missing"
    return "ok"


def _lies(model: Model, folders: Sequence[Path]) -> bool:
    return any(os.path.lexists(folder / model.file) for folder in folders)


def pull(
    models: Iterable[Model],
    into: Path,
    *,
    also: Sequence[Path] = (),
    source: Path | None = None,
    listener: Listener,
) -> list[Pulled]:
    """Fetch the files of models into a folder: from the folder `source` only, if one is given.

    What lies there already, or in one of the folders `also`, is not fetched again.
    Otherwise from packages of the user's index, then from the upstream address. Raises WeightsWrong
    (50) when no source has the right bytes, and ConfigurationError (3) when `into` cannot be
    written; what was good before stays, and nothing half or wrong is kept.
    """
    try:
        into.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="fr-weights-") as wheels:
            # Once for all models, also when it fails.
            download = cache(partial(sources.download, into=Path(wheels), listener=listener))
            return [
                _there(model, (into, *also))
                or _pull(model, into, _sources(model, source, download), listener)
                for model in models
            ]
    except OSError as trouble:
        raise ConfigurationError(
            f"Weights cannot be saved in {into}: {trouble.strerror or trouble}.",
            hint="Make the folder writable, or choose another home with --home DIR.",
        ) from trouble


def _sources(model: Model, folder: Path | None, download: sources.Download) -> list[Source]:
    if folder is not None:
        return [(str(folder), partial(sources.from_folder, folder / model.file))]
    packages: list[Source] = [
        (str(package), partial(sources.from_package, package, download))
        for package in model.packages
    ]
    return [*packages, ("the upstream address", partial(sources.from_upstream, model.url))]


def _there(model: Model, folders: Sequence[Path]) -> Pulled | None:
    good = next((folder for folder in folders if _status(model, [folder]) == "ok"), None)
    return None if good is None else Pulled(model, good / model.file, source="", already=True)


def _pull(model: Model, into: Path, places: Sequence[Source], listener: Listener) -> Pulled:
    wrong = []
    total = -(-expected(model)[1] // CHUNK)
    for name, read in places:
        try:
            with closing(read()) as chunks:
                counted = listener.track(chunks, f"{model.name} from {name}", total)
                path = _keep(counted, model, into)
        except RefusedError as refusal:
            listener.say(f"{model.name} is not taken from {name}: {refusal}.")
            wrong.append(f"From {name}: {refusal}.")
        else:
            listener.say(f"{model.name} is fetched from {name}.")
            return Pulled(model, path, source=name, already=False)
    raise WeightsWrong(
        f"The weights of {model.name} could not be fetched. {' '.join(wrong)}",
        hint=f"Bring {model.file} from elsewhere, and use: fr models pull --from DIR",
    )


def _keep(chunks: Iterable[bytes], model: Model, into: Path) -> Path:
    """Write, hash, and only then give the file its name; raises RefusedError, keeps no rest."""
    digest, size = hashlib.sha256(), 0
    sha256, most = expected(model)
    descriptor, draft = tempfile.mkstemp(dir=into, prefix=f".{model.file}.")
    try:
        with open(descriptor, "wb") as file:
            for chunk in chunks:
                size += len(chunk)
                if size > most:
                    raise RefusedError(f"the file is larger than the {most} bytes expected")
                digest.update(chunk)
                file.write(chunk)
            if digest.hexdigest() != sha256:
                raise RefusedError(
                    f"the file has {size} bytes and the SHA-256 {digest.hexdigest()}, "
                    f"expected {most} and {sha256}"
                )
            os.fchmod(file.fileno(), 0o644)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(into / model.file)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    sync_folder(into)
    return into / model.file
