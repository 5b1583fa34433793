"""`fr purge` as an operator and a nightly timer run it: selectors, dry run, holds, certificate."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from fr_cli.errors import OutputFailed
from fr_cli.face import batch
from fr_cli.gallery.selection import Selection
from fr_cli.gallery.store import Store
from fr_cli.keys import load_public_key
from fr_cli.operations.bench import Bench
from fr_cli.operations.certificate import CertificateFile
from fr_cli.operations.enroll import Source, enroll
from fr_cli.operations.purge import Order, purge
from fr_cli.records import Silence
from tests.conftest import MATED, Fr, jpeg, opened, photo, small, write_csv

COLUMNS = (
    "subject_id", "image", "watchlist", "source", "retention", "review_date", "captured_at", "hold",
)  # fmt: skip
RULES = "\nretention:\n  default: null\n  custody: 30\n"


@pytest.fixture
def feed(fresh: Fr, tmp_path: Path) -> Path:
    """A home whose policy keeps custody photos for 30 days, and a feed of three people."""
    policy = fresh.home / "policy.yaml"
    text = policy.read_text()
    policy.write_text(text[: text.index("\nretention:")] + RULES)
    for person in ("P001", "P002", "P003"):
        (tmp_path / f"{person}.jpg").write_bytes(jpeg(small(person, "studio_portrait")))
    (tmp_path / "selfie.jpg").write_bytes(jpeg(small("P001")))
    old = "2020-01-01"
    feed = write_csv(
        tmp_path / "feed.csv",
        COLUMNS,
        ("P001", "P001.jpg", "wanted", "custody", "", "", "", ""),
        ("P001", "selfie.jpg", "", "street", "", "", "", ""),
        ("P002", "P002.jpg", "wanted", "custody", "custody", "", old, ""),
        ("P003", "P003.jpg", "", "custody", "custody", "", old, "TRUE"),
    )
    fresh.json("enroll", feed)
    return feed


def test_exactly_one_selector_is_taken(fresh: Fr, feed: Path) -> None:
    for words in ((), ("--all", "--expired"), ("--subject", "P001", "--all"), ("--watchlist", "")):
        error = fresh.json("purge", *words, "--yes", code=2)
        assert error["error"] == "UsageProblem"
    assert fresh.json("purge", "--all", code=2)["hint"] == "Confirm it with --yes."
    for selector in ("--watchlist", "--source"):
        assert "gallery stats" in fresh.json("purge", selector, "no", "--yes", code=2)["hint"]
    for other in (("--lift", "P001", "--dry-run"), ("--all", "--dry-run", "--certificate", "c")):
        assert fresh.json("purge", *other, "--yes", code=2)["error"] == "UsageProblem"
    assert fresh.json("gallery", "stats")["references"] == 4


def test_in_a_home_whose_policy_has_no_retention_nothing_expires_by_age(
    fresh: Fr, feed: Path
) -> None:
    policy = fresh.home / "policy.yaml"
    policy.write_text(policy.read_text().replace(RULES, ""))
    document = fresh.json("purge", "--expired")
    assert document["references"] == 0
    assert document["warnings"] == [
        "Kept in doubt, 1 reference: group custody is not in the policy."
    ]
    policy.write_text(policy.read_text() + "\nretention: {custody: 0}\n")
    assert fresh.json("purge", "--expired", code=3)["error"] == "ConfigurationError"


def test_a_dry_run_says_what_would_go_and_what_keeps_the_rest_and_changes_nothing(
    fresh: Fr, feed: Path
) -> None:
    before = {path: path.read_bytes() for path in (fresh.home / "keys").iterdir()}
    plan = fresh.json("purge", "--expired", "--dry-run")
    assert plan["schema"] == "fr/purge-dry-run/1"
    assert plan["going"] == [
        {
            "subject_id": "P002",
            "reference_id": "P002.jpg",
            "rule": "group custody: older than 30 days",
        }
    ]
    assert (plan["subjects"], plan["in_part"], plan["warnings"]) == (1, 0, [])
    assert [(one["subject_id"], one["rule"]) for one in plan["staying"]] == [
        ("P001", "group default: no limit"), ("P001", "group default: no limit"), ("P003", "hold"),
    ]  # fmt: skip
    assert {one["rule"]: one["references"] for one in plan["kept"]} == {
        "group default: no limit": 2, "hold": 1,
    }  # fmt: skip
    intent, outcome = fresh.log()[-2:]
    assert (intent["act"], intent["dry_run"], intent["scope"]) == (
        "administration",
        True,
        "expired",
    )
    del outcome["dec"]["gallery_known"]
    assert outcome["dec"] == {"kept": 3, "references": 1, "subjects": 1}
    shown = fresh("purge", "--all", "--dry-run").stdout
    assert "would go" in shown
    assert "1 would be kept: hold." in shown
    assert before == {path: path.read_bytes() for path in (fresh.home / "keys").iterdir()}
    assert fresh.json("gallery", "stats")["references"] == 4
    fresh.whole()


def test_what_has_expired_goes_every_night_without_a_question(fresh: Fr, feed: Path) -> None:
    document = fresh.json("purge", "--expired")
    assert (document["subjects"], document["references"]) == (1, 1)
    assert document["certificate"]["certificate"]["rules"] == {
        "group custody: older than 30 days": 1
    }
    assert fresh.found(feed.parent / "P002.jpg") == []
    assert fresh.found(feed.parent / "P003.jpg") == ["P003"]
    again = fresh.json("purge", "--expired")
    assert (again["subjects"], again["generation"]) == (0, document["generation"])
    # The feed still lists the expired photo, which must not come back for a night.
    assert fresh.json("enroll", feed, code=100)["rejects"][0]["error"] == "Purged"
    assert fresh.json("enroll", feed)["rejected_before"] == 1
    fresh.whole()


def test_what_no_rule_can_be_told_for_is_kept_and_said(fresh: Fr, feed: Path) -> None:
    write_csv(feed, COLUMNS, ("P001", "P001.jpg", "", "", "custdy", "", "2020-01-01", ""))
    fresh.json("enroll", feed)
    (warning,) = fresh.json("purge", "--expired", "--dry-run")["warnings"]
    assert warning == "Kept in doubt, 1 reference: group custdy is not in the policy."
    assert "custdy" in fresh("purge", "--expired").stdout


def test_a_hold_that_cannot_be_read_refuses_the_line(fresh: Fr, feed: Path) -> None:
    write_csv(feed, COLUMNS, ("P001", "P001.jpg", "", "", "", "", "", "ture"))
    (reject,) = fresh.json("enroll", feed, code=100)["rejects"]
    assert reject["reason"] == "hold is neither true nor false"


def test_a_hold_keeps_a_subject_from_every_selector_until_it_is_overruled(
    fresh: Fr, feed: Path
) -> None:
    error = fresh.json("purge", "--subject", "P003", "--yes", code=4)
    assert "--include-held" in error["hint"]
    assert fresh.json("purge", "--all", "--yes")["kept"] == [{"rule": "hold", "references": 1}]
    assert fresh.found(feed.parent / "P003.jpg") == ["P003"]
    fresh.json("purge", "--subject", "P003", "--include-held", "--yes")
    assert fresh.log()[-4]["include_held"] is True
    assert fresh.json("gallery", "stats")["subjects"] == 0
    fresh.whole()


def test_a_subject_with_references_elsewhere_keeps_those(fresh: Fr, feed: Path) -> None:
    document = fresh.json("purge", "--watchlist", "wanted", "--yes")
    assert (document["subjects"], document["in_part"], document["references"]) == (1, 1, 2)
    assert fresh.found(photo("P001")) == ["P001"]
    rejects = fresh.json("enroll", feed, code=100)["rejects"]
    assert [(one["subject_id"], one["reason"]) for one in rejects] == [
        ("P001", "purged: this photo may no longer be kept"),
        ("P002", "purged: this person may no longer be kept"),
    ]
    assert fresh.json("purge", "--source", "street", "--yes")["subjects"] == 1
    assert fresh.json("gallery", "stats")["subjects"] == 1
    fresh.whole()


def test_a_photo_that_stays_under_another_id_is_said(fresh: Fr, feed: Path) -> None:
    rows = [(subject, "P002.jpg", "", "", "", "", "", "") for subject in ("P002", "other")]
    write_csv(feed, COLUMNS, *rows)
    fresh.json("enroll", feed)
    assert fresh.json("purge", "--subject", "P002", "--yes")["shared_images"] == 1
    assert fresh.found(feed.parent / "P002.jpg") == ["other"]
    # They are known under the other id, so the feed changes nothing there.
    document = fresh.json("enroll", feed, code=100)
    assert (document["unchanged"], document["rejected"]) == (1, 1)
    assert "still found" not in fresh("purge", "--subject", "other", "--yes").stdout


def test_the_certificate_is_signed_and_names_nobody(fresh: Fr, feed: Path) -> None:
    path = feed.parent / "certificate.json"
    words = ("--reason", "Order 7/26", "--certificate", path, "--yes")
    document = fresh.json("purge", "--source", "custody", *words)
    signed = json.loads(path.read_text())
    assert signed == document["certificate"]
    said = signed["certificate"]
    body = rfc8785.dumps(said)
    key = load_public_key(fresh.home / "keys" / "audit.pub")
    key.verify(base64.b64decode(signed["signature"]), body)
    assert b"P00" not in body
    assert (said["selection"], said["reason"], said["grade"]) == (
        "source custody", "Order 7/26", "crypto-soft",
    )  # fmt: skip
    assert [one["whole"] for one in said["subjects"]] == [False, True]
    assert (said["references"], said["rules"]) == (2, {"source custody": 2})
    assert said["audit"] == document["audit"]
    intent, batch, _, outcome = fresh.log()[-4:]
    assert said["act"] == intent["req"]
    assert intent["why"] == {"reason": "Order 7/26"}
    assert batch["purging"] == said["subjects"]
    assert batch["root"] == outcome["dec"]["root"] == said["root"]
    # An older certificate is not written over, and nothing is purged without one.
    write_csv(feed, COLUMNS, ("P009", "selfie.jpg", "", "", "", "", "", ""))
    assert fresh.json("purge", "--all", *words, code=3)["error"] == "ConfigurationError"
    assert fresh.json("gallery", "stats")["references"] == 2
    assert not (feed.parent / "none.json").exists()
    inside = fresh.home / "keys" / "c.json"
    fresh.json("purge", "--all", "--yes", "--certificate", inside, code=3)
    fresh.json("purge", "--subject", "x", "--yes", "--certificate", feed.parent / "n", code=2)
    assert not (feed.parent / "n").exists()


@pytest.mark.parametrize("words", [("--subject", "P002"), ("--source", "custody")])
def test_a_purge_cut_short_is_finished_and_certified_by_the_same_command(
    fresh: Fr, feed: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Store, "scrub", killed)
        assert fresh("purge", *words, "--yes").code == 130
    assert fresh.found(feed.parent / "P002.jpg") == []
    document = fresh.json("purge", *words, "--yes")
    said = document["certificate"]["certificate"]
    if words[0] == "--subject":
        assert (document["subjects"], document["references"]) == (1, 1)
        assert [one["whole"] for one in said["subjects"]] == [True]
    else:
        assert (document["subjects"], document["finished"]) == (0, 2)
        assert [one["whole"] for one in said["finished"]] == [True, False]
    begun = next(entry for entry in fresh.log() if "purging" in entry)
    (finished,) = [entry for entry in fresh.log() if "finished_purge" in entry]
    key = json.dumps
    assert sorted(map(key, finished["finished_purge"])) == sorted(map(key, begun["purging"]))
    fresh.whole()


def test_who_is_purged_while_a_feed_is_being_enrolled_is_not_brought_back_by_it(
    fresh: Fr, feed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The photo was looked up before the purge, and is committed after it."""
    with Bench(fresh.home) as bench:
        purge(Order(Selection("subject", "P002")), bench)
        gone = [feed.parent / "P002.jpg"]
        fresh.json("purge", "--lift", "P002", "--yes")
        real = batch.templates

        def purged_meanwhile(*values: Any, **named: Any) -> Any:
            made = list(real(*values, **named))
            fresh.json("enroll", feed)
            fresh.json("purge", "--subject", "P002", "--yes")
            return iter(made)

        calls = []

        def once(*values: Any, **named: Any) -> Any:
            calls.append(1)
            return (purged_meanwhile if len(calls) == 1 else real)(*values, **named)

        monkeypatch.setattr(batch, "templates", once)
        result = enroll(Source(feed), bench, Silence())
    assert result.added == 0
    assert [one.error for one in result.rejects] == ["Purged"]
    assert fresh.found(gone[0]) == []


def test_a_purge_finished_on_the_way_is_certified_as_another_commands(
    fresh: Fr, feed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Store, "scrub", killed)
        fresh("purge", "--subject", "P002", "--yes")
    document = fresh.json("purge", "--subject", "P001", "--yes")
    assert (document["subjects"], document["references"], document["finished"]) == (1, 2, 1)
    said = document["certificate"]["certificate"]
    assert [one["references"] for one in said["subjects"]] == [2]
    assert [one["references"] for one in said["finished"]] == [1]


def test_a_certificate_that_the_disk_does_not_take_is_said_to_be_of_a_purge_that_is_done(
    tmp_path: Path,
) -> None:
    path = tmp_path / "c.json"
    with CertificateFile(path) as file:
        file._file.close()
        file._file = Path("/dev/full").open("wb")  # noqa: SIM115
        with pytest.raises(OutputFailed) as caught:
            file.write({})
    assert "The purge is done" in caught.value.hint
    assert not path.exists()


def test_marks_of_purges_of_long_ago_end_where_the_policy_says_so(fr: Fr, tmp_path: Path) -> None:
    fr.json("purge", "--subject", MATED, "--yes")
    fr.json("purge", "--subject", "P001", "--yes")
    with opened(fr) as (_, gallery):
        alias = gallery.alias("P001")
        gallery.store.db.execute(
            "UPDATE suppressed SET purged_at = '2020-01-01T00:00:00Z' WHERE subject = ?", (alias,)
        )
    assert fr.json("purge", "--expired")["marks_ended"] == 0  # null: for good
    policy = fr.home / "policy.yaml"
    policy.write_text(policy.read_text().replace("suppression_days: null", "suppression_days: 365"))
    assert fr.json("purge", "--expired")["marks_ended"] == 2
    assert fr.log()[-1]["dec"]["marks_ended"] == 2
    for person in ("P001", MATED):
        (tmp_path / "again" / person).mkdir(parents=True)
        image = jpeg(small(person, "studio_portrait"))
        (tmp_path / "again" / person / "studio_portrait.jpg").write_bytes(image)
    document = fr.json("enroll", tmp_path / "again", code=100)
    assert document["added"] == 1
    assert [one["error"] for one in document["rejects"]] == ["Purged"]
    assert fr.found(photo("P001"))[0] == "P001"
