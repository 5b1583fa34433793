"""Watchlists as a manager and an officer meet them; each refusal is a sentence and an entry."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from fr_cli.audit.merkle import root_of
from fr_cli.gallery import database
from tests.conftest import ENROLLED, MATED, Fr, jpeg, photo, small, write_csv
from tests.operations.test_upgrade import made_older

CHARTER = ("--purpose", "Operation Weasel", "--authorised-by", "Insp 42", "--expires", "9999-12-31")
COLUMNS = ("subject_id", "image", "reference_id", "watchlist", "source", "offence", "borough")
ROWS = (
    ("P001", "wanted", "custody", "burglary", "Camden"),
    ("P002", "wanted", "custody", "theft", "Camden"),
    ("P003", "", "custody", "burglary", "Brent"),
    ("P004", "", "street", "burglary", "Camden"),
    ("P005", "", "street", "theft", "Brent"),
)


def described(fr: Fr, folder: Path, rows: tuple[tuple[str, ...], ...] = ROWS) -> Path:
    """Let the feed say these of the people of the home; no photo changes."""
    folder.mkdir(exist_ok=True)
    lines = []
    for person, *words in rows:
        image = folder / f"{person}.jpg"
        image.write_bytes(jpeg(small(person, "studio_portrait")))
        lines.append((person, image.name, "studio_portrait.jpg", *words))
    feed = write_csv(folder / "feed.csv", COLUMNS, *lines)
    assert fr.json("enroll", feed)["added"] == 0
    return feed


@pytest.fixture
def manager(fr: Fr, tmp_path: Path) -> Fr:
    """A home whose feed says what its people are there for."""
    described(fr, tmp_path / "feed")
    return fr


def create(fr: Fr, name: str, *words: str, code: int = 0) -> dict[str, Any]:
    return fr.json("watchlist", "create", name, *CHARTER, *words, code=code)


def outcome(fr: Fr) -> dict[str, Any]:
    return fr.log()[-1]


def on(fr: Fr, name: str) -> list[str]:
    members = fr.json("watchlist", "show", name)["members"]
    return sorted(one["subject_id"] for one in members)


def compared(fr: Fr, *names: str) -> int:
    words = [word for name in names for word in ("--watchlist", name)]
    return int(fr.identify(photo(MATED), *words)["fpir"]["compared"])


def test_a_query_puts_people_on_it_and_the_search_follows(manager: Fr) -> None:
    burglars = ("--where", "offence=burglary", "--where", "borough=Camden", "--reason", "profile 7")
    would = create(manager, "burglars", *burglars, "--dry-run")
    assert (would["changed"], would["dry_run"]) == (2, True)
    assert manager.json("watchlist", "list")["watchlists"] == []
    made = create(manager, "burglars", *burglars, "--limit", "3")
    assert (made["selected"], made["changed"], made["watchlist"]["people"]) == (2, 2, 2)
    assert on(manager, "burglars") == ["P001", "P004"]
    assert compared(manager, "burglars") == 2
    assert manager.found(photo(MATED), "--watchlist", "burglars") == []
    manager.json("watchlist", "add", "burglars", "--subject", MATED, "--reason", "seen near")
    found = manager.identify(photo(MATED), "--watchlist", "burglars")
    assert [one["subject_id"] for one in found["candidates"]] == [MATED]
    assert found["fpir"]["compared"] == 3
    assert compared(manager, "burglars", "wanted") == 4
    assert compared(manager, "all") == 4
    (member,) = (
        one
        for one in manager.json("watchlist", "show", "burglars")["members"]
        if one["subject_id"] == MATED
    )
    assert (member["reason"], member["references"]) == ("seen near", 1)
    manager.json("watchlist", "remove", "burglars", "--where", "borough=Camden", "--reason", "over")
    assert on(manager, "burglars") == [MATED]
    manager.whole()


def test_the_log_says_what_was_done_and_names_nobody(manager: Fr, tmp_path: Path) -> None:
    ids = tmp_path / "ids"
    ids.write_text("P005\n\n P002 \nP005\n")
    made = create(manager, "w", "--subjects", str(ids), "--reason", "profile 7")
    assert made["changed"] == 2
    intent, *_, end = [entry for entry in manager.log() if entry["cmd"] == "watchlist create"]
    words = [intent[name] for name in ("name", "purpose", "authoriser", "expires", "limit")]
    assert words == ["w", "Operation Weasel", "Insp 42", "9999-12-31", 10_000]
    assert intent["why"] == {"reason": "profile 7"}
    members = manager.json("watchlist", "show", "w")["members"]
    uids = sorted(one["subject_uid"] for one in members)
    assert end["dec"]["root"] == root_of(uids)
    assert (end["dec"]["added"], end["dec"]["members"]) == (2, 2)
    manager.json("watchlist", "add", "w", "--where", "borough=Brent", "--reason", "profile 7")
    manager.json("watchlist", "close", "w", "--yes")
    text = manager.said()
    assert not any(person in text for person in ENROLLED)
    assert "Brent" not in text
    assert '"where": ["borough"]' in text
    close = [entry for entry in manager.log() if entry["cmd"] == "watchlist close"]
    assert [entry["act"] for entry in close] == ["erasure"] * len(close)


REFUSED = [
    (("create", "w", *CHARTER), 2, "There is a watchlist 'w'"),
    (("create", "wanted", *CHARTER), 2, "The feed calls 2 references 'wanted'"),
    (("create", "x", *CHARTER, "--limit", "10001"), 4, "at most 10,000"),
    (("create", "x", *CHARTER[:4], "--expires", "2020-01-01"), 4, "over before it begins"),
    (("create", "x", *CHARTER[:4], "--expires", "soon"), 2, "is not a day"),
    (("create", "x\n", *CHARTER), 2, "The name of a watchlist"),
    (("create", "x", *CHARTER, "--where", "offence=arson", "--reason", "r"), 2, "Nobody is"),
    (("create", "x", *CHARTER, "--where", "offense=theft", "--reason", "r"), 2, "has a column"),
    (("create", "x", *CHARTER, "--where", "offence", "--reason", "r"), 2, "no condition"),
    (("create", "x", *CHARTER, "--subject", "P001"), 2, "The reason why"),
    (("add", "w", "--subject", "P099", "--reason", "r"), 2, "Nobody is enrolled as 'P099'"),
    (("add", "w", "--subject", "P001", "--reason", "r"), 2, "stands on the watchlist 'w' already"),
    (("add", "w", "--where", "borough=Brent", "--reason", "r"), 4, "may hold 2 people"),
    (("add", "w", "--reason", "r"), 2, "Either conditions or ids"),
    (
        ("add", "w", "--subject", "P001", "--where", "offence=theft", "--reason", "r"),
        2, "Either conditions or ids",
    ),
    (("add", "w", "--subjects", "/no/such/file", "--reason", "r"), 2, "cannot be read"),
    (("add", "nobody", "--subject", "P001", "--reason", "r"), 2, "There is no watchlist"),
    (("add", "wanted", "--subject", "P001", "--reason", "r"), 2, "a label of the feed"),
    (("add", "past", "--subject", "P001", "--reason", "r"), 4, "expired on 2020-01-01"),
    (("add", "closed", "--subject", "P001", "--reason", "r"), 4, "was closed on"),
    (("remove", "w", "--subject", "P002", "--reason", "r"), 2, "Nobody of those"),
    (("remove", "closed", "--subject", "P002", "--reason", "r"), 4, "was closed on"),
    (("close", "closed", "--yes"), 4, "was closed on"),
    (("close", "nobody", "--yes"), 2, "There is no watchlist"),
    (("show", "nobody"), 2, "There is no watchlist"),
]  # fmt: skip


def test_what_is_refused_says_why_is_logged_and_changes_nothing(manager: Fr) -> None:
    create(manager, "w", "--subject", "P001", "--reason", "r", "--limit", "2")
    create(manager, "closed", "--subject", "P001", "--reason", "r")
    manager.json("watchlist", "close", "closed", "--yes")
    create(manager, "past", "--subject", "P003", "--reason", "r")
    with sqlite3.connect(manager.home / "gallery" / "gallery.db") as db:
        db.execute("UPDATE watchlists SET expires = '2020-01-01' WHERE name = 'past'")
    before = manager.json("watchlist", "list")
    for words, code, sentence in REFUSED:
        error = manager.json("watchlist", *words, code=code)
        assert sentence in error["message"], (words, error)
        assert error["hint"] or "The reason" in sentence or "The name" in sentence
        end = outcome(manager)
        assert (end["cmd"], end["exit"]) == (f"watchlist {words[0]}", code), words
        assert end["error"] == error["error"]
        assert manager.json("watchlist", "list") == before
    for name, code in (("past", 4), ("closed", 4), ("nobody", 10)):
        error = manager.identify(photo(MATED), "--watchlist", name, code=code)
        assert outcome(manager)["exit"] == code
        assert name in error["message"]
    manager.identify(photo(MATED), "--watchlist", "w", "--watchlist", "past", code=4)
    assert manager.json("watchlist", "close", "closed", code=2)["hint"] == "Confirm it with --yes."
    manager.whole()


def test_no_feed_changes_who_is_on_a_watchlist(manager: Fr, tmp_path: Path) -> None:
    create(manager, "w", "--where", "offence=burglary", "--reason", "profile 7")
    before = manager.json("watchlist", "show", "w")
    assert len(before["members"]) == 3
    # The next night everybody is described otherwise, and one is labelled by its name.
    night = tuple((row[0], "w" if row[0] == "P005" else "", "x", "other", "other") for row in ROWS)
    described(manager, tmp_path / "feed", night)
    assert manager.json("watchlist", "show", "w") == before
    assert compared(manager, "w") == 3
    (label,) = manager.json("watchlist", "list")["labels"]
    assert label == {"name": "w", "references": 1, "used": False}
    # A photo more of a member is compared with the others.
    image = tmp_path / "feed" / "more.jpg"
    image.write_bytes(jpeg(small("P001")))
    feed = write_csv(tmp_path / "feed" / "more.csv", COLUMNS[:2], ("P001", image.name))
    assert manager.json("enroll", feed)["added"] == 1
    assert compared(manager, "w") == 4


def test_who_is_purged_is_on_no_watchlist_and_stays_off(manager: Fr, tmp_path: Path) -> None:
    create(manager, "w", "--where", "offence=burglary", "--reason", "r")
    manager.json("purge", "--subject", "P001", "--yes")
    assert on(manager, "w") == ["P003", "P004"]
    manager.json("purge", "--lift", "P001", "--yes")
    assert manager.json("enroll", tmp_path / "feed" / "feed.csv")["added"] == 1
    assert on(manager, "w") == ["P003", "P004"]
    document = manager.json("purge", "--watchlist", "w", "--yes")
    assert (document["subjects"], document["references"]) == (2, 2)
    assert on(manager, "w") == []
    manager.whole()


def test_what_has_expired_is_closed_together(manager: Fr) -> None:
    assert manager.json("watchlist", "close", "--expired")["watchlists"] == []
    for name, person in (("a", "P001"), ("b", "P002"), ("c", "P003")):
        create(manager, name, "--subject", person, "--reason", "r")
    with sqlite3.connect(manager.home / "gallery" / "gallery.db") as db:
        db.execute("UPDATE watchlists SET expires = '2020-01-01' WHERE name != 'c'")
    closed = manager.json("watchlist", "close", "--expired")
    assert ([one["name"] for one in closed["watchlists"]], closed["removed"]) == (["a", "b"], 2)
    assert {one["state"] for one in closed["watchlists"]} == {"closed"}
    states = [one["state"] for one in manager.json("watchlist", "list")["watchlists"]]
    assert states == ["closed", "closed", "open"]
    (*_, end) = (one for one in manager.log() if one["cmd"] == "watchlist close")
    assert end["dec"]["closed"] == [one["id"] for one in closed["watchlists"]]
    for words in ((), ("c", "--expired")):
        assert manager.json("watchlist", "close", *words, "--yes", code=2)["hint"]
    manager.whole()


def test_a_watchlist_that_was_closed_does_not_come_back_from_a_backup(
    manager: Fr, tmp_path: Path
) -> None:
    create(manager, "closed", "--subject", "P001", "--reason", "the reason of then")
    create(manager, "open", "--subject", "P002", "--reason", "r")
    manager.json("gallery", "backup", tmp_path / "a.backup")
    manager.json("watchlist", "close", "closed", "--yes")
    manager.json("gallery", "restore", tmp_path / "a.backup", "--yes")
    states = {one["name"]: one for one in manager.json("watchlist", "list")["watchlists"]}
    assert (states["closed"]["state"], states["closed"]["people"]) == ("closed", 0)
    assert (states["open"]["state"], states["open"]["people"]) == ("open", 1)
    folder = manager.home / "gallery"
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert not any(b"the reason of then" in data for data in files)
    manager.identify(photo(MATED), "--watchlist", "closed", code=4)


def test_a_backup_of_the_schema_before_is_restored(
    manager: Fr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_older(manager.home, 3)
    with monkeypatch.context() as older:
        older.setattr(database, "VERSION", 3)
        manager.json("gallery", "backup", tmp_path / "old.backup")
    manager.json("upgrade")
    create(manager, "w", "--subject", "P001", "--reason", "r")
    assert manager.json("gallery", "restore", tmp_path / "old.backup", "--yes")["references"] == 5
    assert manager.json("watchlist", "list")["watchlists"] == []
    assert manager.found(photo(MATED)) == [MATED]
    manager.whole()


def test_where_there_are_operators_one_of_them_authorises(
    manager: Fr, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Who may make one is a matter of roles, and tested with them.
    monkeypatch.setattr("fr_cli.authority.identity.permit", lambda *_: None)
    policy = manager.home / "policy.yaml"
    policy.write_text(policy.read_text() + "\noperators:\n  weasel: {roles: [gallery-manager]}\n")
    error = create(manager, "w", code=4)
    assert "Insp 42 is not an operator" in error["message"]
    words = [*CHARTER[:3], "weasel", *CHARTER[4:]]
    assert manager.json("watchlist", "create", "w", *words)["watchlist"]["authoriser"] == "weasel"
