"""A purged subject is found by nobody, and their template is in no file: nor was it before."""

from __future__ import annotations

import base64
import os
import shutil
from functools import partialmethod
from pathlib import Path

import pytest

from fr_cli.errors import GalleryDamaged, GalleryLocked, GalleryMissing
from fr_cli.gallery import gallery as gallery_module
from fr_cli.gallery import lock
from fr_cli.gallery.inspection import inspect
from fr_cli.gallery.store import Store
from fr_cli.gallery.vault import SLOT
from fr_cli.records import Silence

from .conftest import House, Vector, near, one_each, purge, store, vectors


def forms(vector: Vector) -> list[bytes]:
    """How a template could lie in a file: parts of it, as numbers of 2, 4 and 8 bytes, in text."""
    found = []
    for kind in ("<f4", ">f4", "<f2", "<f8"):
        data = vector.astype(kind).tobytes()
        part = data[16:40]
        found += [part, part.hex().encode(), part.hex().upper().encode()]
        for offset in range(3):
            text = base64.b64encode(data[16 + offset : 40])
            found += [text[:28], text[:28].translate(bytes.maketrans(b"+/", b"-_"))]
    return found


def in_clear(vector: Vector, folder: Path) -> list[Path]:
    """The files that hold the template in any of these forms."""
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and any(form in path.read_bytes() for form in forms(vector))
    ]


@pytest.mark.parametrize("text", ["raw", "hex", "base64"])
@pytest.mark.parametrize("kind", ["<f4", "<f2"])
def test_the_search_for_templates_in_files_can_find_one(
    tmp_path: Path, text: str, kind: str
) -> None:
    vector = vectors(1)[0]
    data = vector.astype(kind).tobytes()
    shown = {"raw": data, "hex": data.hex().encode(), "base64": base64.b64encode(data)}[text]
    (tmp_path / "leak").write_bytes(b"xy" + shown + b"z")
    assert in_clear(vector, tmp_path) == [tmp_path / "leak"]
    (tmp_path / "leak").write_bytes(b"xy" + shown[:-1][::-1] + b"z")
    assert in_clear(vector, tmp_path) == []


@pytest.fixture(params=["exact", "annoy"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Galleries of a few people with and without an index."""
    if request.param == "annoy":
        monkeypatch.setattr(gallery_module, "EXACT_UP_TO", 2)
    return str(request.param)


@pytest.fixture
def people(house: House, engine: str) -> Vector:
    """Eight people: six in a generation, two beside it; s0 and s7 will be purged."""
    templates = vectors(8)
    house.enrol(*one_each(templates)[:6])
    house.rebuild()
    house.enrol(*one_each(templates)[6:])
    return templates


@pytest.mark.parametrize("gone", [0, 7])
def test_a_purged_subject_is_found_by_no_engine_and_everybody_else_is(
    house: House, people: Vector, engine: str, gone: int
) -> None:
    assert house.found(people[gone], 1, engine=engine) == [f"s{gone}"]
    house.purge(f"s{gone}")
    for way in ("exact", "annoy", "auto"):
        assert f"s{gone}" not in house.found(people[gone], 99, engine=way)
        for other in set(range(8)) - {gone}:
            assert house.found(people[other], 1, engine=way) == [f"s{other}"]
    with house.open() as gallery:
        assert gallery.search(people[gone], count=1)[1].references == 7
        assert inspect(gallery, Silence()) == []


def test_no_template_lies_in_any_file_in_clear_before_or_after_a_purge(
    house: House, people: Vector
) -> None:
    home = house.site.home
    with house.open() as gallery, gallery.writing():
        store(gallery, ("s0", "second", near(people[0])))
        # While the database is open and its write-ahead log holds the latest rows.
        assert all(in_clear(vector, home) == [] for vector in people)
        gallery.rebuild()
        assert all(in_clear(vector, home) == [] for vector in people)
        purge(gallery, "s0")
        assert all(in_clear(vector, home) == [] for vector in people)
    assert all(in_clear(vector, home) == [] for vector in people)


def test_a_purge_destroys_the_key_the_rows_the_log_of_the_database_and_the_old_generation(
    house: House, people: Vector
) -> None:
    slots = (house.site.keys / "subjects.slots").read_bytes()
    folder = house.site.gallery / "generations"
    old = {path.name for path in folder.iterdir()}
    with house.open() as gallery, gallery.writing():
        subject = gallery.store.subject("s0")
        assert subject is not None
        uid, slot = subject.uid, subject.slot
        (sealed,) = gallery.store.db.execute("SELECT sealed FROM refs WHERE pk = 1").fetchone()
        (purged,) = purge(gallery, "s0")
        assert purged.subject_uid == uid
        assert len(purged.reference_uids) == 1
        # Before the connection is closed, which would empty it too.
        assert (house.site.gallery / "gallery.db-wal").stat().st_size == 0
        with pytest.raises(GalleryDamaged):
            gallery.subject_keys.read(slot)
        with pytest.raises(GalleryDamaged):
            gallery.generations._slots.read(1)
    now = (house.site.keys / "subjects.slots").read_bytes()
    assert len(now) == len(slots)
    for start in range(0, len(slots), SLOT):  # the others are wrapped anew
        assert slots[start : start + SLOT] not in now
    assert old.isdisjoint(path.name for path in folder.iterdir())
    for path, data in house.files().items():
        assert sealed[:24] not in data, path
        assert uid.encode() not in data, path


def test_copies_made_before_a_purge_do_not_open_with_the_keys_after_it(
    house: House, people: Vector, tmp_path: Path
) -> None:
    shutil.copytree(house.site.gallery, tmp_path / "backup")
    house.purge("s0")
    shutil.rmtree(house.site.gallery)
    shutil.copytree(tmp_path / "backup", house.site.gallery)
    with pytest.raises(GalleryDamaged):
        house.found(people[0])
    with house.open() as gallery, pytest.raises(GalleryDamaged):
        gallery.templates_of("s0")


def test_purging_somebody_who_is_not_there_changes_nothing(house: House, people: Vector) -> None:
    with house.open() as gallery, gallery.writing():
        assert purge(gallery, "nobody") == []
        assert gallery.store.meta("generation") == "1"


def test_somebody_purged_and_enrolled_again_is_somebody_new(house: House, people: Vector) -> None:
    with house.open() as gallery:
        before = gallery.store.subject("s0")
    house.purge("s0")
    house.enrol(("s0", "r", people[0]))
    with house.open() as gallery:
        after = gallery.store.subject("s0")
        assert inspect(gallery, Silence()) == []
    assert before is not None
    assert after is not None
    assert before.uid != after.uid
    assert before.slot != after.slot
    assert house.found(people[0], 1) == ["s0"]


def test_a_subject_is_purged_from_a_gallery_whose_generation_is_damaged(
    house: House, people: Vector
) -> None:
    path = house.site.gallery / "generations" / "000001.templates"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    house.purge("s0")
    assert "s0" not in house.found(people[0], 99)
    assert house.found(people[1], 1) == ["s1"]


def test_one_damaged_template_keeps_nobody_from_purging_it(house: House, people: Vector) -> None:
    with house.open() as gallery, gallery.store.transaction():
        gallery.store.db.execute("UPDATE refs SET sealed = x'00' WHERE pk > 6")
    with house.open() as gallery:
        whats = [finding.what for finding in inspect(gallery, Silence())]
        assert len(whats) == 2
    with house.open() as gallery, gallery.writing(), pytest.raises(GalleryDamaged):
        purge(gallery, "s6")  # s7, which is damaged too, cannot be taken into a generation
    house.purge("s7")
    assert {f"s{n}" for n in range(6)} == set(house.found(people[0], 99))
    with house.open() as gallery:
        assert inspect(gallery, Silence()) == []


# -- readers beside a purge ------------------------------------------------------------------


def test_a_reader_that_had_the_gallery_open_does_not_find_the_purged_subject(
    house: House, people: Vector, engine: str
) -> None:
    with house.open() as reader:
        assert reader.search(people[0], count=1)[0][0].subject_id == "s0"
        house.purge("s0")
        hits, compared = reader.search(people[0], count=99, engine=engine)
        assert "s0" not in [hit.subject_id for hit in hits]
        assert (compared.references, len(hits)) == (7, 7)


def test_a_search_that_began_before_a_purge_does_not_return_the_subject_after_it(
    house: House, people: Vector, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house.open() as reader:
        with reader.store.snapshot():
            views, look = [reader._view()], reader._view
        house.purge("s0")
        monkeypatch.setattr(reader, "_view", lambda: views.pop() if views else look())
        hits, _ = reader.search(people[0], count=99)
        assert not views
        assert sorted(hit.subject_id for hit in hits) == [f"s{n}" for n in range(1, 8)]


def test_a_generation_replaced_while_it_is_opened_is_tried_anew(
    house: House, people: Vector, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house.open() as reader:
        read, waiting = reader.generations.read, ["s0"]

        def slow(number: int, fingerprint: str) -> object:
            while waiting:
                other = house.open()
                monkeypatch.setattr(other.store, "scrub", lambda **_: None)
                with other, other.writing():
                    purge(other, waiting.pop())
            return read(number, fingerprint)

        monkeypatch.setattr(reader.generations, "read", slow)
        hits, compared = reader.search(people[1], count=1)
        assert (hits[0].subject_id, compared.references, compared.generation) == ("s1", 7, 2)


def test_a_reader_in_the_way_of_the_scrubbing_is_said_and_the_subject_is_gone_all_the_same(
    house: House, people: Vector, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = Store.scrub
    monkeypatch.setattr(Store, "scrub", partialmethod(patient, patience=0.05))
    with house.open() as reader:
        with reader.store.snapshot():
            reader.count("refs")
            with house.open() as gallery, gallery.writing():
                gallery.store.db.execute("PRAGMA busy_timeout=10")
                with pytest.raises(GalleryLocked) as caught:
                    purge(gallery, "s0")
                assert caught.value.code == 11
        assert "s0" not in [h.subject_id for h in reader.search(people[0], count=99)[0]]
    with house.open() as gallery, pytest.raises(GalleryDamaged):
        gallery.generations._slots.read(1)
    with house.open() as gallery, gallery.writing() as finished:  # the next command
        assert [one.alias for one in finished] == [gallery.alias("s0")]
        assert purge(gallery, "s0") == []
    wal = house.site.gallery / "gallery.db-wal"
    assert not wal.exists() or wal.stat().st_size == 0
    with house.open() as gallery:
        assert inspect(gallery, Silence()) == []


# -- the write lock --------------------------------------------------------------------------


def test_only_one_process_changes_the_gallery_and_the_other_is_told_who(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "PATIENCE", 0.1)
    house.enrol(*one_each(vectors(2)))
    with house.open() as one, one.writing(), house.open() as other:
        with (
            pytest.raises(GalleryLocked, match=f"process {os.getpid()} of the account") as caught,
            other.writing(),
        ):
            pass
        assert caught.value.code == 11
        assert other.search(vectors(1)[0], count=1)[0]
    with house.open() as other, other.writing():
        pass


def test_a_gallery_that_was_never_made_cannot_be_purged_from(house: House) -> None:
    with pytest.raises(GalleryMissing):
        house.purge("s0")
