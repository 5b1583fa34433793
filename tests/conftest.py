"""What the tests of all rooms share: made-up people, weights, an enrolled home, and `fr` to call.

Photos come from the package openpeople, weights by the product's own `pull` into the account's
folder. Nothing else of the account is read or written: every test has a home of its own.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openpeople
import pytest
from hypothesis import settings
from PIL import Image
from typer.testing import CliRunner

from fr_cli.cli.main import app
from fr_cli.face import weights
from fr_cli.gallery.gallery import Gallery
from fr_cli.operations.bench import Bench
from fr_cli.records import Silence
from fr_cli.site import user_home

if TYPE_CHECKING:
    from tests.service.station import Desk, Station

# A test machine may be busy: how long an example takes proves nothing. What decides whether main is
# green draws the same examples each time; every other run draws new ones.
settings.register_profile("fr", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("fr")

PEOPLE = Path(openpeople.__file__).parent / "data" / "curated"
#: Enrolled in `enrolled`; P010 looks much like P004, P009 like nobody.
ENROLLED = ("P001", "P002", "P003", "P004", "P005")
MATED, STRANGER = "P003", "P009"
GROUNDS = ("--case", "CR/26/1", "--reason", "test")


def photo(person: str, kind: str = "amateur_selfie") -> Path:
    """A photo of openpeople: studio_portrait, amateur_selfie, emotions_sheet (16 faces) …"""
    return PEOPLE / person / "assets" / f"{kind}.jpg"


@cache
def small(person: str, kind: str = "amateur_selfie", longest: int = 640) -> Image.Image:
    """A photo shrunk, which is quicker to decode."""
    image = Image.open(photo(person, kind)).convert("RGB")
    image.thumbnail((longest, longest))
    return image


def jpeg(image: Image.Image, **options: Any) -> bytes:
    """The image as a JPEG file."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95, **options)
    return file.getvalue()


@dataclass(frozen=True)
class Result:
    """What a run of `fr` gave."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on standard output."""
        assert self.stdout.count("\n") == 1, (self.stdout, self.stderr)
        return dict(json.loads(self.stdout))

    @property
    def error(self) -> dict[str, Any]:
        """The one JSON line on standard error; nothing may be on standard output."""
        assert self.stdout == ""
        assert self.stderr.count("\n") == 1, self.stderr
        return dict(json.loads(self.stderr))


class Fr:
    """Calls `fr` in this process, on one home."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *words: object, stdin: bytes = b"") -> Result:
        """Run a command line."""
        arguments = [str(word) for word in words]
        done = CliRunner().invoke(app, arguments, input=stdin, env={"FR_HOME": str(self.home)})
        return Result(done.exit_code, done.stdout, done.stderr)

    def json(self, *words: object, stdin: bytes = b"", code: int = 0) -> dict[str, Any]:
        """Run it with --json: the document, or the error if another code than 0 or 100 is due."""
        result = self(*words, "--json", stdin=stdin)
        assert result.code == code, (result.code, result.stdout, result.stderr)
        return result.document if code in (0, 100) else result.error

    def identify(self, image: Path | bytes, *options: str, code: int = 0) -> dict[str, Any]:
        """Ask who is in a photo; bytes are given on standard input."""
        name, data = ("-", image) if isinstance(image, bytes) else (str(image), b"")
        return self.json("identify", name, *GROUNDS, *options, stdin=data, code=code)

    def found(self, image: Path | bytes, *options: str) -> list[str]:
        """The subject ids of the candidates, best first."""
        return [one["subject_id"] for one in self.identify(image, *options)["candidates"]]

    def log(self) -> list[dict[str, Any]]:
        """The entries of the audit log."""
        text = (self.home / "audit" / "audit.jsonl").read_text()
        return [json.loads(line)["e"] for line in text.splitlines()]

    def said(self) -> str:
        """What the log says, without what is random: any three letters stand in there some time."""
        drawn = {"n", "key"}
        return json.dumps([{k: v for k, v in one.items() if k not in drawn} for one in self.log()])

    def whole(self) -> None:
        """The gallery and the log are as they should be."""
        assert self.json("gallery", "check")["findings"] == []
        self.json("audit", "verify", "--full")


@contextmanager
def opened(fr: Fr) -> Iterator[tuple[Bench, Gallery]]:
    """The tools of a home, and its gallery opened under an act of the log."""
    with (
        Bench(fr.home) as bench,
        bench.audit.act("gallery stats", "administration") as act,
        bench.gallery(act) as gallery,
    ):
        yield bench, gallery


def write_csv(path: Path, columns: Sequence[str], *rows: Sequence[object]) -> Path:
    """A manifest."""
    lines = [",".join(columns), *(",".join(str(value) for value in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _no_home_of_the_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FR_HOME", str(tmp_path / "no-home"))


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of this account with the weights, fetched if they are not there."""
    folder = user_home() / "models"
    weights.pull(weights.needed(), folder, listener=Silence())
    return folder


@pytest.fixture(scope="session")
def _pristine(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Fr:
    folder = tmp_path_factory.mktemp("pristine")
    feed = folder / "feed"
    for person in ENROLLED:
        (feed / person).mkdir(parents=True)
        portrait = jpeg(small(person, "studio_portrait"))
        (feed / person / "studio_portrait.jpg").write_bytes(portrait)
    fr = Fr(folder / "home")
    fr.json("init")
    fr.json("enroll", feed)
    fr.json("gallery", "rebuild")
    return fr


@pytest.fixture(scope="session")
def enrolled(_pristine: Fr, tmp_path_factory: pytest.TempPathFactory) -> Fr:
    """A home with five people, one portrait each, in generation 1. Its gallery is not to be
    changed; its log has what others have asked."""
    home = tmp_path_factory.mktemp("enrolled") / "home"
    shutil.copytree(_pristine.home, home)
    return Fr(home)


@pytest.fixture(scope="session")
def accounts(models: Path) -> Iterator[Desk]:
    """Real accounts of the machine; skipped where they cannot be made."""
    from tests.service.station import made_desk

    with made_desk(models) as made:
        yield made


@pytest.fixture(scope="session")
def station(accounts: Desk, enrolled: Fr) -> Iterator[Station]:
    """A station that runs, with five people enrolled. Its gallery is not to be changed."""
    from tests.service.station import made_station

    with made_station(accounts, enrolled) as one:
        one.start()
        yield one


@pytest.fixture
def fr(_pristine: Fr, tmp_path: Path) -> Fr:
    """The same, of which nobody has asked anything yet; to be changed."""
    shutil.copytree(_pristine.home, tmp_path / "home")
    return Fr(tmp_path / "home")


@pytest.fixture
def fresh(models: Path, tmp_path: Path) -> Fr:
    """A home in which nobody is enrolled."""
    fr = Fr(tmp_path / "fresh")
    fr.json("init")
    return fr
