"""A home of the schema before is brought up, logged, and then used as before."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.conftest import MATED, Fr, photo

#: What takes a database back to the schema before.
BACK = {
    3: ("DROP TABLE members", "DROP TABLE watchlists"),
    2: (
        "DROP TABLE photos", "DROP TABLE drafts", "DROP INDEX subjects_purging",
        "DROP TABLE dead_slots",
    ),
}  # fmt: skip


def made_older(home: Path, version: int = 2) -> None:
    """Take the database back to an older schema: without what later ones added."""
    db = sqlite3.connect(home / "gallery" / "gallery.db")
    for schema, statements in BACK.items():
        for statement in statements if schema >= version else ():
            db.execute(statement)
    db.execute(f"PRAGMA user_version={version}")
    db.close()


@pytest.mark.parametrize(("version", "steps"), [(2, [3, 4]), (3, [4])])
def test_an_older_gallery_names_the_command_and_works_after_it(
    fr: Fr, version: int, steps: list[int]
) -> None:
    made_older(fr.home, version)
    refused = fr.identify(photo(MATED), code=3)
    assert "fr upgrade" in refused["hint"]
    assert fr.json("upgrade")["gallery"] == steps
    assert fr.found(photo(MATED)) == [MATED]
    fr.json("purge", "--subject", MATED, "--yes")
    assert fr.found(photo(MATED)) == []
    assert fr.json("upgrade")["gallery"] == []
    fr.whole()
    decisions = [entry["dec"] for entry in fr.log() if entry["cmd"] == "upgrade" and "dec" in entry]
    assert [decision["gallery"] for decision in decisions] == [steps, []]


def test_a_gallery_of_a_later_version_is_left_alone(fr: Fr) -> None:
    db = sqlite3.connect(fr.home / "gallery" / "gallery.db")
    db.execute("PRAGMA user_version=99")
    db.close()
    for command in (["upgrade"], ["gallery", "check"]):
        refused = fr.json(*command, code=3)
        assert "99" in refused["message"]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_an_upgrade_that_was_cut_short_is_made_again(
    fr: Fr, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fr_cli.gallery import schema

    made_older(fr.home)
    whole = schema.STEPS[3]
    with monkeypatch.context() as cut:
        cut.setitem(schema.STEPS, 3, [*whole[:steps], "SELECT * FROM no_such_table"])
        assert fr("upgrade").code != 0
    assert fr.json("upgrade")["gallery"] == [3, 4]
    assert fr.found(photo(MATED)) == [MATED]
    fr.whole()


def test_a_home_without_a_gallery_has_nothing_to_upgrade(fresh: Fr) -> None:
    assert fresh.json("upgrade")["gallery"] == []
