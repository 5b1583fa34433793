"""One writer at a time: who waits is told for whom, and a lock dies with its process."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fr_cli.errors import GalleryLocked, GalleryUnwritable
from fr_cli.gallery.lock import Turn, locked
from tests.conftest import Fr, jpeg, small, write_csv


@contextmanager
def held(folder: Path, command: str = "enroll") -> Iterator[int]:
    """The lock in the hands of another process, until the block ends; its id."""
    ready, told = os.pipe()
    child = os.fork()
    if not child:
        try:
            with locked(folder, Turn(command)):
                os.write(told, b"1")
                signal.pause()
        finally:
            os._exit(0)
    assert os.read(ready, 1) == b"1"
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(told)


def test_who_waits_in_vain_is_told_who_has_it_since_when(tmp_path: Path) -> None:
    with held(tmp_path) as holder:
        with pytest.raises(GalleryLocked) as caught, locked(tmp_path, Turn("purge", 0.1)):
            pass
        said = caught.value.message
        assert f"process {holder} (fr enroll) of the account " in said
        assert " since 2" in said
        assert "waited 0.1 s" in said
        assert "--wait" in caught.value.hint


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with held(tmp_path):
        pass
    with locked(tmp_path, Turn(wait=0)):
        assert f"process {os.getpid()} of" in (tmp_path / "lock").read_text()


def test_who_waits_gets_it_when_it_is_free(tmp_path: Path) -> None:
    child = os.fork()
    if not child:
        try:
            with locked(tmp_path):
                (tmp_path / "taken").touch()
                select.select([], [], [], 0.3)  # this room's tests do not sleep
        finally:
            os._exit(0)
    while not (tmp_path / "taken").exists():
        pass
    with locked(tmp_path, Turn(wait=20)):
        os.waitpid(child, 0)


def test_a_folder_that_is_not_there_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(GalleryUnwritable), locked(tmp_path / "none"):
        pass


def test_every_command_that_changes_the_gallery_waits_as_long_as_it_is_told(
    fr: Fr, tmp_path: Path
) -> None:
    (tmp_path / "P006.jpg").write_bytes(jpeg(small("P006", "studio_portrait")))
    feed = write_csv(tmp_path / "feed.csv", ("subject_id", "image"), ("P006", "P006.jpg"))
    backup = fr.json("gallery", "backup", tmp_path / "b")["file"]
    with held(fr.home / "gallery", "gallery migrate") as holder:
        for words in (
            ("enroll", feed), ("purge", "--subject", "P001", "--yes"), ("gallery", "rebuild"),
            ("purge", "--lift", "P001", "--yes"), ("gallery", "restore", backup, "--yes"),
            ("gallery", "accept", "--yes"),
        ):  # fmt: skip
            error = fr.json(*words, "--wait", "0", code=11)
            assert f"process {holder} (fr gallery migrate)" in error["message"]
        # Neither a look nor a copy waits for anybody.
        assert fr.json("gallery", "stats")["references"] == 5
        fr.json("gallery", "backup", tmp_path / "c")
        assert fr.found(tmp_path / "P006.jpg")[:1] != ["P006"]
    fr.json("enroll", feed, "--wait", "0")
    assert fr("enroll", feed, "--wait", "-1").code == 2
    fr.whole()
