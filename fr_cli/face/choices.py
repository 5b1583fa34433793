"""What the owner of a home decided about weights: which bytes are right, which licence is accepted.

Kept as `choices.yaml` in the home's folder of models; each decision is an act of the log too.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from fr_cli import disk
from fr_cli.errors import ConfigurationError, WeightsWrong
from fr_cli.face.catalogue import Model, named

FILE = "choices.yaml"
_KINDS = ("pins", "licences")


def resolved(name: str, folders: Sequence[Path]) -> Model:
    """A model, with the hash that was pinned in the first folder where the catalogue has none."""
    model = named(name)
    if model.sha256 is not None or not folders:
        return model
    pinned = _read(folders[0])["pins"].get(name)
    if pinned is None:
        return model
    try:
        return dataclasses.replace(model, sha256=str(pinned["sha256"]), size=int(pinned["size"]))
    except (TypeError, ValueError, LookupError):
        raise ConfigurationError(
            f"{folders[0] / FILE} does not say which bytes are {name}.",
            hint=f"Pin it again: fr models pin {name} FILE",
        ) from None


def check_licence(model: Model, folders: Sequence[Path]) -> None:
    """ConfigurationError (3) for weights that are not free, unless their licence was accepted in
    the first folder, which is the home's."""
    if not model.commercial and not any(accepted(model, folder) for folder in folders[:1]):
        raise ConfigurationError(
            f"The licence of {model.name} was not accepted: {model.licence}.",
            hint=f"Read it, and use: fr models pull {model.name} --accept-licence",
        )


def accepted(model: Model, folder: Path) -> bool:
    """Whether this very licence was accepted in this folder."""
    entry = _read(folder)["licences"].get(model.name)
    return isinstance(entry, dict) and entry.get("licence") == model.licence


def accept(models: Iterable[Model], folder: Path) -> None:
    """Write down that the licences of these models are accepted."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entries = {one.name: {"licence": one.licence, "accepted": now} for one in models}
    if entries:
        _add("licences", entries, folder)


def pin(model: Model, file: Path, folder: Path) -> Model:
    """Take a file as the right one of a model that the catalogue has no hash of.

    It is copied into the folder under the name that the model asks for, and its SHA-256 written
    down. ConfigurationError (3) if the catalogue knows the hash; WeightsWrong (50) if the file
    cannot be read.
    """
    if model.sha256 is not None:
        raise ConfigurationError(
            f"The catalogue knows which bytes are {model.name}: nothing else is taken for it.",
            hint=f"Use: fr models pull {model.name} --from {file.parent}",
        )
    data = read_file(file)
    digest = hashlib.sha256(data).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / model.file, data)
    _add("pins", {model.name: {"sha256": digest, "size": len(data)}}, folder)
    return dataclasses.replace(model, sha256=digest, size=len(data))


def read_file(file: Path) -> bytes:
    """The bytes of a file that was named; WeightsWrong (50) if it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as trouble:
        raise WeightsWrong(
            f"{file} cannot be read: {trouble.strerror}.", hint="Check the path."
        ) from trouble


def _read(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / FILE
    try:
        found = yaml.safe_load(path.read_bytes())
    except FileNotFoundError:
        found = {}
    except (OSError, yaml.YAMLError) as trouble:
        raise ConfigurationError(f"{path} cannot be read: {trouble}.") from trouble
    kinds = {kind: found.get(kind, {}) for kind in _KINDS} if isinstance(found, dict) else {}
    if not kinds or not all(isinstance(kind, dict) for kind in kinds.values()):
        raise ConfigurationError(
            f"{path} is not of its form.", hint="Restore it, or remove it and decide again."
        )
    return kinds


def _add(kind: str, entries: dict[str, Any], folder: Path) -> None:
    kept = _read(folder)
    kept[kind] = kept[kind] | entries
    write_whole(folder / FILE, yaml.safe_dump(kept, sort_keys=True).encode())


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; ConfigurationError (3) if it cannot be."""
    try:
        disk.write_whole(path, [data])
    except OSError as trouble:
        raise ConfigurationError(f"{path} cannot be written: {trouble.strerror}.") from trouble
