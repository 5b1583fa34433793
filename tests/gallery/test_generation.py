"""A generation is read as it was written, or not at all."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rfc8785

from fr_cli.errors import FrError, GalleryDamaged, OtherModel
from fr_cli.gallery import generation
from fr_cli.gallery import vectors as vectors_module
from fr_cli.gallery.approximate import with_index
from fr_cli.gallery.codes import Codes
from fr_cli.gallery.generation import Generations, Packed
from fr_cli.gallery.inspection import inspect
from fr_cli.gallery.parts import Part
from fr_cli.gallery.vault import KeySlots
from fr_cli.keys import SigningKey
from fr_cli.records import Silence

from .conftest import FINGERPRINT, House, Vector, one_each, vectors


def packed(count: int = 5, dimension: int = 8) -> Packed:
    pks = np.arange(10, 10 + count, dtype=np.int64)
    return Packed(pks, pks // 2, vectors(count, dimension=dimension))


@pytest.fixture
def generations(tmp_path: Path) -> Generations:
    (tmp_path / "generations").mkdir()
    slots = KeySlots(tmp_path / "slots", b"w" * 32)
    slots.create(1)
    return Generations(tmp_path / "generations", slots, SigningKey.create(tmp_path))


def same(one: Packed, other: Packed) -> bool:
    arrays = ((one.pks, other.pks), (one.subjects, other.subjects), (one.vectors, other.vectors))
    return (
        all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in arrays)
        and (one.annoy, one.search_k) == (other.annoy, other.search_k)
    )  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 5, 300])
def test_what_is_written_is_read(
    generations: Generations, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(generation, "CHUNK", 1000)
    monkeypatch.setattr(vectors_module, "BLOCK", 1000)
    written = packed(count) if count else Packed.empty()
    number = generations.write(written, FINGERPRINT)
    assert number == 1
    assert same(generations.read(number, FINGERPRINT), written)
    assert generations.numbers() == [1]


def test_the_index_is_kept_with_the_templates(generations: Generations) -> None:
    written = with_index(packed(50))
    assert written.annoy
    assert same(generations.read(generations.write(written, FINGERPRINT), FINGERPRINT), written)


def test_no_template_of_a_generation_lies_on_the_disk_in_clear(generations: Generations) -> None:
    written = with_index(packed(50))
    generations.write(written, FINGERPRINT)
    row = np.asarray(written.vectors)[7].tobytes()
    assert written.codes is None
    code = Codes.of(np.asarray(written.vectors)).values[7].tobytes()
    assert row in written.annoy  # so the index would give it away
    for path in generations.folder.iterdir():
        data = path.read_bytes()
        assert row[:12] not in data
        assert code not in data


def test_a_destroyed_generation_is_noise_even_in_a_copy(
    generations: Generations, tmp_path: Path
) -> None:
    number = generations.write(packed(), FINGERPRINT)
    shutil.copytree(generations.folder, tmp_path / "backup")
    generations.destroy(number)
    assert generations.numbers() == []
    shutil.rmtree(generations.folder)
    shutil.copytree(tmp_path / "backup", generations.folder)
    with pytest.raises(GalleryDamaged, match="slot"):
        generations.read(number, FINGERPRINT)


def test_a_generation_of_another_number_or_model_is_refused(generations: Generations) -> None:
    number = generations.write(packed(), FINGERPRINT)
    with pytest.raises(GalleryDamaged):
        generations.read(number, "cd" * 32)
    for path in list(generations.folder.iterdir()):
        shutil.copy(path, generations.folder / path.name.replace("000001", "000002"))
    with pytest.raises(GalleryDamaged):
        generations.read(2, FINGERPRINT)


def test_a_manifest_signed_by_another_home_is_refused(
    generations: Generations, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    stranger = SigningKey.create(tmp_path / "other")
    number = generations.write(packed(), FINGERPRINT)
    path = generations.folder / "000001.json"
    body = path.read_bytes().partition(b"\n")[0]
    path.write_bytes(body + b"\n" + stranger.sign(body).hex().encode())
    with pytest.raises(GalleryDamaged, match="not signed"):
        generations.read(number, FINGERPRINT)


@pytest.mark.parametrize("part", ["codes", "templates", "annoy", "json"])
@pytest.mark.parametrize("change", ["gone", "empty", "shorter", "longer"])
def test_a_file_that_is_missing_or_of_another_length_is_noticed(
    generations: Generations, part: str, change: str
) -> None:
    number = generations.write(with_index(packed(50)), FINGERPRINT)
    path = generations.folder / f"000001.{part}"
    data = path.read_bytes()
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "shorter": data[:-1], "longer": data + b"\0"}[change])
    with pytest.raises(GalleryDamaged):
        generations.read(number, FINGERPRINT)


def test_blocks_that_change_places_do_not_open(tmp_path: Path) -> None:
    key, name, path = b"k" * 32, "1/templates", tmp_path / "part"
    data = bytes(range(250)) * 2
    sealed = b"".join(Part(key, name, 500, 100).seal(memoryview(data)))

    def whole(sealed: bytes, key: bytes = key, name: str = name, size: int = 500) -> bytes:
        path.write_bytes(sealed)
        return Part(key, name, size, 100).open(path).whole().tobytes()

    assert whole(sealed) == data
    step = 100 + 16
    for changed in (
        sealed[step : 2 * step] + sealed[:step] + sealed[2 * step :],
        sealed[:-step],
        sealed[step:],
        sealed + sealed[-step:],
        sealed[:step] + sealed[:step] + sealed[2 * step :],
    ):
        for size in (500, 400, 600):
            with pytest.raises(GalleryDamaged):
                whole(changed, size=size)
    for other_key, other_name in ((b"x" * 32, name), (key, "2/templates"), (key, "1/annoy")):
        with pytest.raises(GalleryDamaged):
            whole(sealed, other_key, other_name)


@pytest.mark.parametrize("dimension", [1, 8, 3000, 5000])
def test_only_the_blocks_of_the_rows_asked_for_are_opened(
    generations: Generations, dimension: int
) -> None:
    written = packed(40, dimension)
    number = generations.write(written, FINGERPRINT)
    path = generations.folder / "000001.templates"
    each = vectors_module.rows_a_block(dimension)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # in the block of the last row
    path.write_bytes(data)
    templates, exact = generations.read(number, FINGERPRINT).vectors, np.asarray(written.vectors)
    whole = np.array([row for row in (0, 7, 3, 3, 38) if row // each < 39 // each], np.int64)
    assert np.array_equal(templates[whole], exact[whole])
    assert templates[whole[:0]].shape == (0, dimension)
    for rows in ([39], [0, 39]):
        with pytest.raises(GalleryDamaged):
            templates[np.array(rows)]
    with pytest.raises(GalleryDamaged):
        np.asarray(templates)


def test_an_open_generation_is_searched_on_while_another_destroys_it(
    generations: Generations,
) -> None:
    written = packed()
    templates = generations.read(generations.write(written, FINGERPRINT), FINGERPRINT).vectors
    generations.destroy(1)
    assert np.array_equal(np.asarray(templates), np.asarray(written.vectors))


def test_a_generation_of_a_later_version_is_told_of(
    generations: Generations, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        later.setattr(generation, "SCHEMA", "fr/generation/9")
        number = generations.write(packed(), FINGERPRINT)
    with pytest.raises(GalleryDamaged, match="fr/generation/9") as caught:
        generations.read(number, FINGERPRINT)
    assert "rebuild" in caught.value.hint


def first_schema(generations: Generations, packed: Packed) -> int:
    """A generation as fr wrote it before it had codes."""
    ((number, key),) = generations._slots.create(1)
    data = b"".join(
        [packed.pks.tobytes(), packed.subjects.tobytes(), np.asarray(packed.vectors).tobytes()]
    )
    digests = {}
    for name, clear in (("templates", data), ("annoy", b"")):
        part = Part(key, f"{number}/{name}", len(clear))
        sealed = b"".join(part.seal(memoryview(clear)))
        digests[name] = hashlib.sha256(sealed).hexdigest()
        (generations.folder / f"{number:06d}.{name}").write_bytes(sealed)
    body = rfc8785.dumps(
        {
            "schema": "fr/generation/1", "generation": number, "fingerprint": FINGERPRINT,
            "rows": len(packed.pks), "dimension": packed.vectors.shape[1], "search_k": 0,
            "sha256": digests,
        }
    )  # fmt: skip
    signed = body + b"\n" + generations._signer.sign(body).hex().encode()
    (generations.folder / f"{number:06d}.json").write_bytes(signed)
    return number


@pytest.mark.parametrize("count", [1, 300])
def test_a_generation_of_an_older_version_is_read(generations: Generations, count: int) -> None:
    written = packed(count)
    number = first_schema(generations, written)
    read = generations.read(number, FINGERPRINT)
    assert same(read, written)
    assert same(read.keep(np.ones(count, bool)), written)
    read.wipe()
    assert not np.asarray(read.vectors).any()
    path = generations.folder / "000001.templates"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(GalleryDamaged):
        generations.read(number, FINGERPRINT)


def test_a_gallery_of_an_older_version_is_searched_and_the_next_write_replaces_it(
    house: House,
) -> None:
    templates = vectors(6)
    house.enrol(*one_each(templates))
    with house.open() as gallery, gallery.writing():
        everything = gallery._view(generation=0).everything
        number = first_schema(gallery.generations, everything)
        with gallery.store.transaction():
            gallery.store.set_meta(generation=str(number), high_water="6")
    assert house.found(templates[3], 1) == ["s3"]
    with house.open() as gallery:
        assert inspect(gallery, Silence()) == []
    house.purge("s3")
    assert "s3" not in house.found(templates[3], 9)
    assert house.found(templates[4], 1) == ["s4"]
    suffixes = {path.suffix for path in (house.site.gallery / "generations").iterdir()}
    assert suffixes == {".json", ".codes", ".templates", ".annoy"}


def flips(path: Path) -> Iterator[int]:
    """Places in a file: every byte of a small one, one in each region of a large one."""
    size = path.stat().st_size
    yield from range(0, size, max(1, size // 200))
    yield size - 1


def test_a_flipped_byte_of_a_generation_never_gives_an_answer(six: tuple[House, Vector]) -> None:
    house, templates = six
    assert house.found(templates[1], 1) == ["s1"]
    files = sorted((house.site.gallery / "generations").iterdir())
    assert {path.suffix for path in files} == {".json", ".codes", ".templates", ".annoy"}
    for path in files:
        whole = path.read_bytes()
        for position in flips(path) if whole else ():
            changed = bytearray(whole)
            changed[position] ^= 0x10
            path.write_bytes(changed)
            with pytest.raises(GalleryDamaged) as caught:
                house.found(templates[1])
            assert caught.value.code == 12
        path.write_bytes(whole)
    assert house.found(templates[1], 1) == ["s1"]


def test_a_flipped_byte_of_a_key_slot_never_gives_another_answer(
    six: tuple[House, Vector],
) -> None:
    house, templates = six
    right = house.found(templates[5])
    for name in ("generations.slots", "subjects.slots"):
        path = house.site.keys / name
        whole = path.read_bytes()
        for position in range(len(whole)):
            changed = bytearray(whole)
            changed[position] ^= 0x01
            path.write_bytes(changed)
            try:
                assert house.found(templates[5]) == right  # a slot that this search does not need
            except GalleryDamaged:
                continue
        path.write_bytes(whole)


def test_a_flipped_byte_of_the_database_gives_an_error_of_the_tree_or_an_answer(
    six: tuple[House, Vector],
) -> None:
    house, templates = six
    path = house.site.gallery / "gallery.db"
    whole = path.read_bytes()
    codes = set()
    for position in range(0, len(whole), 149):
        changed = bytearray(whole)
        changed[position] ^= 0xFF
        path.write_bytes(changed)
        for side in path.parent.glob("gallery.db-*"):
            side.unlink()
        try:
            house.found(templates[5])
            with house.open() as gallery:
                inspect(gallery, Silence())
        except FrError as trouble:
            codes.add(trouble.code)
    assert codes <= {10, 12, 13}


def test_another_site_key_opens_nothing(six: tuple[House, Vector]) -> None:
    house, templates = six
    with house.open(key=b"x" * 32) as gallery, pytest.raises(GalleryDamaged):
        gallery.search(templates[0], count=1)


def test_a_gallery_of_another_model_is_refused(six: tuple[House, Vector]) -> None:
    house, _ = six
    with pytest.raises(OtherModel) as caught:
        house.open(fingerprint="cd" * 32)
    assert caught.value.code == 13


def test_a_sealed_template_moved_to_another_reference_does_not_open(
    six: tuple[House, Vector],
) -> None:
    house, templates = six
    with house.open() as gallery:
        rows = dict(gallery.store.db.execute("SELECT pk, sealed FROM refs").fetchall())
        with gallery.store.transaction():
            gallery.store.db.execute("UPDATE refs SET sealed = ? WHERE pk = 6", (rows[5],))
        with pytest.raises(GalleryDamaged):
            gallery.search(templates[0], count=1)
