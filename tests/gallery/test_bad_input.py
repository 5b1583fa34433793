"""What a gallery's files may have become: a clear error of 10 to 13, and never a wrong answer."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fr_cli.errors import FrError, GalleryUnwritable
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.inspection import inspect
from fr_cli.gallery.vault import SLOT
from fr_cli.records import Silence
from tests.conftest import Fr, jpeg, small, write_csv

from .conftest import House, Vector, one_each, store, vectors

PORTRAIT = jpeg(small("P003", "studio_portrait"))


def right_or_refused(fr: Fr) -> list[int]:
    """The exit codes of searches: an answer must be the right one."""
    codes = []
    for person in ("P001", "P003"):
        result = fr(
            "identify", "-", "--case", "1", "--reason", "test", "--json",
            stdin=jpeg(small(person, "studio_portrait")),
        )  # fmt: skip
        if result.code == 0:
            assert result.document["candidates"][0]["subject_id"] == person
        else:
            assert 10 <= result.code <= 13, result.stderr
            assert result.error["hint"]
        codes.append(result.code)
    return codes


def of_both(fr: Fr) -> tuple[Path, Path]:
    return fr.home / "keys" / "subjects.slots", fr.home / "keys" / "generations.slots"


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda data: b"",
    "cut in a slot": lambda data: data[: SLOT // 2],
    "cut behind a slot": lambda data: data[:SLOT],
    "noise": lambda data: secrets.token_bytes(len(data)),
    "shifted": lambda data: secrets.token_bytes(SLOT) + data,
    "turned round": lambda data: b"".join(
        data[i : i + SLOT] for i in reversed(range(0, len(data), SLOT))
    ),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("which", [0, 1], ids=["subjects", "generations"])
def test_a_damaged_slot_file_is_said(fr: Fr, which: int, change: str) -> None:
    path = of_both(fr)[which]
    path.write_bytes(CHANGES[change](path.read_bytes()))
    assert 12 in right_or_refused(fr)
    assert fr("gallery", "check").code == 12
    fr.json("audit", "verify")


@pytest.mark.parametrize("which", [0, 1], ids=["subjects", "generations"])
def test_a_slot_file_that_is_gone_is_said(fr: Fr, which: int) -> None:
    of_both(fr)[which].unlink()
    assert right_or_refused(fr) == [12, 12]


@pytest.mark.parametrize("which", [0, 1], ids=["subjects", "generations"])
def test_a_longer_slot_file_changes_no_answer(fr: Fr, which: int) -> None:
    """Slots that nobody names are what a crash may leave, and stay unused."""
    path = of_both(fr)[which]
    path.write_bytes(path.read_bytes() + secrets.token_bytes(3 * SLOT + 7))
    assert right_or_refused(fr) == [0, 0]
    fr.json("purge", "--subject", "P002", "--yes")
    assert right_or_refused(fr) == [0, 0]
    fr.whole()


def test_another_site_key_opens_nothing_and_changes_nothing(fr: Fr, tmp_path: Path) -> None:
    path = fr.home / "keys" / "site.key"
    whole, before = path.read_text(), [one.read_bytes() for one in of_both(fr)]
    path.write_text(secrets.token_hex(32) + "\n")
    assert right_or_refused(fr) == [12, 12]
    assert fr("gallery", "check").code == 12
    assert fr.json("gallery", "rebuild", code=12)["error"] == "GalleryDamaged"
    assert [one.read_bytes()[:SLOT] for one in of_both(fr)] == [one[:SLOT] for one in before]
    path.write_text(whole)
    assert right_or_refused(fr) == [0, 0]
    fr.json("gallery", "rebuild")
    fr.whole()


@pytest.mark.parametrize("change", ["emptied", "cut", "text", "another file", "a folder"])
def test_a_damaged_database_is_said(fr: Fr, change: str) -> None:
    path = fr.home / "gallery" / "gallery.db"
    whole = path.read_bytes()
    for side in path.parent.glob("gallery.db-*"):
        side.unlink()
    path.unlink()
    if change == "a folder":
        path.mkdir()
    else:
        path.write_bytes({
            "emptied": b"", "cut": whole[: len(whole) // 2], "text": b"hello",
            "another file": (fr.home / "policy.yaml").read_bytes(),
        }[change])  # fmt: skip
    assert right_or_refused(fr) == [12, 12]
    assert fr.json("enroll", write_csv(fr.home.parent / "f.csv", ("subject_id", "image")), code=12)


def test_every_flipped_byte_of_the_pages_that_are_read_is_an_error_or_the_right_answer(
    house: House,
) -> None:
    templates = vectors(3, dimension=8)
    house.enrol(*one_each(templates))
    house.rebuild()
    path = house.site.gallery / "gallery.db"
    with house.open() as gallery:
        gallery.store.scrub()
    whole = path.read_bytes()
    codes = set()
    for position in range(0, len(whole), 31):
        changed = bytearray(whole)
        changed[position] ^= 0xFF
        for side in path.parent.glob("gallery.db-*"):
            side.unlink()
        path.write_bytes(changed)
        try:
            assert house.found(templates[1], 1)[0] in ("s1", "r1")
        except FrError as trouble:
            codes.add(trouble.code)
    # 3: the byte of the schema's number.
    assert codes <= {3, 10, 11, 12, 13}


# -- a disk that is full, or read only ------------------------------------------------------------


def room(size: int) -> Iterator[Path]:
    """A disk of this many bytes of its own."""
    if os.getuid():
        pytest.skip("mounting a small disk needs root")
    place = Path("/tmp") / f"fr-small-{secrets.token_hex(4)}"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=False
    )
    if done.returncode:
        place.rmdir()
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
        place.rmdir()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    yield from room(600_000)


def fill(place: Path, left: int) -> Path:
    """Take all room but so many bytes."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    os.truncate(ballast, max(0, ballast.stat().st_size // 4096 * 4096 - left))
    return ballast


WORK: dict[str, Callable[[Gallery, Vector], object]] = {
    "enrol": lambda gallery, more: store(gallery, *[
        (f"n{number}", "r", vector) for number, vector in enumerate(more)
    ]),
    "rebuild": lambda gallery, more: gallery.rebuild(),
    "rebuild from the store": lambda gallery, more: gallery.rebuild(from_store=True),
}  # fmt: skip


@pytest.mark.parametrize("work", WORK)
def test_a_disk_that_fills_up_in_the_middle_loses_nothing(small_disk: Path, work: str) -> None:
    house = House(small_disk / "home")
    templates, more = vectors(40, dimension=128), vectors(60, seed=1, dimension=128)
    house.enrol(*one_each(templates))
    house.rebuild()
    failed = 0
    for left in range(0, 120_000, 8192):
        ballast = fill(small_disk, left)
        try:
            with house.open() as gallery, gallery.writing():
                WORK[work](gallery, more)
        except GalleryUnwritable:
            failed += 1
        ballast.unlink()
        for number in (0, 39):
            assert house.found(templates[number], 1) == [f"s{number}"]
        with house.open() as gallery, gallery.writing():
            assert inspect(gallery, Silence()) == []
        if work == "enrol" and house.found(more[0], 1) == ["n0"]:
            break
    assert failed > 0


def test_a_purge_on_a_full_disk_is_refused_or_finished_by_the_next_command(
    small_disk: Path,
) -> None:
    house = House(small_disk / "home")
    templates = vectors(40, dimension=128)
    house.enrol(*one_each(templates))
    house.rebuild()
    codes = set()
    for number, left in enumerate(range(0, 120_000, 8192)):
        ballast = fill(small_disk, left)
        try:
            house.purge(f"s{number}")
            codes.add(0)
        except GalleryUnwritable as trouble:
            codes.add(trouble.code)
        found = []
        with contextlib.suppress(GalleryUnwritable):  # not even a search may have room
            found = [house.found(templates[number], 1) == [f"s{number}"]]
        ballast.unlink()
        with house.open() as gallery, gallery.writing():
            assert inspect(gallery, Silence()) == []
        there = house.found(templates[number], 1) == [f"s{number}"]
        assert found in ([], [there])
    assert codes == {0, 12}


def test_a_full_disk_under_the_gallery_is_said_by_the_command(
    fr: Fr, small_disk: Path, tmp_path: Path
) -> None:
    """Only the gallery's disk is full: the log, on another one, has the refusal."""
    shutil.rmtree(small_disk / "gallery", ignore_errors=True)
    shutil.move(fr.home / "gallery", small_disk / "gallery")
    (fr.home / "gallery").symlink_to(small_disk / "gallery")
    (tmp_path / "P006.jpg").write_bytes(jpeg(small("P006", "studio_portrait")))
    feed = write_csv(tmp_path / "feed.csv", ("subject_id", "image"), ("P006", "P006.jpg"))
    assert right_or_refused(fr) == [0, 0]
    ballast = fill(small_disk, 0)
    error = fr.json("enroll", feed, code=12)
    assert error["error"] == "GalleryUnwritable"
    assert "disk is full" in error["hint"]
    assert fr.log()[-1]["error"] == "GalleryUnwritable"
    fr.json("gallery", "backup", tmp_path / "b", code=12)
    assert not list(tmp_path.glob("b*"))
    ballast.unlink()
    fr.json("enroll", feed)
    fr.whole()


def test_a_gallery_that_cannot_be_written_is_said(fr: Fr, small_disk: Path, tmp_path: Path) -> None:
    shutil.move(fr.home / "gallery", small_disk / "gallery")
    (fr.home / "gallery").symlink_to(small_disk / "gallery")
    (tmp_path / "P006.jpg").write_bytes(jpeg(small("P006", "studio_portrait")))
    feed = write_csv(tmp_path / "feed.csv", ("subject_id", "image"), ("P006", "P006.jpg"))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for words in (
        ("enroll", feed),
        ("purge", "--subject", "P001", "--yes"),
        ("gallery", "rebuild"),
    ):
        error = fr.json(*words, code=12)
        assert error["error"] == "GalleryUnwritable", error
    assert set(right_or_refused(fr)) <= {0, 12}
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    fr.whole()


def test_a_file_that_may_grow_no_further_is_as_a_full_disk(house: House) -> None:
    """Where nobody is root: the limit of a file's size stands for the disk."""
    templates = vectors(200, dimension=128)
    house.enrol(*one_each(templates[:20]))
    house.rebuild()
    size = (house.site.gallery / "gallery.db").stat().st_size
    program = f"""
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({size + 30_000}, {size + 30_000}))
from pathlib import Path
from tests.gallery.conftest import House, one_each, store, vectors
from fr_cli.errors import FrError
house = House(Path({str(house.site.home)!r}), new=False)
try:
    with house.open() as gallery, gallery.writing():
        store(gallery, *one_each(vectors(200, dimension=128))[20:])
except FrError as trouble:
    print(type(trouble).__name__, trouble.code)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["GalleryUnwritable", "12"], done.stderr
    assert house.found(templates[7], 1) == ["s7"]
    house.enrol(*one_each(templates)[20:])
    with house.open() as gallery:
        assert inspect(gallery, Silence()) == []
