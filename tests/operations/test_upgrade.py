"""`fr upgrade`: a home of before is refused with the way out, brought up, and the same after it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fr_cli.authority.policy import Policy, added, default_policy, load_policy
from fr_cli.errors import ConfigurationError
from fr_cli.gallery import database
from fr_cli.gallery.schema import VERSION
from fr_cli.operations.bench import Bench
from fr_cli.operations.upgrade import upgrade
from tests.conftest import MATED, Fr, jpeg, photo, small, write_csv

#: The schema that version 0.1 of a gallery had, as it was.
TWO = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE subjects (
    pk INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    subject_id TEXT NOT NULL UNIQUE,
    slot INTEGER NOT NULL UNIQUE,
    state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'purging')),
    enrolled_at TEXT NOT NULL
) STRICT;
CREATE TABLE refs (
    pk INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    subject INTEGER NOT NULL REFERENCES subjects (pk),
    reference_id TEXT NOT NULL,
    image_key TEXT NOT NULL,
    watchlist TEXT NOT NULL,
    provenance TEXT NOT NULL,
    quality TEXT NOT NULL,
    sealed BLOB NOT NULL,
    act TEXT NOT NULL,
    enrolled_at TEXT NOT NULL,
    UNIQUE (subject, reference_id),
    UNIQUE (subject, image_key)
) STRICT;
CREATE INDEX refs_image ON refs (image_key);
CREATE INDEX refs_watchlist ON refs (watchlist);
CREATE TABLE removed (pk INTEGER PRIMARY KEY) STRICT;
CREATE TABLE rejects (image_key TEXT PRIMARY KEY, reason TEXT NOT NULL, seen_at TEXT NOT NULL)
    STRICT;
CREATE TABLE suppressed (
    mark TEXT NOT NULL,
    subject TEXT NOT NULL,
    purged_at TEXT NOT NULL,
    PRIMARY KEY (mark, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX suppressed_subject ON suppressed (subject);
PRAGMA application_id = 0x66723031;
PRAGMA user_version = 2;
"""
TABLES = ("meta", "subjects", "refs", "removed", "rejects", "suppressed")
KILLED = 9


def age(home: Path) -> None:
    """Make the gallery and the policy of a home what they were before photos could be kept."""
    new, old = home / "gallery" / "gallery.db", home / "gallery" / "old.db"
    with contextlib.closing(sqlite3.connect(old)) as db:
        db.executescript(TWO)
        db.execute("ATTACH ? AS new", (str(new),))
        for table in TABLES:
            db.execute(f"INSERT INTO {table} SELECT * FROM new.{table}")
        db.commit()
    for path in new.parent.glob("gallery.db*"):
        path.unlink()
    old.replace(new)
    new.chmod(0o600)
    policy = home / "policy.yaml"
    text = policy.read_text().partition("\n# Whether the enrolled photos")[0]
    policy.write_text("# The force's own words.\n" + text)
    policy.chmod(0o640)


@pytest.fixture
def old(fr: Fr) -> Fr:
    """A home of before."""
    age(fr.home)
    return fr


def test_an_older_gallery_is_refused_with_the_command_that_brings_it_up(old: Fr) -> None:
    for words in (("identify", photo(MATED), "--case", "1", "--reason", "test"),
                  ("gallery", "check"), ("purge", "--all", "--yes")):  # fmt: skip
        error = old.json(*words, code=ConfigurationError.code)
        assert "schema 2" in error["message"]
        assert "fr upgrade" in error["hint"]


def test_an_older_home_is_brought_up_and_does_what_it_did(old: Fr, tmp_path: Path) -> None:
    words = (old.home / "policy.yaml").read_text()
    document = old.json("upgrade")
    assert document["schema"] == "fr/upgrade/1"
    assert document["steps"][0] == "gallery: schema 3"
    assert {"policy: keep_photos", "policy: suppression_days"} <= set(document["steps"])
    assert old.found(photo(MATED))[0] == MATED
    after = (old.home / "policy.yaml").read_text()
    assert after.startswith(words.rstrip("\n"))
    assert "# Whether the enrolled photos are kept" in after
    assert (old.home / "policy.yaml").stat().st_mode & 0o777 == 0o640
    intent, *batches, outcome = [entry for entry in old.log() if entry["cmd"] == "upgrade"]
    assert [entry["step"] for entry in batches] == document["steps"]
    assert outcome["dec"]["steps"] == document["steps"]
    assert outcome["dec"]["policy"] == load_policy(old.home / "policy.yaml")[1] != intent["policy"]
    # What is new works: photos are kept.
    policy = old.home / "policy.yaml"
    policy.write_text(after.replace("keep_photos: false", "keep_photos: true"))
    image = tmp_path / "new.jpg"
    image.write_bytes(jpeg(small("P008", "studio_portrait")))
    feed = write_csv(tmp_path / "feed.csv", ("subject_id", "image"), ("new", image))
    assert old.json("enroll", feed)["photos"] == 1
    old.whole()
    assert old.json("upgrade")["steps"] == []
    assert "of this version already" in old("upgrade").stdout


def test_a_home_without_a_gallery_is_brought_up(fresh: Fr) -> None:
    assert fresh.json("upgrade")["steps"] == []


@pytest.mark.parametrize("version", [1, VERSION + 1, 99])
def test_what_no_step_leads_from_is_for_the_version_that_made_it(fr: Fr, version: int) -> None:
    with contextlib.closing(sqlite3.connect(fr.home / "gallery" / "gallery.db")) as db:
        db.execute(f"PRAGMA user_version={version}")
    for words in (("upgrade",), ("gallery", "stats")):
        error = fr.json(*words, code=ConfigurationError.code)
        assert f"schema {version}" in error["message"]
        assert "use that version" in error["hint"]


def test_a_policy_that_cannot_be_written_is_said_and_the_gallery_is_up(
    old: Fr, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def refused(self: Path, target: Path) -> Path:
        if self.name == "policy.yaml.new":
            raise PermissionError(13, "Permission denied")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refused)
    assert "policy" in old.json("upgrade", code=3)["message"]
    monkeypatch.undo()
    monkeypatch.setenv("FR_HOME", str(old.home))
    steps = old.json("upgrade")["steps"]
    assert [step.partition(":")[0] for step in steps] == ["policy"] * len(steps)
    assert steps
    old.whole()


def test_what_is_added_to_a_policy_changes_nothing() -> None:
    """The values that are written are those that hold where nothing is written."""
    needed = [name for name, field in Policy.model_fields.items() if field.is_required()]
    whole = yaml.safe_load(default_policy())
    bare = yaml.safe_dump({name: whole[name] for name in needed}).encode()
    names, text = added(bare)
    assert set(names) == set(Policy.model_fields) - set(needed)
    assert yaml.safe_load(bare + text) == whole
    before = Policy.model_validate(yaml.safe_load(bare))
    assert Policy.model_validate(yaml.safe_load(bare + text)) == before
    assert added(bare + text)[0] == []
    assert added(default_policy())[0] == []


# -- cut short at every step -----------------------------------------------------------------


class Countdown:
    """Ends the process before the n-th write."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*values: Any, **named: Any) -> Any:
            if self.left == 0:
                os._exit(KILLED)
            self.left -= 1
            return call(*values, **named)

        return stepped


class Watched:
    """A connection whose statements are steps."""

    def __init__(self, db: Any, step: Countdown) -> None:
        self._db, self.execute = db, step.around(db.execute)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


def killed_at(home: Path, steps: int) -> bool:
    """Upgrade in a child that dies at that step; False if it ended before."""
    child = os.fork()
    if not child:
        code = 1
        try:
            step, connect = Countdown(steps), database._connect
            for name in ("fsync", "replace", "open"):
                setattr(os, name, step.around(getattr(os, name)))
            database._connect = lambda path: Watched(connect(path), step)  # type: ignore
            with Bench(home) as bench:
                upgrade(bench)
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, KILLED)
    return code == KILLED


def test_cut_short_at_any_step_the_home_is_old_or_new_and_comes_up_the_next_time(
    old: Fr, tmp_path: Path
) -> None:
    versions = []
    for steps in range(0, 400):
        copy = Fr(tmp_path / "copy")
        shutil.rmtree(copy.home, ignore_errors=True)
        shutil.copytree(old.home, copy.home)
        killed = killed_at(copy.home, steps)
        with contextlib.closing(sqlite3.connect(copy.home / "gallery" / "gallery.db")) as db:
            versions.append(db.execute("PRAGMA user_version").fetchone()[0])
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
            assert ("photos" in tables) == ("dead_slots" in tables) == (versions[-1] == 3)
        load_policy(copy.home / "policy.yaml")
        with Bench(copy.home) as bench:
            upgrade(bench)
            assert upgrade(bench).steps == ()
        if not killed:
            break
    assert steps > 20
    assert versions == sorted(versions)
    assert set(versions) == {2, 3}
    copy.whole()
    assert copy.found(photo(MATED))[0] == MATED
