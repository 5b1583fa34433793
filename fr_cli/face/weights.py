"""Weights by their hash: which files there are, where they lie, and how to fetch them.

The catalogue says what a file must be. Where it came from does not matter then, so several
sources are tried, and every byte that is loaded or kept has been hashed first.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import IO, Literal

import yaml

from fr_cli.errors import ConfigurationError, WeightsWrong
from fr_cli.records import Listener

CHUNK = 2**20
PIP_SECONDS = 900
NET_SECONDS = 30


@dataclass(frozen=True)
class Package:
    """A distribution on the package index that carries the file as a member of its wheel."""

    distribution: str
    version: str
    member: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


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
Chunks = Generator[bytes, None, None]
#: A source by name, and how to read the file of a model from it in chunks.
Source = tuple[str, Callable[[Model], Chunks]]
#: Downloads the wheel of a distribution and version: its path, or what went wrong.
Download = Callable[[str, str], Path | str]


class _RefusedError(Exception):
    """A source does not have the file, or not the right one; the text says what is wrong."""


@cache
def catalogue() -> Mapping[str, Model]:
    """The models that fr knows, by name."""
    entries = yaml.safe_load(Path(__file__).with_name("catalogue.yaml").read_text())
    return MappingProxyType({name: _model(name, **entry) for name, entry in entries.items()})


def _model(
    name: str,
    *,
    packages: list[dict[str, str]],
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
    models: Iterable[Model], into: Path, *, source: Path | None = None, listener: Listener
) -> list[Pulled]:
    """Fetch the files of models into a folder: from the folder `source` only, if one is given.

    Otherwise from packages of the user's index, then from the upstream address. Raises WeightsWrong
    (50) when no source has the right bytes, and ConfigurationError (3) when `into` cannot be
    written; what was good before stays, and nothing half or wrong is kept.
    """
    try:
        into.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="fr-weights-") as wheels:
            # Once for all models, also when it fails.
            download = cache(partial(_download, into=Path(wheels), listener=listener))
            return [
                _pull(model, into, _sources(model, source, download), listener) for model in models
            ]
    except OSError as trouble:
        raise ConfigurationError(
            f"Weights cannot be saved in {into}: {trouble.strerror or trouble}.",
            hint="Make the folder writable, or choose another home with --home DIR.",
        ) from trouble


def _sources(model: Model, folder: Path | None, download: Download) -> list[Source]:
    if folder is not None:
        return [(str(folder), partial(_from_folder, folder))]
    wheels: list[Source] = [
        (str(package), partial(_from_wheel, package, download)) for package in model.packages
    ]
    return [*wheels, ("the upstream address", _from_upstream)]


def _pull(model: Model, into: Path, sources: Sequence[Source], listener: Listener) -> Pulled:
    if _status(model, [into]) == "ok":
        return Pulled(model, into / model.file, source="", already=True)
    wrong = []
    for name, read in sources:
        total = -(-model.size // CHUNK)
        try:
            with closing(read(model)) as chunks:
                counted = listener.track(chunks, f"{model.name} from {name}", total)
                path = _keep(counted, model, into)
        except _RefusedError as refusal:
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
    """Write, hash, and only then give the file its name; raises _RefusedError, keeps no rest."""
    digest, size = hashlib.sha256(), 0
    descriptor, draft = tempfile.mkstemp(dir=into, prefix=f".{model.file}.")
    try:
        with open(descriptor, "wb") as file:
            for chunk in chunks:
                size += len(chunk)
                if size > model.size:
                    raise _RefusedError(f"the file is larger than the {model.size} bytes expected")
                digest.update(chunk)
                file.write(chunk)
            if digest.hexdigest() != model.sha256:
                raise _RefusedError(
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
    folder = os.open(into, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return into / model.file


def _read(file: IO[bytes]) -> Chunks:
    while chunk := file.read(CHUNK):
        yield chunk


def _from_folder(folder: Path, model: Model) -> Chunks:
    try:
        with (folder / model.file).open("rb") as file:
            yield from _read(file)
    except OSError as trouble:
        raise _RefusedError(f"{model.file}: {trouble.strerror}") from trouble


def _from_wheel(package: Package, download: Download, model: Model) -> Chunks:
    wheel = download(package.distribution, package.version)
    if isinstance(wheel, str):
        raise _RefusedError(wheel)
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(package.member) as file:
            yield from _read(file)
    except KeyError as trouble:
        raise _RefusedError(f"its wheel has no {package.member}") from trouble
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError) as trouble:
        raise _RefusedError("its wheel is damaged") from trouble


def _download(distribution: str, version: str, *, into: Path, listener: Listener) -> Path | str:
    """The wheel, by the user's own pip with its settings, never installed; or what went wrong."""
    if find_spec("pip") is None:
        return "pip is not installed beside fr"
    listener.say(f"Downloading {distribution} {version} with pip.")
    folder = into / distribution
    failure = _run_pip(f"{distribution}=={version}", folder)
    if failure:
        return failure
    return next(iter(folder.glob("*.whl")), "pip brought no wheel")


def _run_pip(requirement: str, folder: Path) -> str:
    """Run `pip download`; returns what went wrong, empty if nothing did."""
    # -P: a pip.py in the working directory is not pip.
    command = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    command += ["download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--ignore-requires-python", "--dest", str(folder), requirement]
    try:
        done = subprocess.run(  # noqa: S603 - every word is ours or of the catalogue
            command, capture_output=True, text=True, timeout=PIP_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"pip took longer than {PIP_SECONDS} s"
    except OSError as trouble:
        return f"pip cannot be run: {trouble.strerror}"
    if not done.returncode:
        return ""
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
    reason = errors[-1].removeprefix("ERROR:").strip() if errors else f"exit {done.returncode}"
    return f"pip could not download it: {reason[:200]}"


def _from_upstream(model: Model) -> Chunks:
    from http.client import HTTPException

    try:
        with closing(_open_url(model.url)) as answer:
            yield from _read(answer)
    except (OSError, HTTPException) as trouble:
        reason = getattr(trouble, "reason", trouble)
        raise _RefusedError(f"it cannot be reached: {reason}") from trouble


def _open_url(url: str) -> IO[bytes]:
    """Open an https address, through the user's proxy, following redirects to https only."""
    from urllib import request

    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler(),
        request.HTTPSHandler(),  # and no handler of http, file or data
        request.HTTPRedirectHandler(),
        request.HTTPDefaultErrorHandler(),
        request.HTTPErrorProcessor(),
        request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    answer: IO[bytes] = opener.open(url, timeout=NET_SECONDS)
    return answer
