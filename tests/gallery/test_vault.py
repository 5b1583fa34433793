"""Keys open only whole, in their slot and under their site key; seals open only as they were."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fr_cli.errors import GalleryDamaged
from fr_cli.gallery.vault import SLOT, KeySlots, seal, unseal

WRAPPING, OTHER = b"w" * 32, b"o" * 32
KEY = b"k" * 32


@pytest.fixture
def slots(tmp_path: Path) -> KeySlots:
    return KeySlots(tmp_path / "slots", WRAPPING)


def test_keys_are_read_back_from_their_slots(slots: KeySlots) -> None:
    made = slots.create(3) + slots.create(2)
    assert [slot for slot, _ in made] == [0, 1, 2, 3, 4]
    assert len({key for _, key in made}) == 5
    assert all(slots.read(slot) == key and len(key) == 32 for slot, key in made)
    assert slots.read_many([4, 0]) == [made[4][1], made[0][1]]
    assert len(slots) == 5


def test_no_key_lies_in_the_file_in_clear(slots: KeySlots) -> None:
    ((_, key),) = slots.create(1)
    assert key[:8] not in slots.path.read_bytes()
    assert slots.path.stat().st_mode & 0o077 == 0


def test_a_slot_file_that_is_not_there_has_no_slots(slots: KeySlots) -> None:
    assert len(slots) == 0
    assert slots.read_many([]) == []
    with pytest.raises(GalleryDamaged):
        slots.read(0)


def test_destroyed_slots_do_not_open_and_their_bytes_are_gone(slots: KeySlots) -> None:
    made = slots.create(3)
    before = slots.path.read_bytes()
    slots.destroy([1])
    after = slots.path.read_bytes()
    assert len(after) == len(before)
    assert after[:SLOT] == before[:SLOT]
    assert after[2 * SLOT :] == before[2 * SLOT :]
    old, new = before[SLOT : 2 * SLOT], after[SLOT : 2 * SLOT]
    assert sum(a == b for a, b in zip(old, new, strict=True)) < 10
    with pytest.raises(GalleryDamaged, match="slot 1"):
        slots.read(1)
    assert slots.read_many([0, 2]) == [made[0][1], made[2][1]]


def test_destroying_happens_in_place_in_the_same_file(slots: KeySlots) -> None:
    slots.create(2)
    inode = slots.path.stat().st_ino
    with slots.path.open("rb") as opened_before:
        slots.destroy([0])
        assert opened_before.read() == slots.path.read_bytes()
    assert slots.path.stat().st_ino == inode


def test_a_destroyed_slot_is_not_used_again(slots: KeySlots) -> None:
    slots.create(2)
    slots.destroy([0, 1])
    assert [slot for slot, _ in slots.create(1)] == [2]


def test_another_wrapping_key_opens_no_slot(slots: KeySlots) -> None:
    slots.create(1)
    with pytest.raises(GalleryDamaged):
        KeySlots(slots.path, OTHER).read(0)


def test_every_flipped_bit_of_a_slot_is_noticed(slots: KeySlots) -> None:
    slots.create(1)
    whole = slots.path.read_bytes()
    for position in range(SLOT):
        data = bytearray(whole)
        data[position] ^= 1 << position % 8
        slots.path.write_bytes(data)
        with pytest.raises(GalleryDamaged):
            slots.read(0)


def test_a_slot_does_not_open_beyond_the_end(slots: KeySlots) -> None:
    slots.create(1)
    with pytest.raises(GalleryDamaged):
        slots.read(1)


@pytest.mark.parametrize("torn", [1, SLOT // 2, SLOT - 1])
def test_keys_made_after_a_crash_in_the_middle_of_a_slot_open(slots: KeySlots, torn: int) -> None:
    ((first, key),) = slots.create(1)
    with slots.path.open("ab") as file:
        file.write(os.urandom(torn))
    ((later, second),) = slots.create(1)
    assert later == 2
    assert slots.read_many([first, later]) == [key, second]
    with pytest.raises(GalleryDamaged):
        slots.read(1)


def test_a_link_in_the_place_of_the_slot_file_is_not_followed(slots: KeySlots) -> None:
    slots.create(1)
    real = slots.path.rename(slots.path.with_name("real"))
    slots.path.symlink_to(real)
    with pytest.raises(GalleryDamaged):
        slots.read(0)


@given(st.binary(max_size=600), st.text(max_size=20))
def test_what_is_sealed_is_unsealed_under_the_same_key_and_context(data: bytes, bound: str) -> None:
    sealed = seal(KEY, data, bound)
    assert unseal(KEY, sealed, bound) == data
    for key, context in ((OTHER, bound), (KEY, bound + "x")):
        with pytest.raises(GalleryDamaged):
            unseal(key, sealed, context)


@given(st.binary(max_size=100), st.data())
def test_a_changed_or_shortened_seal_does_not_open(data: bytes, draw: st.DataObject) -> None:
    sealed = bytearray(seal(KEY, data, "context"))
    position = draw.draw(st.integers(0, len(sealed) - 1))
    with pytest.raises(GalleryDamaged):
        unseal(KEY, bytes(sealed[:position]), "context")
    sealed[position] ^= draw.draw(st.integers(1, 255))
    with pytest.raises(GalleryDamaged):
        unseal(KEY, bytes(sealed), "context")


def test_the_same_template_sealed_twice_does_not_look_the_same() -> None:
    assert seal(KEY, b"template", "context") != seal(KEY, b"template", "context")
