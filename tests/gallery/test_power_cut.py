"""The power goes: what was acknowledged is there, what was purged is nowhere on the disk.

A file system on a loop device; a cut is a copy of its image while the process stands still. What
was not synced is not in the image, so a copy of it is the disk as a power cut leaves it. The
control does the same without syncing, and must lose what it acknowledged.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fr_cli.gallery.vault import SLOT

from .conftest import House, Vector, one_each, vectors
from .test_purge import forms
from .working import Worker, changes, wrong_with

SIZE = 24 * 2**20
#: How many cuts; the whole proof is FR_CUTS=100.
CUTS = int(os.environ.get("FR_CUTS", "6"))


def _run(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


@contextmanager
def mounted(image: Path, at: Path) -> Iterator[Path]:
    """The image as a folder. Nothing is committed by itself while a test runs (commit=300)."""
    at.mkdir(exist_ok=True)
    _run("mount", "-o", "loop,commit=300", image, at)
    try:
        yield at
    finally:
        _run("umount", at)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An empty file system in a file; skipped where none can be mounted."""
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(SIZE)
    try:
        _run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", path)
        with mounted(path, tmp_path / "mnt"):
            pass
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(
            "a file system on a loop device needs root, and a kernel that lets it be mounted"
        )
    return path


def cut_short(
    image: Path, tmp_path: Path, count: int, *, synced: bool, seed: int = 0
) -> Iterator[list[str]]:
    """What is wrong on the disk after each of so many cuts at random moments."""
    chance, templates = random.Random(seed), vectors(12, seed=seed)
    with mounted(image, tmp_path / "mnt") as disk:
        House(disk / "home").enrol(("first", "r", vectors(1, seed=98)[0]))
        os.sync()
        worker = Worker(disk / "home", changes(templates, seed, synced=synced))
        taken: list[list[str]] = []
        try:
            for number in range(count):
                threading.Event().wait(chance.uniform(0.05, 0.2))  # sleep() is a stub here
                with worker.standing_still() as said:
                    shutil.copyfile(image, tmp_path / f"cut{number}")
                    taken.append(said)
        finally:
            worker.kill()
    assert len(taken[-1]) > 10  # it did work meanwhile
    for number, said in enumerate(taken):
        with mounted(tmp_path / f"cut{number}", tmp_path / "after") as disk:
            yield wrong_with(House(disk / "home", new=False), said, templates)
        (tmp_path / f"cut{number}").unlink()


def test_a_power_cut_loses_nothing_acknowledged_and_brings_nobody_back(
    image: Path, tmp_path: Path
) -> None:
    for wrong in cut_short(image, tmp_path, CUTS, synced=True):
        assert wrong == []


def test_the_control_without_syncing_loses_what_it_acknowledged(
    image: Path, tmp_path: Path
) -> None:
    wrongs = list(cut_short(image, tmp_path, 4, synced=False))
    assert any(wrong != [] for wrong in wrongs)


def small_forms(vector: Vector) -> list[bytes]:
    """How a template could lie there as numbers of one byte, in text too."""
    found = []
    for most in (1.0, float(abs(vector).max())):
        part = (vector / most * 127).round().astype("i1").tobytes()
        found += [part, part.hex().encode()]
    return found


def test_after_a_purge_the_raw_disk_holds_neither_key_nor_template(
    image: Path, tmp_path: Path
) -> None:
    templates = vectors(4)
    control = b"a file in clear, deleted as usual: " + templates[0].tobytes()
    with mounted(image, tmp_path / "mnt") as disk:
        house = House(disk / "home")
        house.enrol(*one_each(templates[:2]))
        house.rebuild()
        house.enrol(("s2", "r", templates[2]), ("s3", "r", templates[3]))
        with house.open() as gallery:
            keys, wrapped = [], []
            epoch = (house.site.keys / "epoch.key").read_bytes()
            states = [epoch[at + 8 : at + 88] for at in (0, 4096) if any(epoch[at : at + 88])]
            slots = gallery.subject_keys.path.read_bytes()
            for name in ("s0", "s3", "s1"):
                subject = gallery.store.subject(name)
                assert subject is not None
                keys.append(gallery.subject_keys.read(subject.slot))
                wrapped.append(slots[subject.slot * SLOT : subject.slot * SLOT + 40])
        os.sync()
        raw = image.read_bytes()
        assert all(one in raw for one in [*wrapped, *states])  # what is looked for can be found
        house.purge("s0")
        house.purge("s3")
        (disk / "clear").write_bytes(control)
        os.sync()
        (disk / "clear").unlink()
        assert house.found(templates[1], 1) == ["s1"]
        assert "s0" not in house.found(templates[0], 9)
    raw = image.read_bytes()  # unmounted: the disk as it is
    # Slots may lie in freed blocks, but under a key that lies nowhere any more.
    assert states
    assert not any(state in raw for state in states)
    assert wrapped[0] not in raw
    assert not any(key in raw for key in keys)
    assert control in raw
    raw = raw.replace(control, b"")
    for number in (0, 1, 2, 3):
        assert not any(
            one in raw for one in [*forms(templates[number]), *small_forms(templates[number])]
        )
