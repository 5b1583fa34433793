"""Only the catalogue's bytes are ever loaded or kept, whatever the sources hold."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import io
import os
import sys
import tarfile
import typing
import urllib.error
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fr_cli.errors import ConfigurationError, WeightsWrong
from fr_cli.face import sources, weights
from fr_cli.face.alignment import crop_of
from fr_cli.face.embedding import NORMALISATIONS
from fr_cli.face.sources import Package
from fr_cli.face.weights import Model
from fr_cli.records import Listener, Silence

GOOD = b"good weights " * 200_000  # more than one chunk
BAD = GOOD[:-1] + b"?"
OTHER = b"other weights"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def model(name: str = "SFace", data: bytes = GOOD) -> Model:
    """A model of these bytes, in two packages and upstream."""
    return dataclasses.replace(
        weights.catalogue()["SFace"],
        name=name,
        file=f"{name}.onnx",
        sha256=digest(data),
        size=len(data),
        packages=(
            Package("first", "1.0", f"first/{name}.onnx", 5 * sources.CHUNK),
            Package("second", "2.0", f"second/{name}.onnx", 5 * sources.CHUNK),
        ),
        url=f"https://example.org/{name}.onnx",
    )


def wheel(**members: bytes) -> bytes:
    """A wheel with one folder; first__SFace is the member first/SFace.onnx."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/") + ".onnx", data)
    return file.getvalue()


class Notes(Silence):
    """Keeps what is said, and how many chunks were counted."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


class World:
    """The sources outside: what pip and the upstream address bring, and who was asked."""

    def __init__(self) -> None:
        self.wheels: dict[str, bytes] = {}
        self.addresses: dict[str, bytes] = {}
        self.asked: list[str] = []

    def pip(self, requirement: str, size: int, folder: Path, _: Listener) -> str:
        self.asked.append(requirement)
        if requirement not in self.wheels:
            return "pip could not download it: no such distribution"
        (folder / f"{requirement}.whl").write_bytes(self.wheels[requirement])
        return ""

    def open(self, url: str) -> io.BytesIO:
        self.asked.append(url)
        if url not in self.addresses:
            raise urllib.error.URLError("no network")
        return io.BytesIO(self.addresses[url])


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    outside = World()
    monkeypatch.setattr(sources, "_run_pip", outside.pip)
    monkeypatch.setattr(sources, "_open_url", outside.open)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    return outside


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "home" / "models"


def pull(models: Iterable[Model], into: Path, source: Path | None = None) -> list[tuple[str, bool]]:
    """Pull; afterwards only whole files and no scratch are left."""
    try:
        pulled = weights.pull(models, into, source=source, listener=Silence())
        return [(done.source, done.already) for done in pulled]
    finally:
        assert list((into.parent.parent / "scratch").iterdir()) == []
        assert not [path for path in into.glob("*") if path.suffix != ".onnx"]
        assert not list(into.glob(".*"))


class TestCatalogue:
    def test_every_field_has_its_type(self) -> None:
        hints = typing.get_type_hints(Model)
        kinds: dict[str, Callable[[Any], bool]] = {
            "task": lambda value: value in typing.get_args(hints["task"]),
            "engine": lambda value: value in ("deepface", "keras", "dlib", "onnx", "openvino", ""),
            "sha256": lambda value: value is None or len(bytes.fromhex(value)) == 32,
            "size": lambda value: value is None or value > 0,
            "parts": lambda value: set(value) <= set(weights.catalogue()),
            "dimension": lambda value: value is None or value > 0,
            "input_size": lambda value: value is None or (len(value) == 2 and min(value) > 0),
            "packages": lambda value: all(isinstance(one, Package) for one in value),
        }
        for entry in weights.catalogue().values():
            for field, kind in hints.items():
                value = getattr(entry, field)
                assert kinds[field](value) if field in kinds else isinstance(value, kind), field
            assert entry.url.startswith("https://")
            assert entry.url.endswith("/" + entry.file)
            assert (entry.sha256 is None) == (entry.size is None)
            for package in entry.packages:
                assert package.version[0].isdigit()
                assert len(package.sha256) in (0, 64)

    def test_every_embedder_can_be_fed(self) -> None:
        for entry in weights.catalogue().values():
            if entry.task == "embedder":
                crop = crop_of(entry.alignment)
                assert (crop.width, crop.height) == entry.input_size, entry.name
                assert entry.normalisation in NORMALISATIONS, entry.name
                assert entry.colour_order in ("RGB", "BGR")
                assert entry.dimension
                places = np.array(crop.points)
                assert (places > 0).all()
                assert (places < (crop.width, crop.height)).all()

    def test_every_embedder_of_deepface_is_there(self) -> None:
        modeling = importlib.import_module("deepface.modules.modeling")
        offered = set(modeling.AVAILABLE_MODELS["facial_recognition"])
        assert offered <= {entry.name for entry in weights.catalogue().values()}

    def test_the_default_pair(self) -> None:
        sface, yunet = weights.catalogue()["SFace"], weights.catalogue()["YuNet"]
        assert (sface.task, sface.deepface, sface.dimension) == ("embedder", "SFace", 128)
        assert str(sface.sha256).startswith("0ba9fbfa01b5270c96627c4ef784da85")
        assert (sface.size, sface.input_size) == (38_696_353, (112, 112))
        assert (yunet.task, yunet.deepface, yunet.dimension) == ("detector", "yunet", None)
        assert str(yunet.sha256).startswith("8f2383e4dd3cfbb4553ea8718107fc04")
        assert yunet.size == 232_589

    def test_it_cannot_be_changed(self) -> None:
        with pytest.raises(TypeError):
            weights.catalogue()["X"] = model()  # type: ignore[index]

    def test_it_names_no_registry(self) -> None:
        text = Path(weights.__file__).with_name("catalogue.yaml").read_text()
        hosts = {line.split("/")[2] for line in text.split() if "://" in line}
        assert hosts == {"github.com", "storage.openvinotoolkit.org"}


class TestLoad:
    def test_the_first_folder_that_has_it(self, tmp_path: Path) -> None:
        here, there = tmp_path / "a", tmp_path / "b"
        there.mkdir()
        (there / "SFace.onnx").write_bytes(GOOD)
        assert weights.find(model(), [here, there]) == there / "SFace.onnx"
        assert weights.load(model(), [here, there]) == GOOD

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsWrong, match="SFace") as caught:
            weights.load(model(), [tmp_path])
        assert caught.value.code == 50
        assert caught.value.hint == "Fetch them with: fr models pull"

    @pytest.mark.parametrize("data", [b"", GOOD[:-1], GOOD + b"x"])
    def test_another_size_is_not_found(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "SFace.onnx").write_bytes(data)
        with pytest.raises(WeightsWrong, match=str(len(GOOD))):
            weights.load(model(), [tmp_path])

    def test_one_wrong_byte(self, tmp_path: Path) -> None:
        (tmp_path / "SFace.onnx").write_bytes(BAD)
        with pytest.raises(WeightsWrong) as caught:
            weights.load(model(), [tmp_path])
        for part in (str(tmp_path / "SFace.onnx"), digest(BAD), digest(GOOD)):
            assert part in caught.value.message

    def test_a_folder_of_that_name(self, tmp_path: Path) -> None:
        (tmp_path / "SFace.onnx").mkdir()
        size = (tmp_path / "SFace.onnx").stat().st_size
        with pytest.raises(WeightsWrong, match="cannot be read"):
            weights.load(dataclasses.replace(model(), size=size), [tmp_path])

    def test_check(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        models = {name: model(name) for name in "ABCD"}
        models["E"] = dataclasses.replace(model("E"), sha256=None, size=None)
        models["F"] = model("F")
        monkeypatch.setattr(weights, "catalogue", lambda: models)
        monkeypatch.setattr(weights, "resolved", lambda name, folders: models[name])
        (tmp_path / "A.onnx").write_bytes(GOOD)
        (tmp_path / "B.onnx").write_bytes(BAD)
        (tmp_path / "C.onnx").write_bytes(GOOD[:10])
        states = {entry.name: status for entry, status in weights.check([tmp_path], "DE")}
        assert states == {"A": "ok", "B": "wrong", "C": "wrong", "D": "missing", "E": "unpinned"}


class TestPull:
    def test_from_the_first_package(self, world: World, into: Path) -> None:
        world.wheels["first==1.0"] = wheel(first__SFace=GOOD, first__other=OTHER)
        assert pull([model()], into) == [("first 1.0", False)]
        assert (into / "SFace.onnx").read_bytes() == GOOD
        assert (into / "SFace.onnx").stat().st_mode & 0o7777 == 0o644
        assert [path.name for path in into.iterdir()] == ["SFace.onnx"]

    def test_one_wheel_serves_two_models(self, world: World, into: Path) -> None:
        world.wheels["first==1.0"] = wheel(first__SFace=GOOD, first__YuNet=OTHER)
        assert len(pull([model(), model("YuNet", OTHER)], into)) == 2
        assert world.asked == ["first==1.0"]

    def test_a_download_that_failed_is_not_tried_again(self, world: World, into: Path) -> None:
        world.wheels["second==2.0"] = wheel(second__SFace=GOOD, second__YuNet=OTHER)
        pull([model(), model("YuNet", OTHER)], into)
        assert world.asked == ["first==1.0", "second==2.0"]

    def test_what_is_there_is_not_fetched(self, world: World, into: Path) -> None:
        into.mkdir(parents=True)
        (into / "SFace.onnx").write_bytes(GOOD)
        assert pull([model()], into) == [("", True)]
        assert world.asked == []

    def test_a_wrong_file_is_replaced(self, world: World, into: Path) -> None:
        into.mkdir(parents=True)
        (into / "SFace.onnx").write_bytes(BAD)
        world.addresses[model().url] = GOOD
        assert pull([model()], into) == [("the upstream address", False)]
        assert (into / "SFace.onnx").read_bytes() == GOOD

    @pytest.mark.parametrize(
        "first",
        [
            wheel(first__SFace=BAD),
            wheel(first__SFace=GOOD[:-1]),
            wheel(first__SFace=GOOD + b"x"),
            wheel(first__other=GOOD),
            wheel(first__SFace=GOOD)[:-40],
            wheel(first__SFace=GOOD)[:200] + b"?????" + wheel(first__SFace=GOOD)[205:],
            b"",
            b"no wheel",
        ],
        ids=["byte", "short", "long", "member", "truncated", "damaged", "empty", "text"],
    )
    def test_the_next_source_is_tried(self, world: World, into: Path, first: bytes) -> None:
        world.wheels = {"first==1.0": first, "second==2.0": wheel(second__SFace=GOOD)}
        assert pull([model()], into) == [("second 2.0", False)]
        assert (into / "SFace.onnx").read_bytes() == GOOD

    def test_all_sources_are_wrong(self, world: World, into: Path) -> None:
        into.mkdir(parents=True)
        (into / "YuNet.onnx").write_bytes(OTHER)
        world.wheels = {"first==1.0": wheel(first__SFace=BAD), "second==2.0": wheel(x=GOOD)}
        world.addresses[model().url] = BAD[::-1]
        with pytest.raises(WeightsWrong) as caught:
            pull([model("YuNet", OTHER), model()], into)
        for part in (
            *("first 1.0", digest(BAD), digest(GOOD), "second 2.0", "no second/SFace.onnx"),
            *("upstream", digest(BAD[::-1])),
        ):
            assert part in caught.value.message
        assert "--from DIR" in caught.value.hint
        assert [path.name for path in into.iterdir()] == ["YuNet.onnx"]

    def test_a_bomb_is_read_up_to_the_size_only(self, world: World, into: Path) -> None:
        bomb = bytes(200 * 2**20)
        world.wheels["first==1.0"] = wheel(first__SFace=bomb)
        with pytest.raises(WeightsWrong, match="larger than"):
            pull([model()], into)
        assert list(into.iterdir()) == []

    def test_without_pip(self, world: World, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sources, "find_spec", lambda _: None)
        world.addresses[model().url] = GOOD
        notes = Notes()
        (done,) = weights.pull([model()], into, listener=notes)
        assert done.source == "the upstream address"
        assert any("pip is not installed" in text for text in notes.said)
        assert world.asked == [model().url]

    def test_progress_is_heard(self, world: World, into: Path) -> None:
        class Counting(Notes):
            def track(
                self, items: Iterable[Any], label: str, total: int | None = None
            ) -> Iterable[Any]:
                count = 0
                for item in items:
                    count += 1
                    yield item
                self.said.append(f"{label}: {count} of {total}")

        world.wheels["first==1.0"] = wheel(first__SFace=GOOD)
        notes = Counting()
        weights.pull([model()], into, listener=notes)
        assert notes.said == [
            "SFace from first 1.0: 3 of 3",
            "SFace is fetched from first 1.0.",
        ]

    def test_an_interrupt_leaves_nothing(
        self, world: World, into: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Interrupted(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                if self.tell():
                    raise KeyboardInterrupt
                return super().read(size)

        monkeypatch.setattr(sources, "_open_url", lambda _: Interrupted(GOOD))
        with pytest.raises(KeyboardInterrupt):
            pull([model()], into)
        assert list(into.iterdir()) == []

    def test_a_connection_that_breaks(
        self, world: World, into: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Broken(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                if self.tell():
                    raise TimeoutError("timed out")
                return super().read(size)

        monkeypatch.setattr(sources, "_open_url", lambda _: Broken(GOOD))
        with pytest.raises(WeightsWrong, match="timed out"):
            pull([model()], into)
        assert list(into.iterdir()) == []

    def test_a_folder_that_cannot_be_written(self, world: World, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(ConfigurationError) as caught:
            weights.pull([model()], tmp_path / "file" / "models", listener=Silence())
        assert caught.value.code == 3
        assert "Choose" not in caught.value.message

    @pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
    def test_a_read_only_folder(self, world: World, into: Path) -> None:
        into.mkdir(parents=True)
        into.chmod(0o500)
        world.addresses[model().url] = GOOD
        with pytest.raises(ConfigurationError, match="cannot be saved"):
            pull([model()], into)

    def test_a_full_disk(self, world: World, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        world.addresses[model().url] = GOOD
        with pytest.raises(ConfigurationError, match="No space left"):
            pull([model()], into)
        assert list(into.iterdir()) == []


ARCHIVE = Package("third", "3.0", "third-3.0/w.h5", 5 * sources.CHUNK, "ab" * 32)


def archive(*names: str, data: bytes = GOOD) -> bytes:
    """A source archive with these members."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


class TestFromSourceArchive:
    """A source archive is asked for by its own hash, because pip runs its set-up program."""

    @pytest.fixture
    def pip(self, monkeypatch: pytest.MonkeyPatch, world: World) -> Callable[[bytes], None]:
        def brings(data: bytes) -> None:
            def pip(requirement: str, size: int, folder: Path, _: Listener) -> str:
                world.asked.append(requirement)
                (folder / "third-3.0.tar.gz").write_bytes(data)
                return ""

            monkeypatch.setattr(sources, "_run_pip", pip)

        return brings

    def test_one_member_is_read(
        self, pip: Callable[[bytes], None], world: World, into: Path
    ) -> None:
        pip(archive("third-3.0/setup.py", "third-3.0/w.h5"))
        one = dataclasses.replace(model(), packages=(ARCHIVE,))
        assert pull([one], into) == [("third 3.0", False)]
        assert world.asked == [f"third==3.0 --hash=sha256:{'ab' * 32}"]

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (archive("third-3.0/other"), "has no third-3.0/w.h5"),
            (archive("third-3.0/w.h5")[:-400], "damaged"),
            (b"no archive", "damaged"),
            (archive("third-3.0/w.h5", data=BAD), "SHA-256"),
        ],
        ids=["member", "truncated", "text", "bytes"],
    )
    def test_what_is_wrong_is_refused(
        self, pip: Callable[[bytes], None], into: Path, data: bytes, said: str
    ) -> None:
        pip(data)
        with pytest.raises(WeightsWrong, match=said):
            pull([dataclasses.replace(model(), packages=(ARCHIVE,))], into)
        assert list(into.iterdir()) == []

    def test_a_folder_of_that_name_is_no_file(
        self, pip: Callable[[bytes], None], into: Path
    ) -> None:
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w:gz") as tar:
            member = tarfile.TarInfo("third-3.0/w.h5")
            member.type = tarfile.DIRTYPE
            tar.addfile(member)
        pip(file.getvalue())
        with pytest.raises(WeightsWrong, match="has no"):
            pull([dataclasses.replace(model(), packages=(ARCHIVE,))], into)


class TestFromFolder:
    def test_only_that_folder_is_read(self, world: World, into: Path, tmp_path: Path) -> None:
        (tmp_path / "SFace.onnx").write_bytes(GOOD)
        assert pull([model()], into, source=tmp_path) == [(str(tmp_path), False)]
        assert (into / "SFace.onnx").read_bytes() == GOOD
        assert world.asked == []

    @pytest.mark.parametrize("data", [None, BAD, GOOD[:-1], GOOD + b"x"])
    def test_wrong_bytes_end_it(
        self, world: World, into: Path, tmp_path: Path, data: bytes | None
    ) -> None:
        world.addresses[model().url] = GOOD
        if data is not None:
            (tmp_path / "SFace.onnx").write_bytes(data)
        with pytest.raises(WeightsWrong) as caught:
            pull([model()], into, source=tmp_path)
        assert data != BAD or (digest(BAD) in caught.value.message)
        assert world.asked == []
        assert list(into.iterdir()) == []

    def test_a_good_file_stays(self, world: World, into: Path, tmp_path: Path) -> None:
        into.mkdir(parents=True)
        (into / "SFace.onnx").write_bytes(GOOD)
        (tmp_path / "SFace.onnx").write_bytes(BAD)
        assert pull([model()], into, source=tmp_path) == [("", True)]
        assert (into / "SFace.onnx").read_bytes() == GOOD


class TestOutside:
    """The two functions that the other tests replace."""

    @pytest.fixture
    def python(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
        """Stands in for the interpreter that runs pip: a shell script; returns where it notes."""

        def install(script: str) -> Path:
            program, notes = tmp_path / "python", tmp_path / "notes"
            program.write_text(f'#!/bin/sh\necho "$@" > {notes}\n{script}\n')
            program.chmod(0o755)
            monkeypatch.setattr(sys, "executable", str(program))
            return notes

        return install

    @pytest.mark.parametrize(
        ("script", "said"),
        [
            ("exit 0", ""),
            (
                "echo 'WARNING: x' >&2; echo 'ERROR: No matching dist' >&2; exit 1",
                "No matching dist",
            ),
            ("exit 2", "exit 2"),
        ],
    )
    def test_pip(
        self, python: Callable[[str], Path], tmp_path: Path, script: str, said: str
    ) -> None:
        notes = python(script)
        failure = sources._run_pip("first==1.0", 1, tmp_path, Silence())
        assert said in failure
        assert bool(failure) == bool(said)
        words = notes.read_text().split()
        assert words[:3] == ["-P", "-m", "pip"]
        assert words[-1] == "first==1.0"
        assert {"download", "--no-deps", "--only-binary=:all:"} < {*words}

    def test_pip_is_given_the_hash_of_a_source_archive(
        self, python: Callable[[str], Path], tmp_path: Path
    ) -> None:
        notes = python("exit 0")
        assert sources._run_pip(ARCHIVE.requirement, 1, tmp_path, Silence()) == ""
        words = notes.read_text().split()
        assert {"--require-hashes", "--no-binary=third", "--no-deps"} < {*words}
        assert "--only-binary=:all:" not in words
        assert Path(words[-1]).read_text() == f"third==3.0 --hash=sha256:{'ab' * 32}\n"

    def test_the_download_is_counted_as_it_grows(
        self, python: Callable[[str], Path], tmp_path: Path
    ) -> None:
        counted: list[object] = []

        class Counting(Silence):
            def track(self, items: Any, label: str, total: int | None = None) -> Any:
                for item in items:
                    counted.append((label, total))
                    yield item

        folder = tmp_path / "into"
        folder.mkdir()
        python('head -c 3145728 /dev/zero > "$TMPDIR/wheel"; sleep 0.5')
        assert sources._run_pip("first==1.0", 3 * sources.CHUNK, folder, Counting()) == ""
        assert counted == [("Downloading first==1.0", 3)] * 3

    def test_pip_that_hangs(
        self, python: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        python("exec sleep 60")
        monkeypatch.setattr(sources, "PIP_SECONDS", 0.3)
        assert "took longer" in sources._run_pip("first==1.0", 1, tmp_path, Silence())

    def test_pip_that_cannot_run(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
        assert "No such file" in sources._run_pip("first==1.0", 1, tmp_path, Silence())

    @pytest.mark.parametrize(
        "url", ["http://localhost:9/x", "ftp://localhost/x", "file:///etc/passwd", "data:,x"]
    )
    def test_only_https_is_opened(self, url: str) -> None:
        with pytest.raises(urllib.error.URLError, match="unknown url type"):
            sources._open_url(url)
