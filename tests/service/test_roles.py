"""Who may do what, with real accounts: by the account that the kernel names, and the policy."""

from __future__ import annotations

import os

import pytest

from tests.conftest import ENROLLED, MATED, STRANGER, jpeg, small
from tests.service.station import Station


def test_an_officer_identifies_and_the_log_names_them(station: Station) -> None:
    answer = station.identify("officer", jpeg(small(MATED)))
    assert [one["subject_id"] for one in answer["candidates"]] == [MATED]
    officer, service = (station.desk.accounts[who] for who in ("officer", "service"))
    entries = [one for one in station.log() if one["req"] == answer["search_id"]]
    assert [one["ph"] for one in entries] == ["intent", "outcome"]
    for entry in entries:
        assert entry["op"] == {
            "uid": officer.uid,
            "user": officer.name,
            "loginuid": None,
            "tty": "",
            "service": service.uid,
        }


def test_nobody_is_found_who_is_not_enrolled(station: Station) -> None:
    assert station.identify("officer", jpeg(small(STRANGER)))["outcome"] == "no_candidate"


def test_an_officer_verifies(station: Station) -> None:
    words = ("verify", "-", MATED, "--case", "CR/26/1", "--reason", "test")
    answer = station.json("officer", *words, stdin=jpeg(small(MATED)))
    assert answer["outcome"] == "at_or_above_threshold"


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ("officer", ("purge", "--subject", ENROLLED[0], "--yes")),
        ("officer", ("gallery", "rebuild")),
        ("officer", ("gallery", "stats")),
        ("officer", ("audit", "show")),
        ("officer", ("audit", "extract")),
        ("auditor", ("gallery", "stats")),
        ("auditor", ("gallery", "check")),
        ("auditor", ("purge", "--all", "--yes")),
        ("manager", ("audit", "show")),
        ("stranger", ("policy", "show")),
        ("stranger", ("status",)),
        ("stranger", ("audit", "verify")),
        ("stranger", ("audit", "head")),
        ("stranger", ("gallery", "stats")),
    ],
)
def test_what_is_of_another_role_is_refused_and_logged(
    station: Station, who: str, words: tuple[str, ...]
) -> None:
    before = len(station.log())
    assert station.json(who, *words, code=4)["error"] == "NotAllowed"
    new = station.log()[before:]
    assert [(one["ph"], one["op"]["uid"]) for one in new] == [
        ("intent", station.desk.accounts[who].uid),
        ("outcome", station.desk.accounts[who].uid),
    ]
    assert new[-1]["error"] == "NotAllowed"


@pytest.mark.parametrize("who", ["manager", "auditor", "stranger"])
def test_a_search_is_for_officers_alone(station: Station, who: str) -> None:
    error = station.identify(who, jpeg(small(MATED)), code=4)
    assert error["error"] == "NotAllowed"
    assert station.log()[-1]["error"] == "NotAllowed"


def test_an_officer_does_not_enrol(station: Station) -> None:
    error = station.json("officer", "enroll", station.feed("P006"), code=4)
    assert error["error"] == "NotAllowed"
    assert station.log()[-1]["error"] == "NotAllowed"


def test_an_auditor_reads_the_log(station: Station) -> None:
    acts = station.json("auditor", "audit", "show")["acts"]
    assert {one["command"] for one in acts}
    assert station.json("auditor", "audit", "verify", "--full")["entries"]


@pytest.mark.parametrize("who", ["officer", "manager", "auditor", "stranger"])
@pytest.mark.parametrize(
    "inside",
    [
        "", "policy.yaml", "keys/site.key", "keys/audit.key", "gallery/gallery.db",
        "audit/audit.jsonl", "site.yaml",
    ],
)  # fmt: skip
def test_no_file_of_the_home_can_be_read(station: Station, who: str, inside: str) -> None:
    path = station.home / inside
    assert path.exists()
    uid = station.desk.accounts[who].uid
    os.seteuid(uid)
    try:
        with pytest.raises(PermissionError):
            list(path.iterdir()) if not inside else path.read_bytes()
    finally:
        os.seteuid(0)


def test_the_direct_way_is_closed_too(station: Station) -> None:
    result = station.fr("officer", "status", "--home", str(station.home))
    assert (result.code, result.stdout) == (3, "")  # it is not readable


def test_people_decide_and_keep_watchlists_over_the_station(station: Station) -> None:
    search = station.identify("officer", jpeg(small(MATED)))["search_id"]
    words = ("decide", search, "--confirm", MATED, "--reason", "compared at the desk")
    assert station.json("officer", *words)["decisions"] == [
        {"subject_id": MATED, "decision": "confirmed"}
    ]
    assert station.json("manager", *words, code=4)["error"] == "NotAllowed"
    assert station.json("officer", "outcome", search, "arrest", "--reason", "x")["outcome"]
    assert station.json("manager", "watchlist", "list")["watchlists"] == []
    assert station.json("officer", "watchlist", "list", code=4)["error"] == "NotAllowed"
    assert station.json("auditor", "report")["searches"]["asked"] >= 1
