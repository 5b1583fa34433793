"""Weights by their hash: which files there are, where they lie, and how to fetch them.

The catalogue says what a file must be. Where it came from does not matter then, so several
sources are tried, and every byte that is loaded or kept has been hashed first.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import yaml

from fr_cli.disk import sync_folder
from fr_cli.errors import ConfigurationError, WeightsWrong
from fr_cli.face import sources
from fr_cli.face.sources import CHUNK, Chunks, Package, RefusedError
from fr_cli.records import Listener


@dataclass(frozen=True)
class Model:
    """One entry of the catalogue. `dimension` and `input_size` (width, height) are an embedder's.

    `deepface` is DeepFace's name of the client; `commercial` is what the licence allows.
    """

    name: str
    task: Literal["embedder", "detector"]
    deepface: str
    file: str
    sha256: str
    size: int
    licence: str
    commercial: bool
    provenance: str
    dimension: int | None
    input_size: tuple[int, int] | None
    alignment: str
    colour_order: str
    normalisation: str
    packages: tuple[Package, ...]
    url: str


@dataclass(frozen=True)
class Pulled:
    """Where the file of a model lies now, and the source it came from; `already`: it was there."""

    model: Model
    path: Path
    source: str
    already: bool


Status = Literal["ok", "missing", "wrong"]
#: A source by name, and how to read the file of a model from it in chunks.
Source = tuple[str, Callable[[], Chunks]]


@cache
def catalogue() -> Mapping[str, Model]:
    """The models that fr knows, by name."""
    entries = yaml.safe_load(Path(__file__).with_name("catalogue.yaml").read_text())
    return MappingProxyType({name: _model(name, **entry) for name, entry in entries.items()})


def named(name: str) -> Model:
    """A model of the catalogue; ConfigurationError (3) for a name that it lacks."""
    try:
        return catalogue()[name]
    except KeyError:
        raise ConfigurationError(
            f"The catalogue has no model {name!r}.", hint=f"It has: {', '.join(catalogue())}."
        ) from None


def _model(
    name: str,
    *,
    packages: list[dict[str, Any]],
    input_size: list[int] | None,
    **entry: object,
) -> Model:
    return Model(
        name=name,
        packages=tuple(Package(**package) for package in packages),
        input_size=(input_size[0], input_size[1]) if input_size else None,
        **entry,  # type: ignore[arg-type] # a test compares the catalogue with the types
    )


def find(model: Model, folders: Sequence[Path]) -> Path:
    """The first file of this name and size; raises WeightsWrong (50). Its hash is not checked."""
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
    try:
        with path.open("rb") as file:
            data = file.read(model.size + 1)
    except OSError as trouble:
        raise WeightsWrong(f"{path} cannot be read: {trouble.strerror}.") from trouble
    found = hashlib.sha256(data).hexdigest()
    if found != model.sha256:
        raise WeightsWrong(
            f"{path} is not the file of {model.name}: "
            f"its SHA-256 is {found}, expected {model.sha256}.",
            hint="Somebody or something changed it. Fetch it again with: fr models pull",
        )
    return data


def check(folders: Sequence[Path]) -> list[tuple[Model, Status]]:
    """Every model of the catalogue with the state of its file, all hashes computed again."""
    return [(model, _status(model, folders)) for model in catalogue().values()]


def _status(model: Model, folders: Sequence[Path]) -> Status:
    try:
        load(model, folders)
    except WeightsWrong:
        there = any(os.path.lexists(folder / model.file) for folder in folders)
        return "wrong" if there else "missing"
    return "ok"


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
    wheels: list[Source] = [
        (str(package), partial(sources.from_wheel, package, download)) for package in model.packages
    ]
    return [*wheels, ("the upstream address", partial(sources.from_upstream, model.url))]


def _there(model: Model, folders: Sequence[Path]) -> Pulled | None:
    good = next((folder for folder in folders if _status(model, [folder]) == "ok"), None)
    return None if good is None else Pulled(model, good / model.file, source="", already=True)


def _pull(model: Model, into: Path, places: Sequence[Source], listener: Listener) -> Pulled:
    wrong = []
    for name, read in places:
        total = -(-model.size // CHUNK)
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
    descriptor, draft = tempfile.mkstemp(dir=into, prefix=f".{model.file}.")
    try:
        with open(descriptor, "wb") as file:
            for chunk in chunks:
                size += len(chunk)
                if size > model.size:
                    raise RefusedError(f"the file is larger than the {model.size} bytes expected")
                digest.update(chunk)
                file.write(chunk)
            if digest.hexdigest() != model.sha256:
                raise RefusedError(
                    f"the file has {size} bytes and the SHA-256 {digest.hexdigest()}, "
                    f"expected {model.size} and {model.sha256}"
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
