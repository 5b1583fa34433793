"""A backup is read as it was written, whole and by its own key; a gallery takes another's place."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fr_cli.errors import ConfigurationError, GalleryDamaged
from fr_cli.gallery import backup, restoring
from fr_cli.gallery.backup import BackupKey, Header, content, read_header, write
from fr_cli.gallery.copying import Unpacked, copied, unpacked
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.inspection import inspect
from fr_cli.gallery.restoring import Absent, finish_restoring
from fr_cli.gallery.store import Store
from fr_cli.gallery.suppression import suppressed
from fr_cli.records import Silence

from .conftest import House, Vector, near, one_each, purge, vectors
from .test_crash import every_step, is_whole
from .test_purge import in_clear

HEADER = Header("ab" * 16, "fr.local/test", "2026-01-01T00:00:00Z", "2026-01-31T00:00:00Z")


@pytest.fixture
def key(tmp_path: Path) -> BackupKey:
    return BackupKey.create(HEADER, tmp_path / "keys" / "one.key")


def read(path: Path, key: BackupKey) -> bytes:
    with path.open("rb") as file:
        return b"".join(content(file, read_header(file), key))


# -- the file -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 250, 300])
def test_what_is_written_is_read(
    tmp_path: Path, key: BackupKey, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(backup, "CHUNK", 100)
    data = os.urandom(size)
    pieces = [data[i : i + 37] for i in range(0, size, 37)]
    assert write(tmp_path / "b", key, pieces) == (tmp_path / "b").stat().st_size
    assert read(tmp_path / "b", key) == data
    assert read(tmp_path / "b", BackupKey.load(key.path)) == data
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
    assert key.path.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "keys"]


def test_every_flipped_byte_and_every_other_length_is_refused(
    tmp_path: Path, key: BackupKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "CHUNK", 100)
    path = tmp_path / "b"
    write(path, key, [os.urandom(330)])
    whole = path.read_bytes()

    def refused(data: bytes) -> None:
        path.write_bytes(data)
        with pytest.raises(GalleryDamaged):
            read(path, key)

    for position in range(len(whole)):
        for bit in (0x01, 0x80):
            changed = bytearray(whole)
            changed[position] ^= bit
            refused(bytes(changed))
        refused(whole[:position])
    refused(whole + b"\0")
    start, step = whole.index(b"\n", len(backup.MAGIC)) + 1, 116
    chunks = [whole[i : i + step] for i in range(start, len(whole), step)]
    assert len(chunks) == 4
    for order in ([0, 1, 2], [1, 0, 2, 3], [0, 1, 3], [0, 0, 1, 2, 3], [0, 1, 2, 3, 3], [3]):
        refused(whole[:start] + b"".join(chunks[i] for i in order))


def test_the_key_of_another_backup_opens_nothing(tmp_path: Path, key: BackupKey) -> None:
    write(tmp_path / "b", key, [b"content"])
    other = BackupKey.create(HEADER, tmp_path / "keys" / "other.key")
    with pytest.raises(GalleryDamaged):
        read(tmp_path / "b", other)
    # The same key behind another header is another cipher: a header cannot be exchanged.
    later = replace(HEADER, expires="2999-01-01T00:00:00Z")
    text = (tmp_path / "b").read_bytes().replace(HEADER.line(), later.line())
    (tmp_path / "b").write_bytes(text)
    with pytest.raises(GalleryDamaged):
        read(tmp_path / "b", key)


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"\xff", b'{"schema":"fr/backup-key/1"}'])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "key").write_bytes(text)
    with pytest.raises(ConfigurationError):
        BackupKey.load(tmp_path / "key")
    with pytest.raises(ConfigurationError):
        BackupKey.load(tmp_path / "none")


def test_neither_a_backup_nor_a_key_is_written_over(tmp_path: Path, key: BackupKey) -> None:
    write(tmp_path / "b", key, [b"content"])
    with pytest.raises(ConfigurationError):
        write(tmp_path / "b", key, [b"other"])
    assert read(tmp_path / "b", key) == b"content"
    with pytest.raises(ConfigurationError):
        BackupKey.create(HEADER, key.path)
    assert read(tmp_path / "b", BackupKey.load(key.path)) == b"content"


def test_a_destroyed_key_is_overwritten_where_it_lay(key: BackupKey) -> None:
    with key.path.open("rb") as open_before:
        key.destroy()
        left = open_before.read()
    assert not key.path.exists()
    assert key.secret.hex().encode() not in left
    assert b"schema" not in left


def test_a_backup_that_fails_half_way_leaves_nothing(tmp_path: Path, key: BackupKey) -> None:
    def failing() -> Iterator[bytes]:
        yield b"x" * 3_000_000
        raise OSError(28, "No space left on device")

    with pytest.raises(ConfigurationError, match="No space"):
        write(tmp_path / "b", key, failing())
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


# -- what is in it --------------------------------------------------------------------------------


@pytest.fixture
def house_of_six(house: House) -> tuple[House, Vector]:
    """Six people: four in a generation, two beside it; s5 has two photos."""
    templates = vectors(8, dimension=16)
    house.enrol(*one_each(templates)[:4])
    house.rebuild()
    house.enrol(*one_each(templates)[4:6], ("s5", "second", templates[6]))
    return house, templates


def packed(house: House) -> bytes:
    with house.open() as gallery, copied(gallery) as copy:
        return b"".join(copy.pieces())


def staged(house: House, data: bytes) -> tuple[Unpacked, Path]:
    path = house.site.gallery / restoring.STAGED
    with path.open("wb") as file:
        return unpacked(iter([data]), file.write), path


def put_back(gallery: Gallery, house: House, data: bytes, absent: Absent = Absent()) -> int:  # noqa: B008
    held, path = staged(house, data)
    store = Store.open(path)
    restoring.leave_out(gallery, store, absent)
    assert restoring.drop_damaged(store, held.keys) == 0
    restoring.take_marks(store, gallery, alone=True)
    try:
        return restoring.replace(gallery, store, held.keys, 0)
    finally:
        store.close()


def test_the_pieces_of_a_copy_are_found_again_however_they_are_cut(
    house_of_six: tuple[House, Vector],
) -> None:
    house, _ = house_of_six
    data = packed(house)
    for step in (1, 39, 40, 41, 1000, len(data)):
        out = bytearray()
        pieces = (data[i : i + step] for i in range(0, len(data), step))
        held = unpacked(pieces, out.extend)
        assert out[:15] == b"SQLite format 3"
        assert sorted(held.keys) == [0, 1, 2, 3, 4, 5]
    for wrong in (b"", b"{}\n", data[:20], data[:-1], data + b"\0", b"[1]\n" + data, b"1\n"):
        with pytest.raises(GalleryDamaged):
            unpacked(iter([wrong]), bytearray().extend)


def test_a_copy_leaves_no_file_and_no_template_in_clear(house_of_six: tuple[House, Vector]) -> None:
    house, templates = house_of_six
    before = set(house.files())
    with house.open() as gallery, copied(gallery) as copy:
        assert set(house.files()) - before <= {
            house.site.gallery / name for name in ("gallery.db-wal", "gallery.db-shm")
        }
        assert (copy.references, len(copy.keys)) == (7, 6)
        data = b"".join(copy.pieces())
    assert set(house.files()) == before
    assert templates[0].tobytes() not in data


def test_a_copy_is_of_one_moment_while_others_change_the_gallery(
    house_of_six: tuple[House, Vector], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody is purged between the copy of the database and that of the keys."""
    house, templates = house_of_six
    done = list[int]()
    with house.open() as gallery:
        slots = gallery.subject_keys
        read_many = slots.read_many

        def purged_meanwhile(wanted: list[int]) -> list[bytes]:
            if not done:
                done.append(1)
                house.purge("s2")
                house.enrol(("s7", "r", templates[7]))
            return read_many(wanted)

        monkeypatch.setattr(slots, "read_many", purged_meanwhile)
        with copied(gallery) as copy:
            assert (copy.references, len(copy.keys)) == (7, 6)
            data = b"".join(copy.pieces())
    house.purge("s0")
    with house.open() as gallery, gallery.writing():
        put_back(gallery, house, data)
    assert house.found(templates[2], 9)[0] != "s2"
    is_whole(house, templates, {0, 1, 3, 4, 5, 7})


def test_a_key_that_is_damaged_for_good_is_said(house_of_six: tuple[House, Vector]) -> None:
    house, _ = house_of_six
    with house.open() as gallery:
        gallery.subject_keys.destroy([3])
        with pytest.raises(GalleryDamaged), copied(gallery):
            pass


# -- taking the place -----------------------------------------------------------------------------


def test_a_restored_gallery_is_that_of_the_backup(house_of_six: tuple[House, Vector]) -> None:
    house, templates = house_of_six
    data = packed(house)
    house.enrol(("s6", "r", templates[6]), ("s0", "r", templates[7]))
    house.purge("s1")
    old = (house.site.keys / "subjects.slots").read_bytes()
    with house.open() as gallery, gallery.writing():
        assert put_back(gallery, house, data, Absent(["nobody"], {})) == 3
        everybody = [slot for (slot,) in gallery.store.db.execute("SELECT slot FROM subjects")]
    is_whole(house, templates, {0, 1, 2, 3, 4, 5})
    assert house.found(templates[6], 1) == ["s5"]
    # No key is in two slots: what a later purge destroys is the only one.
    new = (house.site.keys / "subjects.slots").read_bytes()
    assert min(everybody) * 64 >= len(old)
    assert all(new[i : i + 64] != old[i : i + 64] for i in range(0, len(old), 64))
    house.purge("s0")
    assert house.found(templates[0], 1) != ["s0"]
    assert all(in_clear(one, house.site.home) == [] for one in templates)


def test_who_was_purged_is_left_out_and_suppressed(house_of_six: tuple[House, Vector]) -> None:
    house, templates = house_of_six
    data = packed(house)
    with house.open() as gallery:
        uids = dict(gallery.store.db.execute("SELECT subject_id, uid FROM subjects").fetchall())
        (second,) = gallery.store.db.execute(
            "SELECT uid FROM refs WHERE reference_id = 'second'"
        ).fetchone()
        with gallery.writing():
            put_back(gallery, house, data, Absent({uids["s0"]}, {uids["s5"]: {second}}))
        assert [gallery.store.subject(name) for name in ("s0",)] == [None]
        assert [name for name, _, _ in gallery.templates_of("s5")] == ["r"]
    is_whole(house, templates, {1, 2, 3, 4, 5})


def test_marks_are_those_in_force(house_of_six: tuple[House, Vector]) -> None:
    """A purge and a lifting since the backup both hold after it."""
    house, _ = house_of_six
    house.purge("s0")
    data = packed(house)
    house.purge("s1")
    with house.open() as gallery, gallery.writing():
        gallery.store.db.execute("DELETE FROM suppressed WHERE subject = ?", (gallery.alias("s0"),))
        put_back(gallery, house, data)
        marks = [suppressed(gallery.store, gallery.alias(f"s{n}"), "") for n in range(3)]
    assert marks == [None, "person", None]


def test_a_damaged_template_is_left_out_of_what_is_put_back(
    house_of_six: tuple[House, Vector],
) -> None:
    house, templates = house_of_six
    with sqlite3.connect(house.site.gallery / "gallery.db") as db:
        db.execute("UPDATE refs SET sealed = x'00' WHERE subject = 3")
    data = packed(house)
    with house.open() as gallery, gallery.writing():
        held, path = staged(house, data)
        store = Store.open(path)
        assert restoring.drop_damaged(store, held.keys) == 1
        restoring.replace(gallery, store, held.keys, 0)
        store.close()
        assert inspect(gallery, Silence()) == []
    is_whole(house, templates, {0, 1, 3, 4, 5})


def test_who_searches_meanwhile_finds_the_old_gallery_or_the_new_one(
    house_of_six: tuple[House, Vector],
) -> None:
    house, templates = house_of_six
    data = packed(house)
    house.enrol(("s6", "r", near(templates[0])))
    with house.open() as reader, house.open() as gallery, gallery.writing():
        with reader.store.snapshot():  # in the middle of a search
            before = reader.count("refs")
            put_back(gallery, house, data)
            assert reader.count("refs") == before == 8
        assert reader.count("refs") == 7
        hits, _ = reader.search(templates[0], count=2)
        assert hits[0].subject_id == "s0"
        assert hits[1].subject_id != "s6"


def test_a_restore_that_was_cut_short_leaves_the_old_gallery_or_the_new_one(
    house_of_six: tuple[House, Vector], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, templates = house_of_six
    data = packed(house)
    house.enrol(("s6", "r", templates[7]))
    seen = set()

    def change(gallery: Gallery) -> None:
        watched: Any = gallery.store.db
        held, path = staged(House(gallery.folder.parent, new=False), data)
        store = Store.open(path)
        restoring.take_marks(store, gallery, alone=True)
        real = store.db

        class Source:
            """SQLite copies into its own connection only: a step like any other."""

            def backup(self, target: object) -> None:
                watched._step()
                real.backup(watched._db)
                watched._step()

            def __getattr__(self, name: str) -> object:
                return getattr(real, name)

        store.db = Source()  # type: ignore[assignment]
        restoring.replace(gallery, store, held.keys, 0)

    def check(after: House) -> None:
        there = after.found(templates[7], 1) == ["s6"]
        seen.add(there)
        for number in range(6):
            assert after.found(templates[number], 1) == [f"s{number}"]
        after.enrol(("s7", "r", templates[6] * np.float32(-1)))
        assert (after.found(templates[7], 1) == ["s6"]) == there
        is_whole(after, templates, set(range(6)))
        # Every key that opens is in one slot, and belongs to somebody who is there.
        with after.open() as gallery:
            known = {int(s) for (s,) in gallery.store.db.execute("SELECT slot FROM subjects")}
            opened = set()
            for slot in range(len(gallery.subject_keys)):
                try:
                    gallery.subject_keys.read(slot)
                except GalleryDamaged:
                    continue
                opened.add(slot)
            assert opened == known
        assert not list(after.site.gallery.glob(f"{restoring.STAGED}*"))

    assert every_step(house, change, check) > 15
    assert seen == {True, False}


def test_finishing_where_there_is_nothing_to_finish_does_nothing(
    house_of_six: tuple[House, Vector],
) -> None:
    house, _ = house_of_six
    before = house.files()
    with house.open() as gallery:
        finish_restoring(gallery)
    assert house.files() == before


def test_a_backup_of_an_empty_gallery_is_one(house: House) -> None:
    house.enrol(("s0", "r", vectors(1)[0]))
    with house.open() as gallery, gallery.writing():
        purge(gallery, "s0")
    data = packed(house)
    house.enrol(("s1", "r", vectors(2)[1]))
    with house.open() as gallery, gallery.writing():
        put_back(gallery, house, data)
        assert gallery.count("refs") == 0
        assert inspect(gallery, Silence()) == []


def test_a_whole_backup_is_a_file_and_a_key_and_nothing_else(
    house_of_six: tuple[House, Vector], tmp_path: Path, key: BackupKey
) -> None:
    """The home is lost but for the site key; the backup brings everybody back."""
    house, templates = house_of_six
    with house.open() as gallery, copied(gallery) as copy:
        write(tmp_path / "backup", key, copy.pieces())
    assert all(in_clear(one, tmp_path) == [] for one in templates)
    data = read(tmp_path / "backup", key)
    shutil.rmtree(house.site.gallery)
    house.site.gallery.mkdir()
    for name in ("subjects.slots", "generations.slots"):
        (house.site.keys / name).unlink()
    with house.open(create=True) as gallery, gallery.writing():
        put_back(gallery, house, data)
    is_whole(house, templates, set(range(6)))
