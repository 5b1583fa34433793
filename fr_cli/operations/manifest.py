"""What a feed lists: a CSV or JSONL manifest, or a folder with one folder a subject."""

from __future__ import annotations

import csv
import itertools
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fr_cli.errors import UsageProblem
from fr_cli.face.formats import MAX_BYTES
from fr_cli.records import Enrolment

REQUIRED = ("subject_id", "image")
NAMED = (
    "subject_id", "image", "reference_id", "watchlist", "source", "captured_at",
    "lawful_basis", "retention", "review_date", "hold",
)  # fmt: skip
PHOTO_SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".heic", ".heif", ".tif", ".tiff", ".bmp",
}  # fmt: skip
#: What may stand in the column `hold`. A slip of the pen must not let a reference go.
HOLDS = ("", "1", "true", "yes", "0", "false", "no")
_MAX_LINE = 1 << 20


@dataclass(frozen=True)
class Row:
    """One line of a manifest that can be read: where the image lies, and what is said of it."""

    line: int
    path: Path
    enrolment: Enrolment


@dataclass(frozen=True)
class BadRow:
    """One line of a manifest that cannot be used, and why."""

    line: int
    text: str
    reason: str
    image: str = ""


class Supply(Protocol):
    """Where a feed comes from: its rows in their order, and the photo of each."""

    @property
    def total(self) -> int | None:
        """About how many rows there are; None where nobody knows."""

    def rows(self) -> Iterator[Row | BadRow]:
        """The rows, lazily; UsageProblem when the feed as a whole cannot be used."""

    def photo(self, row: Row) -> bytes:
        """The photo of the row that came last; OSError if it cannot be read."""


@dataclass(frozen=True)
class Manifest:
    """A manifest or folder of this machine."""

    source: Path

    @property
    def total(self) -> int | None:
        """About how many rows there are; None for a folder."""
        return count_rows(self.source)

    def rows(self) -> Iterator[Row | BadRow]:
        """As `read_manifest`."""
        return read_manifest(self.source)

    def photo(self, row: Row) -> bytes:
        """As `read_photo`."""
        return read_photo(row.path)


def read_manifest(source: Path) -> Iterator[Row | BadRow]:
    """Read a manifest lazily; relative image paths start at its folder.

    Raises UsageProblem when the source as a whole cannot be used; a line that cannot be used
    comes as a BadRow, so that a nightly run goes on.
    """
    if source.is_dir():
        return _folder(source)
    if not source.exists():
        raise UsageProblem(
            f"There is no manifest or folder {source}.", hint="Check the path of SOURCE."
        )
    if source.suffix.lower() in {".jsonl", ".ndjson"}:
        return _jsonl(source)
    return _csv(source)


def count_rows(source: Path) -> int | None:
    """About how many rows a manifest has, for a progress bar; None for a folder."""
    if not source.is_file():
        return None
    with source.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def _folder(source: Path) -> Iterator[Row | BadRow]:
    # Names, not paths, which take several times the memory: a subject has a folder.
    entries = sorted(name for name in os.listdir(source) if not name.startswith("."))
    if not any((source / name).is_dir() for name in entries):
        raise UsageProblem(
            f"{source} has no folders: one folder a subject is expected.",
            hint="Lay the photos out as SUBJECT/photo.jpg, or give a manifest.",
        )
    line = 0
    for path in map(source.joinpath, entries):
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        for photo in inside:
            if photo.name.startswith("."):
                continue
            line += 1
            image = photo.relative_to(source).as_posix()
            if not is_text(image):
                image = image.encode(errors="replace").decode()
                yield BadRow(line, image, "the file's name is not UTF-8 text", image)
            elif photo is path:
                yield BadRow(line, image, "not in a folder of a subject", image)
            elif photo.is_dir():
                yield BadRow(line, image, "a folder within a subject's folder", image)
            elif photo.suffix.lower() not in PHOTO_SUFFIXES:
                yield BadRow(line, image, "not a photo by its name", image)
            else:
                yield Row(line, photo, Enrolment(path.name, photo.name, image))


def _csv(source: Path) -> Iterator[Row | BadRow]:
    # Undecodable bytes come through as marks and are refused by line, not by file.
    with source.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        # Strict: a stray quote must not swallow the rows that follow it.
        reader = csv.DictReader(file, restkey="…", restval=None, strict=True)
        try:
            columns = reader.fieldnames or []
        except csv.Error as trouble:
            raise UsageProblem(f"{source} is not a CSV table: {trouble}.") from trouble
        missing = [name for name in REQUIRED if name not in columns]
        if missing:
            raise UsageProblem(
                f"The manifest {source} lacks the column {' and '.join(missing)}.",
                hint="Its first line names the columns; subject_id and image are required.",
            )
        while True:
            try:
                values: Mapping[str, Any] = next(reader)
            except StopIteration:
                return
            except csv.Error as trouble:
                yield BadRow(reader.line_num, "", f"not a line of a table: {trouble}")
                continue
            yield _row(source.parent, reader.line_num, values)


def _jsonl(source: Path) -> Iterator[Row | BadRow]:
    with source.open("rb") as file:
        for line in itertools.count(1):
            text = file.readline(_MAX_LINE + 1)
            if not text:
                return
            if not text.strip():
                continue
            shown = text[:200].decode(errors="replace").strip()
            try:
                values = json.loads(text)
            except (ValueError, RecursionError) as trouble:
                yield BadRow(line, shown, f"not JSON: {trouble}")
                continue
            if not isinstance(values, dict):
                yield BadRow(line, shown, "not a JSON object")
                continue
            yield _row(source.parent, line, values)


def _row(folder: Path, line: int, values: Mapping[str, Any]) -> Row | BadRow:
    shown = ",".join(str(value) for value in values.values())[:200]
    if "…" in values:
        return BadRow(line, shown, "more fields than columns")
    text = {
        str(name): str(value).strip()
        for name, value in values.items()
        if value is not None and str(value).strip()
    }
    if not all(map(is_text, text.values())):
        return BadRow(line, shown, "not UTF-8 text")
    if any("\n" in value for value in text.values()):
        return BadRow(line, shown, "a field runs over several lines: a quote is not closed")
    absent = [name for name in REQUIRED if name not in text]
    if absent:
        return BadRow(line, shown, f"no {' and no '.join(absent)}")
    if text.get("hold", "").lower() not in HOLDS:
        return BadRow(line, shown, "hold is neither true nor false")
    named = {name: text[name] for name in NAMED if name in text}
    named.setdefault("reference_id", text["image"])
    extra = {name: value for name, value in text.items() if name not in NAMED}
    return Row(line, folder / text["image"], Enrolment(**named, extra=extra))


def is_text(value: str) -> bool:
    """Whether it was UTF-8: no mark of an undecodable byte, no half of a surrogate pair."""
    return not any(letter in "\ufffd\0" or "\ud800" <= letter <= "\udfff" for letter in value)


def read_photo(path: Path) -> bytes:
    """The bytes of an image, at most one more than the decoder takes: it refuses the excess."""
    # Not to wait for the other end of a pipe that somebody laid among the photos.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError("it is not a regular file")
        return file.read(MAX_BYTES + 1)
