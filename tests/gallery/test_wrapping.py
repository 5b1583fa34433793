"""Keys are wrapped anew after each purge and by hand: nothing is lost, and old copies open nothing.

Killed at any step, or with any call to the system failing, everybody is found, and the next
command that takes the write lock finishes.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fr_cli.errors import ConfigurationError, GalleryDamaged
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.inspection import inspect
from fr_cli.gallery.suppression import suppressed
from fr_cli.gallery.vault import SLOT, KeySlots, is_whole
from fr_cli.gallery.wrapping import GENERATIONS, SUBJECTS
from fr_cli.keys import SITE_KEY, SiteKey
from fr_cli.keys import site as site_module
from fr_cli.keys.epoch import EPOCH_KEY
from fr_cli.records import Silence

from .conftest import FINGERPRINT, House, Vector, near, one_each, purge, store, vectors
from .test_crash import Countdown, killed_at

FILES = {SITE_KEY, EPOCH_KEY, SUBJECTS, GENERATIONS, "audit.key", "audit.pub"}


def rotate(gallery: Gallery) -> int:
    return gallery.wrapping.rotate(None)


def advance(gallery: Gallery) -> int:
    return gallery.wrapping.advance()


def written(house: House, change: Callable[[Gallery], object]) -> None:
    with house.open() as gallery, gallery.writing():
        change(gallery)


def everybody_is_there(house: House, templates: Vector) -> None:
    with house.open() as gallery:
        for number, template in enumerate(templates):
            assert gallery.search(template, count=1)[0][0].subject_id == f"s{number}"


def is_tidy(house: House) -> None:
    """Whole after a write, and nothing lies about."""
    with house.open() as gallery:
        assert inspect(gallery, Silence()) == []
    assert {path.name for path in house.site.keys.iterdir()} <= FILES


@pytest.fixture(params=[rotate, advance])
def change(request: pytest.FixtureRequest) -> Callable[[Gallery], int]:
    made: Callable[[Gallery], int] = request.param
    return made


@pytest.fixture(params=["new", "old"])
def six_of(request: pytest.FixtureRequest, house: House) -> tuple[House, Vector]:
    """Six people: four in a generation, two beside it. In a new home, and in one of before."""
    if request.param == "old":
        (house.site.keys / EPOCH_KEY).unlink()
    templates = vectors(6)
    house.enrol(*one_each(templates)[:4])
    house.rebuild()
    house.enrol(*one_each(templates)[4:])
    return house, templates


# -- what is exchanged -----------------------------------------------------------------------------


def test_everybody_is_found_and_no_slot_is_as_it_was(
    six_of: tuple[House, Vector], change: Callable[[Gallery], int]
) -> None:
    house, templates = six_of
    old = house.files()
    written(house, change)
    everybody_is_there(house, templates)
    is_tidy(house)
    for name in (SUBJECTS, GENERATIONS):
        before, after = old[house.site.keys / name], (house.site.keys / name).read_bytes()
        assert len(before) == len(after)
        for start in range(0, len(before), SLOT):
            assert before[start : start + SLOT] not in after
    sealed = {path: data for path, data in old.items() if path.suffix == ".templates"}
    assert sealed
    assert all(path.read_bytes() == data for path, data in sealed.items())


def test_an_epoch_is_one_more_each_time(six: tuple[House, Vector]) -> None:
    house, _ = six
    for number, one in enumerate((advance, rotate, advance), start=2):
        with house.open() as gallery, gallery.writing():
            assert one(gallery) == number
            assert len(gallery.wrapping()) == 1


def test_the_old_site_key_opens_nothing_and_is_gone(six_of: tuple[House, Vector]) -> None:
    house, templates = six_of
    old = SiteKey.load(house.site.keys)
    written(house, rotate)
    (house.site.keys / SITE_KEY).rename(house.site.home / "new.key")
    (house.site.keys / SITE_KEY).write_bytes(old.source)
    (house.site.keys / SITE_KEY).chmod(0o600)
    with pytest.raises(GalleryDamaged):
        house.found(templates[0])
    (house.site.home / "new.key").replace(house.site.keys / SITE_KEY)
    everybody_is_there(house, templates)
    for path, data in house.files().items():
        assert old.secret not in data, path
        assert old.secret.hex().encode() not in data, path
        assert old.derive("wrap") not in data, path


def test_what_must_stay_the_same_does(six: tuple[House, Vector]) -> None:
    house, templates = six
    with house.open() as gallery, gallery.writing():
        purge(gallery, "s5")
        image, alias = gallery.image_key(b"photo"), gallery.alias("s5")
    for _ in range(2):
        written(house, rotate)
    with house.open() as gallery:
        assert (gallery.image_key(b"photo"), gallery.alias("s5")) == (image, alias)
        again = gallery.image_key(templates[5].tobytes())
        assert suppressed(gallery.store, gallery.alias("s5"), again) == "person"
    everybody_is_there(house, templates[:5])


def test_keys_that_are_not_stable_change(six: tuple[House, Vector]) -> None:
    house, _ = six
    old = SiteKey.load(house.site.keys)
    written(house, rotate)
    new = SiteKey.load(house.site.keys)
    for purpose in site_module.STABLE:
        assert old.derive(purpose) == new.derive(purpose)
    for purpose in ("wrap", "epoch", "anything"):
        assert old.derive(purpose) != new.derive(purpose)
    assert old.secret != new.secret


def test_a_passphrase_is_put_on_and_taken_off(
    six: tuple[House, Vector], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fr_cli.keys import Passphrase

    monkeypatch.setattr(site_module, "COST", 16)
    house, templates = six
    written(house, lambda gallery: gallery.wrapping.rotate(b"eleven apples"))
    assert b"scrypt" in (house.site.keys / SITE_KEY).read_bytes()
    with pytest.raises(ConfigurationError, match="nobody can be asked"):
        house.open()
    key = SiteKey.load(house.site.keys, Passphrase(lambda prompt: "eleven apples"))
    with Gallery.open(house.site, key, fingerprint=FINGERPRINT) as gallery, gallery.writing():
        assert gallery.wrapping.under == b"eleven apples"
        gallery.wrapping.rotate(None)
    everybody_is_there(house, templates)


# -- copies of before ------------------------------------------------------------------------------


def test_copies_of_slots_open_nothing_after_a_purge_copies_of_all_keys_do(
    six_of: tuple[House, Vector],
) -> None:
    house, templates = six_of
    before = {path: path.read_bytes() for path in house.site.keys.iterdir()}
    with house.open() as gallery, gallery.writing():
        subject = gallery.store.subject("s0")
        assert subject is not None
        purge(gallery, "s0")
    after = {path: path.read_bytes() for path in house.site.keys.iterdir()}
    for path in before:
        if path.suffix == ".slots":
            path.write_bytes(before[path])
    key = SiteKey.load(house.site.keys)
    if house.site.keys / EPOCH_KEY not in before:
        # In a home of before the site key itself wrapped: until that is exchanged, it opens them.
        assert (
            len(KeySlots(house.site.keys / SUBJECTS, key.derive("wrap")).read(subject.slot)) == 32
        )
        written_over = (house.site.keys / SUBJECTS).read_bytes()
        for path, data in after.items():
            path.write_bytes(data)
        written(house, rotate)
        after = {path: path.read_bytes() for path in house.site.keys.iterdir()}
        (house.site.keys / SUBJECTS).write_bytes(written_over)
        key = SiteKey.load(house.site.keys)
    for wrapping in (*key.epoch.keys, key.derive("wrap")):
        slots = KeySlots(house.site.keys / SUBJECTS, wrapping)
        for slot in range(len(slots)):
            with pytest.raises(GalleryDamaged):
                slots.read(slot)
    # What a template is only as gone as: a copy of all of keys/ opens it, while there is one.
    for path in after:
        path.unlink()
    for path, data in before.items():
        path.write_bytes(data)
        path.chmod(0o600)
    with house.open() as gallery:
        assert len(gallery.subject_keys.read(subject.slot)) == 32
    for path, data in after.items():
        path.write_bytes(data)
        path.chmod(0o600)
    for number in range(1, 6):
        assert house.found(templates[number], 1) == [f"s{number}"]


# -- readers and writers that were open before -----------------------------------------------------


def test_a_reader_that_was_open_before_goes_on(
    six_of: tuple[House, Vector], change: Callable[[Gallery], int]
) -> None:
    house, templates = six_of
    with house.open() as reader, house.open() as late:
        for _ in range(3):
            for number, template in enumerate(templates):
                (hit, *_), _ = reader.search(template, count=1)
                assert hit.subject_id == f"s{number}"
                assert len(reader.templates_of(f"s{number}")) == 1
            assert inspect(reader, Silence()) == []
            written(house, change)
        assert late.search(templates[5], count=1)[0][0].subject_id == "s5"


def test_a_writer_that_was_open_before_puts_new_keys_under_the_new_one(
    six_of: tuple[House, Vector], change: Callable[[Gallery], int]
) -> None:
    house, templates = six_of
    new = near(templates[0], seed=9, cosine=0.1)
    with house.open() as writer:
        assert writer.search(templates[5], count=1)
        written(house, change)
        with writer.writing():
            store(writer, ("s6", "r", new))
            writer.rebuild()
    assert house.found(new, 1) == ["s6"]
    everybody_is_there(house, templates)
    is_tidy(house)


def test_in_the_middle_both_keys_open(
    six_of: tuple[House, Vector], change: Callable[[Gallery], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, templates = six_of
    real, count = os.replace, 0
    with house.open() as reader:

        def looked(*given: Any) -> None:
            nonlocal count
            real(*given)
            count += 1
            everybody_is_there(house, templates)
            assert reader.search(templates[5], count=1)[0][0].subject_id == "s5"

        monkeypatch.setattr(os, "replace", looked)
        written(house, change)
    assert count >= 2


# -- cut short -------------------------------------------------------------------------------------


def test_killed_at_any_step_everybody_is_found_and_the_next_write_finishes(
    six_of: tuple[House, Vector], change: Callable[[Gallery], int]
) -> None:
    house, templates = six_of
    old = SiteKey.load(house.site.keys)
    home = house.site.home
    for steps in range(100):
        copy = home.with_name("copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(home, copy)
        again = House(copy, new=False)

        def counted(gallery: Gallery, steps: int = steps) -> None:
            step = Countdown(steps)
            for call in ("fsync", "pwrite", "replace", "unlink", "link"):
                setattr(os, call, step.around(getattr(os, call)))
            change(gallery)

        killed = killed_at(again, -1, counted)
        everybody_is_there(again, templates)
        again.rebuild()
        is_tidy(again)
        if SiteKey.load(again.site.keys) != old:
            for path, data in again.files().items():
                assert old.secret.hex().encode() not in data, path
        written(again, rotate)
        everybody_is_there(again, templates)
        is_tidy(again)
        if not killed:
            assert steps > 10
            return
    raise AssertionError("the change does not end")


CALLS = ("open", "write", "pwrite", "pread", "fsync", "replace", "unlink", "link", "close", "fstat")


def test_any_call_fails_once_and_nothing_is_lost(
    six: tuple[House, Vector], change: Callable[[Gallery], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, templates = six
    failed = set()
    for at in range(1, 200):
        count, name_of_failed = 0, ""

        def wrapped(name: str, real: Callable[..., Any], at: int = at) -> Callable[..., Any]:
            def call(*given: Any, **named: Any) -> Any:
                nonlocal count, name_of_failed
                count += 1
                if count != at:
                    return real(*given, **named)
                name_of_failed = name
                if name == "close":  # as Linux: the handle is gone all the same
                    real(*given, **named)
                raise OSError(errno.EIO, os.strerror(errno.EIO))

            return call

        with house.open() as gallery, gallery.writing(), monkeypatch.context() as patch:
            for name in CALLS:
                patch.setattr(os, name, wrapped(name, getattr(os, name)))
            try:
                change(gallery)
            except (GalleryDamaged, ConfigurationError):
                assert name_of_failed
        if not name_of_failed:
            break
        failed.add(name_of_failed)
        everybody_is_there(house, templates)
        house.rebuild()
        everybody_is_there(house, templates)
        is_tidy(house)
    assert {"open", "pwrite", "fsync", "replace"} <= failed


# -- files that do not belong together -------------------------------------------------------------


def damaged(house: House, templates: Vector) -> dict[Path, bytes]:
    """Nothing is answered, and nothing is put beside what does not open."""
    before = {path: path.read_bytes() for path in house.site.keys.iterdir()}
    with pytest.raises(GalleryDamaged):
        house.found(templates[0])
    with pytest.raises(GalleryDamaged):
        house.enrol(("s6", "r", templates[0]))
    with pytest.raises(GalleryDamaged):
        written(house, advance)
    now = {path: path.read_bytes() for path in house.site.keys.iterdir()}
    for path, data in before.items():
        if path.suffix == ".slots":
            assert now[path] == data
    return before


def test_without_the_epoch_nothing_is_mixed_and_with_it_all_is_well(
    six: tuple[House, Vector],
) -> None:
    house, templates = six
    written(house, advance)
    epoch = house.site.keys / EPOCH_KEY
    data = epoch.read_bytes()
    epoch.unlink()
    damaged(house, templates)
    epoch.write_bytes(data)
    everybody_is_there(house, templates)


def test_slots_of_another_time_are_not_destroyed_by_wrapping_them_anew(
    six: tuple[House, Vector],
) -> None:
    house, templates = six
    old = {path: path.read_bytes() for path in house.site.keys.iterdir()}
    written(house, advance)
    now = {path: path.read_bytes() for path in house.site.keys.iterdir()}
    (house.site.keys / SUBJECTS).write_bytes(old[house.site.keys / SUBJECTS])
    with pytest.raises(GalleryDamaged, match="key that is not there"):
        written(house, advance)
    assert (house.site.keys / SUBJECTS).read_bytes() == old[house.site.keys / SUBJECTS]
    for path, data in now.items():
        path.write_bytes(data)
    everybody_is_there(house, templates)


def test_a_destroyed_slot_stays_one(six: tuple[House, Vector]) -> None:
    house, _ = six
    with house.open() as gallery, gallery.writing():
        gallery.subject_keys.destroy([0])
    for _ in range(2):
        written(house, advance)
        data = (house.site.keys / SUBJECTS).read_bytes()
        assert not is_whole(data[:SLOT])
    with house.open() as gallery, pytest.raises(GalleryDamaged, match="slot 0"):
        gallery.subject_keys.read(0)


def test_a_slot_torn_at_the_end_becomes_a_destroyed_one(six: tuple[House, Vector]) -> None:
    house, templates = six
    with (house.site.keys / SUBJECTS).open("ab") as file:
        file.write(b"torn")
    written(house, advance)
    assert (house.site.keys / SUBJECTS).stat().st_size % SLOT == 0
    everybody_is_there(house, templates)
