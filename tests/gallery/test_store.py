"""The database: made with its safety settings, all or nothing, and clear about what is wrong."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from fr_cli.errors import GalleryDamaged, GalleryLocked, GalleryMissing
from fr_cli.gallery.rows import NewReference
from fr_cli.gallery.store import Store
from fr_cli.records import Enrolment


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gallery.db"


def reference(store: Store, subject: int, name: str, image: str) -> None:
    new = NewReference(f"uid-{name}-{image}", subject, Enrolment("s", name, "i"), image, b"x", {})
    store.add_reference(new, "act", "now")


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("secure_delete", 1),
        ("foreign_keys", 1),
        ("trusted_schema", 0),
        ("cell_size_check", 1),
        ("temp_store", 2),
        ("mmap_size", 0),
    ],
)
def test_every_connection_has_the_settings_that_deletion_rests_on(
    path: Path, pragma: str, value: object
) -> None:
    Store.create(path, "print").close()
    store = Store.open(path)
    row = store.db.execute(f"PRAGMA {pragma}").fetchone()
    assert row[0] == value
    store.close()


def test_only_the_owner_can_read_the_database(path: Path) -> None:
    Store.create(path, "print").close()
    assert path.stat().st_mode & 0o077 == 0


def test_a_database_that_is_not_there_is_a_missing_gallery(path: Path) -> None:
    with pytest.raises(GalleryMissing):
        Store.open(path)
    assert not path.exists()


@pytest.mark.parametrize("data", [b"", b"not a database", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_gallery_is_damaged(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(GalleryDamaged):
        Store.open(path)


def test_a_database_of_something_else_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE meta (key TEXT)")
    with pytest.raises(GalleryDamaged, match="not the database of a gallery"):
        Store.open(path)


def test_a_transaction_that_fails_leaves_nothing(path: Path) -> None:
    store = Store.create(path, "print")

    def failing() -> None:
        with store.transaction():
            store.add_subject("a", "uid", 0, "now")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert store.subject("a") is None
    with store.transaction():
        store.add_subject("a", "uid", 0, "now")
    assert store.subject("a") is not None
    store.close()


def test_a_snapshot_does_not_see_what_is_committed_meanwhile(path: Path) -> None:
    writer, reader = Store.create(path, "print"), Store.open(path)
    with reader.snapshot():
        assert reader.subject("a") is None
        with writer.transaction():
            writer.add_subject("a", "uid", 0, "now")
        assert reader.subject("a") is None
    assert reader.subject("a") is not None
    writer.close()
    reader.close()


def test_a_database_that_another_writes_to_is_locked(path: Path) -> None:
    one, other = Store.create(path, "print"), Store.open(path)
    other.db.execute("PRAGMA busy_timeout=10")
    with one.transaction(), pytest.raises(GalleryLocked), other.transaction():
        pass
    one.close()
    other.close()


def test_a_row_that_the_schema_forbids_is_damage_and_no_bug(path: Path) -> None:
    store = Store.create(path, "print")
    with store.transaction():
        store.add_subject("a", "uid", 0, "now")
        store.add_subject("b", "uid b", 1, "now")
    with pytest.raises(GalleryDamaged), store.transaction():
        store.db.execute("UPDATE subjects SET subject_id = 'a', slot = 7")
    assert store.subject("b") is not None
    store.close()


def test_a_reference_replaces_the_one_of_its_id_and_masks_it(path: Path) -> None:
    store = Store.create(path, "print")
    with store.transaction():
        pk = store.add_subject("s", "uid", 0, "now")
        reference(store, pk, "r", "image 1")
        reference(store, pk, "other", "image 2")
        reference(store, pk, "r", "image 3")
    known = store.known("s", "image 3")
    assert known is not None
    assert known.reference_id == "r"
    assert store.known("s", "image 1") is None
    assert store.db.execute("SELECT pk FROM removed").fetchall() == [(1,)]
    store.close()


def test_scrubbing_empties_the_write_ahead_log(path: Path) -> None:
    store = Store.create(path, "print")
    with store.transaction():
        store.add_subject("a name", "uid", 0, "now")
    log = Path(f"{path}-wal")
    assert b"a name" in log.read_bytes()
    with store.transaction():
        store.delete_subject(1)
    store.scrub()
    assert log.stat().st_size == 0
    assert b"a name" not in path.read_bytes()
    store.close()


def test_scrubbing_waits_for_a_reader_and_then_says_who_is_in_the_way(path: Path) -> None:
    store, reader = Store.create(path, "print"), Store.open(path)
    store.db.execute("PRAGMA busy_timeout=10")
    with reader.snapshot():
        assert reader.subject("a") is None
        with store.transaction():
            store.add_subject("a", "uid", 0, "now")
        with pytest.raises(GalleryLocked, match="Readers"):
            store.scrub(patience=0.1)
    store.scrub(patience=0.1)
    store.close()
    reader.close()
