"""`fr gallery backup`, `restore` and `accept` as an administrator runs them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fr_cli.gallery import backup as files
from fr_cli.gallery import restoring
from fr_cli.gallery.generation import Generations
from fr_cli.gallery.vault import KeySlots, slot_of
from fr_cli.gallery.wrapping import Wrapping
from fr_cli.operations import backup as making
from fr_cli.operations import restore as restoring_operation
from fr_cli.operations.bench import Bench
from fr_cli.records import utc
from tests.conftest import Fr, jpeg, small, write_csv

COLUMNS = ("subject_id", "image", "source")


def portrait(person: str) -> bytes:
    return jpeg(small(person, "studio_portrait"))


def feed(folder: Path, *people: str) -> Path:
    folder.mkdir(exist_ok=True)
    rows = []
    for person in people:
        for kind in ("studio_portrait", "amateur_selfie"):
            (folder / f"{person}-{kind}.jpg").write_bytes(jpeg(small(person, kind)))
            rows.append((person, f"{person}-{kind}.jpg", kind))
    return write_csv(folder / "feed.csv", COLUMNS, *rows)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


def people(fr: Fr) -> list[str]:
    """Who is enrolled. That a search finds just them is what `fr gallery check` checks."""
    with contextlib.closing(sqlite3.connect(fr.home / "gallery" / "gallery.db")) as db:
        rows = db.execute("SELECT subject_id FROM subjects WHERE state = 'active' ORDER BY 1")
        return [name for (name,) in rows.fetchall()]


def findings(fr: Fr) -> list[dict[str, str]]:
    result = fr("gallery", "check", "--json")
    assert result.code == 12
    return list(result.document["findings"])


def clock(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """Let the commands think that it is some days later."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(days=days)

    for module in (making, restoring_operation):
        monkeypatch.setattr(module, "datetime", Later)


def test_what_is_backed_up_comes_back_and_is_searched(fr: Fr, place: Path) -> None:
    made = fr.json("gallery", "backup", place)
    assert (made["schema"], made["subjects"], made["references"]) == ("fr/gallery-backup/1", 5, 5)
    file = Path(made["file"])
    assert file.parent == place
    assert file.stat().st_size == made["bytes"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert Path(made["key"]).parent == fr.home / "keys" / "backups"
    assert Path(made["key"]).stat().st_mode & 0o777 == 0o600
    fr.json("enroll", feed(place / "feed", "P006"))
    done = fr.json("gallery", "restore", file, "--yes")
    assert (done["subjects"], done["references"], done["warnings"]) == (5, 5, [])
    assert done["left_out"] == {"subjects": 0, "references": 0}
    assert people(fr) == ["P001", "P002", "P003", "P004", "P005"]
    assert fr.found(portrait("P003"))[0] == "P003"
    fr.whole()
    fr.json("enroll", place / "feed" / "feed.csv")
    assert "P006" in people(fr)
    entries = [entry for entry in fr.log() if entry["cmd"] in ("gallery backup", "gallery restore")]
    assert {entry["act"] for entry in entries} == {"administration", "alteration"}
    assert entries[0]["backup"] == entries[2]["backup"] == made["id"]
    assert "P00" not in json.dumps(entries)


def test_who_was_purged_since_does_not_come_back(fr: Fr, place: Path) -> None:
    fr.json("enroll", feed(place / "feed", "P006"))
    made = fr.json("gallery", "backup", place)
    fr.json("purge", "--subject", "P002", "--yes")
    fr.json("purge", "--source", "amateur_selfie", "--yes")
    done = fr.json("gallery", "restore", made["file"], "--yes")
    assert done["left_out"] == {"subjects": 1, "references": 2}
    assert people(fr) == ["P001", "P003", "P004", "P005", "P006"]
    fr.whole()
    rejects = fr.json("enroll", feed(place / "feed", "P002", "P006"), code=100)["rejects"]
    assert [(one["subject_id"], one["reason"].split()[2]) for one in rejects] == [
        ("P002", "person"), ("P002", "person"), ("P006", "photo"),
    ]  # fmt: skip
    assert fr.json("gallery", "stats")["references"] == 5


def test_who_was_purged_since_does_not_come_back_although_the_gallery_is_lost(
    fr: Fr, place: Path
) -> None:
    fr.json("enroll", feed(place / "feed", "P006"))
    made = fr.json("gallery", "backup", place)
    fr.json("purge", "--subject", "P002", "--yes")
    fr.json("purge", "--source", "amateur_selfie", "--yes")
    fr.json("enroll", feed(place / "more", "P008"))
    fr.json("purge", "--subject", "P008", "--yes")
    shutil.rmtree(fr.home / "gallery")
    (fr.home / "gallery").mkdir()
    for path in (fr.home / "keys").glob("*.slots"):
        path.unlink()
    assert fr.json("gallery", "stats", code=10)["error"] == "GalleryMissing"
    done = fr.json("gallery", "restore", made["file"], "--yes")
    assert done["left_out"] == {"subjects": 1, "references": 2}
    assert done["unknown"] == 1  # P008 was never in the backup, so nobody knows the id
    assert "not on the list" in done["warnings"][0]
    assert "1 subject." in done["warnings"][0]
    fr.whole()
    rejects = fr.json("enroll", feed(place / "feed", "P002", "P006"), code=100)["rejects"]
    assert [one["subject_id"] for one in rejects] == ["P002", "P002", "P006"]


@pytest.mark.parametrize("damage", ["text", "cut", "old"])
def test_a_gallery_that_is_damaged_or_an_old_copy_is_replaced(
    fr: Fr, place: Path, damage: str
) -> None:
    path = fr.home / "gallery" / "gallery.db"
    old = path.read_bytes()
    made = fr.json("gallery", "backup", place)
    fr.json("purge", "--subject", "P002", "--yes")
    for side in path.parent.glob("gallery.db-*"):
        side.unlink()
    path.write_bytes(
        {"text": b"not a database", "cut": path.read_bytes()[:9000], "old": old}[damage]
    )
    fr.json("gallery", "stats", code=12)
    done = fr.json("gallery", "restore", made["file"], "--yes")
    assert done["left_out"]["subjects"] == 1
    assert people(fr) == ["P001", "P003", "P004", "P005"]
    assert fr.json("enroll", feed(place / "feed", "P002"), code=100)["added"] == 0
    fr.whole()


def test_without_the_log_a_restore_must_be_asked_for(fr: Fr, place: Path) -> None:
    made = fr.json("gallery", "backup", place, "--key", fr.home.parent)
    site_key = (fr.home / "keys" / "site.key").read_text()
    other = Fr(fr.home.parent / "other")
    other.json("init")
    key = made["key"]
    words = ("gallery", "restore", made["file"], "--key", key, "--yes")
    assert "does not know" in other.json(*words, code=2)["message"]
    # Another site key: the marks of the purged would mean nothing.
    assert "site key" in other.json(*words, "--without-log", code=3)["message"]
    (other.home / "keys" / "site.key").write_text(site_key)
    shutil.rmtree(other.home / "gallery")
    (other.home / "gallery").mkdir()
    for path in [*(other.home / "keys").glob("*.slots"), other.home / "keys" / "epoch.key"]:
        path.unlink()
    done = other.json(*words, "--without-log")
    assert done["log_knew"] is False
    assert "nobody can tell" in done["warnings"][0]
    assert people(other) == ["P001", "P002", "P003", "P004", "P005"]
    other.whole()


def test_a_key_that_has_expired_opens_nothing_and_is_destroyed(
    fr: Fr, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = fr.json("gallery", "backup", place)
    kept = place / "kept.key"
    shutil.copy(made["key"], kept)
    restore = ("gallery", "restore", made["file"], "--yes")
    assert fr.json("gallery", "backup", "--expire")["destroyed"] == []
    with monkeypatch.context() as later:
        clock(later, 31)
        assert "expired" in fr.json(*restore, code=4)["message"]
        (finding,) = findings(fr)
        assert finding["mend"] == "fr gallery backup --expire"
        assert fr.json("gallery", "backup", "--expire")["destroyed"] == [made["id"]]
        assert not Path(made["key"]).exists()
        fr.json(*restore, code=3)
        # A copy of the key, too; and one whose date was changed does not fit the backup.
        assert "expired" in fr.json(*restore, "--key", kept, code=4)["message"]
        kept.write_text(kept.read_text().replace(made["expires"], "2999-01-01T00:00:00Z"))
        assert "expired" in fr.json(*restore, "--key", kept, code=4)["message"]
    fr.whole()


def test_each_backup_destroys_the_expired_keys_of_others(
    fr: Fr, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fr.json("gallery", "backup", place)
    clock(monkeypatch, 31)
    second = fr.json("gallery", "backup", place)
    assert second["destroyed"] == [first["id"]]
    assert [path.stem for path in (fr.home / "keys" / "backups").iterdir()] == [second["id"]]


def certificate(fr: Fr, subject: str) -> dict[str, Any]:
    return dict(fr.json("purge", "--subject", subject, "--yes")["certificate"]["certificate"])


def test_the_certificate_says_until_when_a_backup_holds_who_was_purged(
    fr: Fr, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = certificate(fr, "P001")
    assert said["complete_after"] is None
    policy = fr.home / "policy.yaml"
    fr.json("gallery", "backup", place / "one.backup")
    policy.write_text(policy.read_text().replace("backup_days: 30", "backup_days: 90"))
    longest = fr.json("gallery", "backup", place / "two.backup")
    policy.write_text(policy.read_text().replace("backup_days: 90", "backup_days: 7"))
    last = fr.json("gallery", "backup", place / "three.backup")
    assert last["expires"] < longest["expires"]
    said = certificate(fr, "P002")
    assert said["complete_after"] == longest["expires"]
    assert longest["expires"] in said["remains"][0]
    assert "can be read until" in fr("purge", "--subject", "P003", "--yes").stdout
    clock(monkeypatch, 91)
    assert certificate(fr, "P004")["complete_after"] is None


@pytest.mark.parametrize("days", ["0", "x", "-1"])
def test_a_policy_with_no_time_for_backups_is_refused(fr: Fr, place: Path, days: str) -> None:
    policy = fr.home / "policy.yaml"
    policy.write_text(policy.read_text().replace("backup_days: 30", f"backup_days: {days}"))
    assert fr.json("gallery", "backup", place, code=3)["error"] == "ConfigurationError"


def test_a_home_of_before_keeps_its_keys_for_thirty_days(fr: Fr, place: Path) -> None:
    policy = fr.home / "policy.yaml"
    policy.write_text(policy.read_text().replace("backup_days: 30", ""))
    expires = fr.json("gallery", "backup", place)["expires"]
    assert expires > utc(datetime.now(UTC) + timedelta(days=29))


def test_what_cannot_be_done_is_refused_before_anything_is_written(fr: Fr, place: Path) -> None:
    made = fr.json("gallery", "backup", place)
    before = sorted(place.iterdir())
    size = len(fr.log())
    for words, code in (
        ((), 2),
        ((place, "--expire"), 2),
        ((made["file"],), 3),
        ((place / "x", "--key", place), 3),
        ((place / "x", "--key", place / "y"), 3),
        ((fr.home,), 3),
        ((fr.home / "gallery" / "x",), 3),
        ((place / "x", "--key", fr.home / "x"), 3),
    ):
        fr.json("gallery", "backup", *words, code=code)
    assert len(fr.log()) == size
    for words in ((place / "none" / "x",), (place / "x", "--key", place / "a" / "b" / "c")):
        fr.json("gallery", "backup", *words, code=3)
    assert sorted(place.iterdir()) == before
    assert len(list((fr.home / "keys" / "backups").iterdir())) == 1
    restore = ("gallery", "restore")
    assert "--yes" in fr.json(*restore, made["file"], code=2)["hint"]
    for words, code in (
        ((place / "none",), 2),
        ((place,), 2),
        ((fr.home / "policy.yaml",), 12),
        ((made["file"], "--key", fr.home / "policy.yaml"), 3),
    ):
        fr.json(*restore, *words, "--yes", code=code)
    second = fr.json("gallery", "backup", place / "second.backup")
    error = fr.json(*restore, made["file"], "--key", second["key"], "--yes", code=3)
    assert "another backup" in error["message"]
    fr.whole()


def test_a_changed_backup_changes_nothing(fr: Fr, place: Path) -> None:
    made = fr.json("gallery", "backup", place)
    file = Path(made["file"])
    whole = file.read_bytes()
    for position in range(0, len(whole), len(whole) // 12):
        changed = bytearray(whole)
        changed[position] ^= 0x04
        file.write_bytes(changed)
        fr.json("gallery", "restore", file, "--yes", code=12)
    for length in (0, 100, len(whole) - 1):
        file.write_bytes(whole[:length])
        fr.json("gallery", "restore", file, "--yes", code=12)
    assert not list((fr.home / "gallery").glob("restore*"))
    assert fr.json("gallery", "stats")["generation"] == 1
    fr.whole()


def test_a_backup_of_another_model_is_refused(
    fr: Fr, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fr_cli.operations.bench import Bench

    made = fr.json("gallery", "backup", place)
    shutil.rmtree(fr.home / "gallery")
    (fr.home / "gallery").mkdir()
    monkeypatch.setattr(Bench, "fingerprint", "ab" * 32)
    error = fr.json("gallery", "restore", made["file"], "--yes", code=13)
    assert error["error"] == "OtherModel"


@pytest.mark.parametrize("place_of", ["key", "file"])
def test_a_backup_that_fails_leaves_neither_file_nor_key(
    fr: Fr, place: Path, monkeypatch: pytest.MonkeyPatch, place_of: str
) -> None:
    real, left = os.fsync, [0 if place_of == "key" else 2]

    def failing(handle: int) -> None:
        place = os.readlink(f"/proc/self/fd/{handle}")
        if "disk" in place or "backups" in place:
            if left[0] == 0:
                raise OSError(28, "No space left on device")
            left[0] -= 1
        real(handle)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing)
        error = fr.json("gallery", "backup", place, code=3)
    assert "No space left" in error["message"]
    assert list(place.iterdir()) == []
    assert list((fr.home / "keys" / "backups").iterdir()) == []
    fr.json("gallery", "backup", place)
    fr.whole()


STEPS = (
    (restoring, "leave_out"), (restoring, "drop_damaged"), (restoring, "take_marks"),
    (KeySlots, "keep"), (KeySlots, "destroy"), (Generations, "write"),
    (restoring_operation, "state_of"),
)  # fmt: skip


@pytest.mark.parametrize(("where", "name"), STEPS, ids=lambda part: str(part).rpartition(".")[2])
def test_a_restore_that_dies_at_a_step_is_refused_or_done_and_heals(
    fr: Fr, place: Path, monkeypatch: pytest.MonkeyPatch, where: Any, name: str
) -> None:
    made = fr.json("gallery", "backup", place)
    fr.json("purge", "--subject", "P002", "--yes")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(where, name, killed)
        assert fr("gallery", "restore", made["file"], "--yes").code == 130
    assert people(fr) == ["P001", "P003", "P004", "P005"]  # the old gallery or the new one
    fr.json("gallery", "rebuild")
    fr.whole()
    fr.json("gallery", "restore", made["file"], "--yes")
    assert people(fr) == ["P001", "P003", "P004", "P005"]
    fr.whole()


def test_an_old_copy_that_is_accepted_goes_on_without_who_was_purged(fr: Fr, place: Path) -> None:
    for name in ("gallery", "keys"):
        shutil.copytree(fr.home / name, place / name)
    fr.json("purge", "--subject", "P002", "--yes")
    fr.json("enroll", feed(place / "feed", "P006"))
    for name in ("gallery", "keys"):
        shutil.rmtree(fr.home / name)
        shutil.copytree(place / name, fr.home / name)
    fr.json("gallery", "stats", code=12)
    assert fr.json("gallery", "accept", code=2)["hint"] == "Confirm it with --yes."
    done = fr.json("gallery", "accept", "--reason", "disk failure", "--yes")
    assert (done["subjects"], done["purged_again"]) == (4, 1)
    assert fr.log()[-1]["act"] == "alteration"
    assert people(fr) == ["P001", "P003", "P004", "P005"]
    fr.whole()
    fr.json("enroll", place / "feed" / "feed.csv")
    assert "P006" in people(fr)
    fr.whole()


def test_a_gallery_that_is_lost_for_good_is_begun_anew_when_that_is_accepted(
    fr: Fr, place: Path
) -> None:
    shutil.rmtree(fr.home / "gallery")
    (fr.home / "gallery").mkdir()
    assert fr.json("gallery", "accept", "--yes")["references"] == 0
    fr.json("enroll", feed(place / "feed", "P006"))
    assert people(fr) == ["P006"]
    fr.whole()


def test_a_check_finds_who_was_purged_and_is_there_again(fr: Fr) -> None:
    """Whoever put them back has also counted the change, so that nothing else tells."""
    path = fr.home / "gallery" / "gallery.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    old = path.read_bytes()
    with Bench(fr.home) as bench:
        slots = KeySlots(bench.site.keys / "subjects.slots", Wrapping(bench.site_key))
        keys = {n: slots.read(n) for n in range(len(slots))}
    fr.json("purge", "--subject", "P002", "--yes")
    with sqlite3.connect(path) as db:
        now = db.execute("SELECT * FROM meta WHERE key IN ('change', 'act', 'generation')")
        meta = now.fetchall()
    path.write_bytes(old)
    with Bench(fr.home) as bench:  # an old copy of the slots would not open any more
        (wrapping, *_) = Wrapping(bench.site_key)()
    slots.path.write_bytes(b"".join(slot_of(keys[n], wrapping) for n in range(len(keys))))
    with sqlite3.connect(path) as db:
        db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta)
    assert any(one["mend"] == "fr gallery accept" for one in findings(fr))
    assert fr.json("gallery", "accept", "--yes")["purged_again"] == 1
    fr.whole()


def test_the_format_of_a_backup_names_itself(fr: Fr, place: Path) -> None:
    made = fr.json("gallery", "backup", place / "one.backup")
    magic, header, _ = (place / "one.backup").read_bytes().split(b"\n", 2)
    assert magic + b"\n" == files.MAGIC
    assert json.loads(header) == {
        "schema": "fr/backup/1",
        **{name: made[name] for name in ("id", "origin", "made", "expires")},
    }
