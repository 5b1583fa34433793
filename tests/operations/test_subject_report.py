"""`fr report --subject`: what is held on one person, and nothing of anybody else."""

from __future__ import annotations

import contextlib

from fr_cli.gallery import watchlists
from fr_cli.gallery.store import Store
from fr_cli.gallery.watchlists import Watchlist
from tests.conftest import Fr
from tests.operations.story import ALICE, BOB, entries, says, search, uids

TO = ("--to", "the person herself")


def test_it_says_what_is_held_who_searched_and_what_was_decided(fr: Fr) -> None:
    one = search(fr, "P001", "P003", by=ALICE, case="CR/1")
    says(fr, BOB, one, P001="confirmed", P003="rejected")
    fr.json("outcome", one, "arrest", "--reason", "custody record")
    two = search(fr, "P003", by=BOB, case="CR/2")
    says(fr, BOB, two, P003="confirmed")
    fr.json("outcome", two, "released", "--reason", "custody record")
    search(fr, "P002", by=BOB, case="CR/3")
    found = fr.json("report", "--subject", "P003", *TO, "--reason", "request of 2 March")
    (held,) = found["references"]
    assert held["reference_id"] == "studio_portrait.jpg"
    assert held["rule"] == "group default: no limit"
    assert held["provenance"]["image"] == "P003/studio_portrait.jpg"
    assert (found["templates"], found["photos"], found["purged_at"]) == (1, 0, None)
    seen = {row["search_id"]: row for row in found["searches"]}
    assert set(seen) == {one, two}
    assert (seen[one]["operator"], seen[one]["case"], seen[one]["rank"]) == ("alice", "CR/1", 2)
    # Somebody else was confirmed and arrested: that is not about this person.
    assert (seen[one]["decision"], seen[one]["outcomes"]) == ("rejected", [])
    assert (seen[two]["decision"], seen[two]["outcomes"]) == ("confirmed", ["released"])
    assert [row["command"] for row in found["acts"]] == ["enroll"]
    text = fr("report", "--subject", "P003", *TO).stdout
    assert "P001" not in text
    assert "Photos: none kept." in text
    intent, outcome = entries(fr, "report subject")[:2]
    assert (intent["act"], intent["to"]) == ("disclosure", "the person herself")
    assert intent["why"] == {"reason": "request of 2 March"}
    assert (outcome["dec"]["references"], outcome["dec"]["searches"]) == (1, 2)
    assert sorted(uids(fr)["P003"]) == outcome["dec"]["asked_for"]
    assert "P003" not in fr.said()


def test_it_says_on_which_watchlists_somebody_stands_and_why(fr: Fr) -> None:
    new = Watchlist(0, "a" * 32, "missing", "to find her", "P. Inspector", "2999-01-01", 10,
                    "2026-01-01T00:00:00Z", "alice", "", 0)  # fmt: skip
    with (
        contextlib.closing(Store.open(fr.home / "gallery" / "gallery.db")) as store,
        store.transaction(),
    ):
        pk = watchlists.create(store, new)
        subject = store.subject("P003")
        assert subject is not None
        watchlists.add(store, pk, [subject.pk], "reported missing", "2026-01-01", "alice")
    found = fr.json("report", "--subject", "P003", *TO)
    assert found["watchlists"] == [{"name": "missing", "reason": "reported missing"}]
    assert "On the watchlist missing: reported missing." in fr(
        "report", "--subject", "P003", *TO
    ).stdout  # fmt: skip


def test_an_answer_that_is_not_final_is_nobodys_yet(fr: Fr) -> None:
    search(fr, "P003")
    (row,) = fr.json("report", "--subject", "P003", *TO)["searches"]
    assert row["decision"] == "undecided"


def test_of_who_was_purged_it_says_since_when_and_what_is_left(fr: Fr) -> None:
    shown = search(fr, "P005")
    uid = uids(fr)["P005"][0]
    fr.json("purge", "--subject", "P005", "--yes")
    found = fr.json("report", "--subject", "P005", *TO)
    assert found["purged_at"] is not None
    assert (found["references"], found["searches"]) == ([], [])  # the log has no name for them
    assert "Deleted on" in fr("report", "--subject", "P005", *TO).stdout
    found = fr.json("report", "--subject", uid, *TO)
    assert [row["search_id"] for row in found["searches"]] == [shown]
    assert "purge" in [row["command"] for row in found["acts"]]


def test_who_was_never_there_and_nobody_to_give_it_to_are_refused(fr: Fr) -> None:
    assert fr.json("report", "--subject", "P009", *TO, code=2)["error"] == "SubjectUnknown"
    assert entries(fr, "report subject")[-1]["error"] == "SubjectUnknown"
    assert fr.json("report", "--subject", "f" * 32, *TO, code=2)["error"] == "SubjectUnknown"
    assert fr.json("report", "--subject", "P003", code=2)["error"] == "UsageProblem"
