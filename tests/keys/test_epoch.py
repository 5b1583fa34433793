"""Two places, of which one is in force: a whole state is there at every moment, and no old one."""

from __future__ import annotations

import os
import secrets
import stat
import time
from pathlib import Path

import pytest

from fr_cli.errors import GalleryDamaged
from fr_cli.keys import epoch as epoch_module
from fr_cli.keys.epoch import EPOCH_KEY, Epoch, read_epoch, write_epoch

OPENER, OTHER, THIRD = b"k" * 32, b"o" * 32, b"t" * 32
FIRST = Epoch(1, b"1" * 32, b"0" * 32)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert read_epoch(tmp_path, OPENER) is None
    write_epoch(tmp_path, FIRST, OPENER)
    assert read_epoch(tmp_path, OPENER) == FIRST
    for number in range(2, 6):
        write_epoch(tmp_path, Epoch(number, bytes([number]) * 32), OPENER)
        assert read_epoch(tmp_path, OPENER) == Epoch(number, bytes([number]) * 32)
    assert stat.S_IMODE((tmp_path / EPOCH_KEY).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [EPOCH_KEY]


def test_an_epoch_that_follows_knows_the_one_before() -> None:
    following = FIRST.next()
    assert (following.number, following.before) == (2, FIRST.key)
    assert following.keys == (following.key, FIRST.key)
    assert following.alone().keys == (following.key,)
    assert following.key != FIRST.next().key


def test_either_of_two_keys_opens_it_and_no_third(tmp_path: Path) -> None:
    write_epoch(tmp_path, FIRST, OPENER, OTHER)
    assert read_epoch(tmp_path, OPENER) == read_epoch(tmp_path, OTHER) == FIRST
    with pytest.raises(GalleryDamaged, match="not under this site key"):
        read_epoch(tmp_path, THIRD)
    write_epoch(tmp_path, FIRST, OTHER)
    with pytest.raises(GalleryDamaged, match="not under this site key"):
        read_epoch(tmp_path, OPENER)


def test_nothing_of_a_state_is_left_in_its_place_when_the_next_is_in_force(tmp_path: Path) -> None:
    write_epoch(tmp_path, FIRST, OPENER)
    inode = (tmp_path / EPOCH_KEY).stat().st_ino
    for _ in range(3):
        before = (tmp_path / EPOCH_KEY).read_bytes()
        write_epoch(tmp_path, FIRST.next(), OPENER)
        after = (tmp_path / EPOCH_KEY).read_bytes()
        assert (tmp_path / EPOCH_KEY).stat().st_ino == inode
        place = epoch_module._newest(before)
        assert place is not None
        for start in range(0, len(place[1]) - 16, 16):
            assert place[1][start : start + 16] not in after
        assert FIRST.key not in after


@pytest.mark.parametrize("call", range(1, 5))
@pytest.mark.parametrize("half", [False, True])
def test_a_write_that_ends_anywhere_leaves_the_old_state_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, half: bool
) -> None:
    write_epoch(tmp_path, FIRST, OPENER)
    following, count = FIRST.next(), 0
    real, sync = os.pwrite, os.fsync

    def failing(handle: int, data: bytes, offset: int) -> int:
        step()
        return real(handle, data, offset)

    def step() -> None:
        nonlocal count
        count += 1
        if count == call:
            raise KeyboardInterrupt

    def torn(handle: int, data: bytes, offset: int) -> int:
        try:
            return failing(handle, data, offset)
        except KeyboardInterrupt:
            real(handle, data[: len(data) // 2], offset)
            raise

    def synced(handle: int) -> None:
        step()
        sync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", torn if half else failing)
        patch.setattr(os, "fsync", synced)
        with pytest.raises(KeyboardInterrupt):
            write_epoch(tmp_path, following, OPENER)
    assert read_epoch(tmp_path, OPENER) == (FIRST if call == 1 else following)
    last = following.next()
    write_epoch(tmp_path, last, OPENER)
    assert read_epoch(tmp_path, OPENER) == last


def test_the_first_one_is_there_as_a_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*given: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refused)
        with pytest.raises(OSError, match="No space"):
            write_epoch(tmp_path, FIRST, OPENER)
    assert read_epoch(tmp_path, OPENER) is None
    write_epoch(tmp_path, FIRST, OPENER)
    assert read_epoch(tmp_path, OPENER) == FIRST


def test_every_flipped_bit_is_noticed_or_means_nothing(tmp_path: Path) -> None:
    write_epoch(tmp_path, FIRST, OPENER)
    path = tmp_path / EPOCH_KEY
    whole = path.read_bytes()
    found = epoch_module._newest(whole)
    assert found is not None
    start = epoch_module._PLACES[found[0]]
    for bit in range(8 * epoch_module._PLACE):
        changed = bytearray(whole)
        changed[start + bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(GalleryDamaged):
            read_epoch(tmp_path, OPENER)
    path.write_bytes(whole[: epoch_module._PLACE] + secrets.token_bytes(100))
    assert read_epoch(tmp_path, OPENER) == FIRST  # beyond the place that is in force


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"\0" * 4296])
def test_what_is_no_such_file_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / EPOCH_KEY).write_bytes(content)
    with pytest.raises(GalleryDamaged, match="is damaged") as caught:
        read_epoch(tmp_path, OPENER)
    assert "backup" in caught.value.hint
