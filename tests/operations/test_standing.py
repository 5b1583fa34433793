"""A gallery that was put back, or put forward, is not the one that the log knows."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from fr_cli.audit.backwards import newest_first
from fr_cli.audit.log import Act, AuditLog
from fr_cli.gallery.database import Database, State
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.rejects import remember_rejects
from fr_cli.gallery.store import Store
from fr_cli.keys import SigningKey
from fr_cli.operations import standing
from fr_cli.operations.bench import Bench
from fr_cli.operations.standing import Known, newest_state
from tests.conftest import Fr, jpeg, small, write_csv

FIRST = State(1, "a" * 32, 0)
SECOND = State(2, "b" * 32, 1)


def feed(folder: Path, *people: str) -> Path:
    for person in people:
        (folder / f"{person}.jpg").write_bytes(jpeg(small(person, "studio_portrait")))
    return write_csv(
        folder / "feed.csv", ("subject_id", "image"), *((one, f"{one}.jpg") for one in people)
    )


def kept(fr: Fr, *names: str) -> Path:
    """A copy of folders of the home, as somebody makes it with cp."""
    copy = fr.home.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    for name in names:
        shutil.copytree(fr.home / name, copy / name)
    return copy


def put_back(fr: Fr, copy: Path) -> None:
    for folder in copy.iterdir():
        shutil.rmtree(fr.home / folder.name)
        shutil.copytree(folder, fr.home / folder.name)


# -- reading the log ------------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    for name in ("audit", "keys"):
        (tmp_path / name).mkdir()
    return AuditLog.create(tmp_path / "audit", SigningKey.create(tmp_path / "keys"), "test/log")


def stated(state: State) -> dict[str, Any]:
    return {"change": state.change, "act": state.act, "generation": state.generation}


def test_without_a_statement_the_log_knows_the_first_state_of_all(log: AuditLog) -> None:
    assert newest_state(log.path) == Known(State(), 1)


def test_the_newest_statement_counts(log: AuditLog) -> None:
    with log.act("enroll", "collection") as act:
        act.batch(gallery_state=stated(FIRST))
        act.batch(gallery_state=stated(SECOND))
    assert newest_state(log.path) == Known(SECOND, 5)


def test_a_repetition_is_enough_and_saves_reading_on(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    with log.act("enroll", "collection") as act:
        act.batch(gallery_state=stated(FIRST))
    for _ in range(50):
        with log.act("identify", "consultation") as act:
            act.decide(**newest_state(log.path).repeated())
    read = []
    real = newest_first

    def counted(path: Path) -> Any:
        for line in real(path):
            read.append(line)
            yield line

    monkeypatch.setattr(standing, "newest_first", counted)
    assert newest_state(log.path).state == FIRST
    assert len(read) < 5


def test_what_is_repeated_late_does_not_hide_what_was_stated_meanwhile(log: AuditLog) -> None:
    """A search reads the log, an enrolment states a change, then the search writes its outcome."""
    with log.act("enroll", "collection") as act:
        act.batch(gallery_state=stated(FIRST))
    with log.act("identify", "consultation") as search:
        search.decide(**newest_state(log.path).repeated())
        with log.act("enroll", "collection") as act:
            act.batch(gallery_state=stated(SECOND))
    assert newest_state(log.path).state == SECOND


def test_a_case_number_that_looks_like_a_statement_is_none(log: AuditLog) -> None:
    case = json.dumps({"gallery_state": stated(SECOND)})
    with log.act("identify", "consultation", why={"case": case, "gallery_state": stated(SECOND)}):
        pass
    assert newest_state(log.path).state == State()


# -- commands -------------------------------------------------------------------------------------


def test_an_old_copy_of_the_gallery_is_refused_by_every_command(fr: Fr, tmp_path: Path) -> None:
    old = kept(fr, "gallery", "keys")  # with the keys, so that nothing else gives it away
    fr.json("purge", "--subject", "P002", "--yes")
    put_back(fr, old)
    portrait = jpeg(small("P002", "studio_portrait"))
    for words in (
        ("gallery", "stats"), ("gallery", "check"), ("gallery", "rebuild"),
        ("purge", "--all", "--yes"), ("enroll", feed(tmp_path, "P006")),
        ("verify", tmp_path / "P006.jpg", "P002", "--case", "1", "--reason", "test"),
    ):  # fmt: skip
        error = fr.json(*words, code=12)
        assert "older than the log" in error["message"]
        assert "fr gallery restore" in error["hint"]
    fr.identify(portrait, code=12)
    assert fr.log()[-1]["error"] == "GalleryDamaged"


def test_an_old_copy_is_refused_after_many_searches_too(fr: Fr, tmp_path: Path) -> None:
    old = kept(fr, "gallery")
    fr.json("enroll", feed(tmp_path, "P006"))
    for _ in range(3):
        assert fr.found(tmp_path / "P006.jpg")[0] == "P006"
    put_back(fr, old)
    fr.identify(tmp_path / "P006.jpg", code=12)


def test_a_gallery_that_is_gone_is_not_begun_anew_by_the_feed(fr: Fr, tmp_path: Path) -> None:
    shutil.rmtree(fr.home / "gallery")
    (fr.home / "gallery").mkdir()
    error = fr.json("enroll", feed(tmp_path, "P006"), code=10)
    assert "the log knows one" in error["message"]
    assert not (fr.home / "gallery" / "gallery.db").exists()


def test_a_gallery_that_the_log_does_not_know_is_refused(fr: Fr, tmp_path: Path) -> None:
    old = kept(fr, "audit")
    fr.json("enroll", feed(tmp_path, "P006"))
    put_back(fr, old)
    assert "newer than the log" in fr.json("gallery", "stats", code=12)["message"]


def test_another_gallery_of_the_same_number_of_changes_is_refused(fr: Fr, tmp_path: Path) -> None:
    old = kept(fr, "gallery", "audit", "keys")
    fr.json("enroll", feed(tmp_path, "P006"))
    other = fr.home.with_name("other")
    shutil.copytree(fr.home / "gallery", other / "gallery")
    put_back(fr, old)
    fr.json("enroll", feed(tmp_path, "P008"))
    put_back(fr, other)
    assert "not the one" in fr.json("gallery", "stats", code=12)["message"]


def test_a_home_whose_log_never_stated_anything_goes_on(fr: Fr) -> None:
    """As one that was made by an older fr."""
    with sqlite3.connect(fr.home / "gallery" / "gallery.db") as db:
        db.execute("DELETE FROM meta WHERE key IN ('change', 'act')")
    shutil.rmtree(fr.home / "audit")
    (fr.home / "audit").mkdir()
    settings = (fr.home / "site.yaml").read_text()
    origin = settings.split("origin: ")[1].split()[0]
    AuditLog.create(fr.home / "audit", SigningKey.load(fr.home / "keys"), origin)
    assert fr.json("gallery", "stats")["references"] == 5
    fr.json("purge", "--subject", "P002", "--yes")
    fr.whole()


@pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 8])
def test_a_change_that_was_cut_short_before_it_was_stated_heals(
    fr: Fr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """The process dies right behind the n-th commit of a purge."""
    real, left = Database.transaction, [after]

    def dying(self: Database) -> Any:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return real(self)

    with monkeypatch.context() as patched:
        patched.setattr(Database, "transaction", dying)
        fr("purge", "--subject", "P002", "--yes")
    assert "P002" not in fr.found(jpeg(small("P002", "studio_portrait"))) or not after
    fr.json("gallery", "rebuild")
    fr.whole()


def test_a_search_does_not_fail_because_an_enrolment_passes_between_log_and_gallery(
    fr: Fr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, done = standing.newest_state, list[int]()

    def overtaken(log: Path) -> Known:
        known = real(log)
        if not done:
            done.append(1)
            fr.json("enroll", feed(tmp_path, "P006"))
            fr.json("gallery", "rebuild")
        return known

    monkeypatch.setattr(standing, "newest_state", overtaken)
    assert fr.found(jpeg(small("P001", "studio_portrait"))) == ["P001"]
    assert done
    fr.whole()


def test_what_is_written_beside_the_lock_does_not_look_like_another_gallery(
    fr: Fr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run remembers its rejects while another one holds the lock and states its change."""
    real, done = standing.state_of, list[int]()

    def meanwhile(gallery: Gallery, before: State | None, act: Act) -> None:
        if not done:
            done.append(1)
            with Bench(fr.home) as bench, bench.audit.act("enroll", "collection") as another:
                other = Store.open(gallery.folder / "gallery.db")
                other.act = another.id
                remember_rejects(other, [("key", "reason")])
                other.close()
        real(gallery, before, act)

    monkeypatch.setattr(standing, "state_of", meanwhile)
    fr.json("gallery", "rebuild")
    assert done
    fr.whole()
