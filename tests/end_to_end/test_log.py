"""Every act leaves an intent and an outcome in the log, and nothing that it must not hold."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from fr_cli.face.pipeline import FacePipeline
from tests.conftest import GROUNDS, MATED, STRANGER, Fr, jpeg, photo, small, write_csv
from tests.gallery.test_purge import forms


def test_every_act_leaves_an_intent_and_an_outcome_with_its_exit_code(
    fr: Fr, tmp_path: Path
) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"not a photo")
    feed = write_csv(tmp_path / "feed.csv", ("subject_id", "image"), ("x", "bad.jpg"))
    labelled = write_csv(
        tmp_path / "labelled.csv",
        ("subject_id", "image", "role"),
        ("a", photo("P001", "studio_portrait"), "reference"),
        ("a", photo("P001"), "probe"),
        ("b", photo("P002"), "probe"),
    )
    blank = tmp_path / "blank.png"
    blank.write_bytes(b"")
    acts: list[tuple[str, tuple[object, ...], int]] = [
        ("identify", ("identify", photo(MATED), *GROUNDS), 0),
        ("identify", ("identify", photo(STRANGER), *GROUNDS), 0),
        ("identify", ("identify", photo(MATED), "--case", "1", "--reason", "fun"), 4),
        ("identify", ("identify", photo(MATED), *GROUNDS, "--watchlist", "w"), 10),
        ("identify", ("identify", blank, *GROUNDS), 20),
        ("identify", ("identify", photo(MATED, "emotions_sheet"), *GROUNDS), 22),
        ("verify", ("verify", photo(MATED), MATED, *GROUNDS), 0),
        ("verify", ("verify", photo(MATED), "nobody", *GROUNDS), 2),
        ("enroll", ("enroll", feed), 100),
        ("enroll", ("enroll", feed), 0),
        ("evaluate", ("evaluate", labelled), 0),
        ("purge", ("purge", "--subject", "nobody", "--yes"), 2),
        ("purge", ("purge", "--subject", MATED, "--yes"), 0),
        ("gallery stats", ("gallery", "stats"), 0),
        ("gallery check", ("gallery", "check"), 0),
        ("gallery rebuild", ("gallery", "rebuild"), 0),
    ]
    for command, words, code in acts:
        before = len(fr.log())
        result = fr(*words)
        assert result.code == code, (words, result)
        added = fr.log()[before:]
        intent, outcome = added[0], added[-1]
        assert (intent["ph"], outcome["ph"]) == ("intent", "outcome"), words
        assert {entry["ph"] for entry in added[1:-1]} <= {"batch"}
        assert {entry["cmd"] for entry in added} == {command}
        assert intent["req"] == outcome["req"]
        assert outcome["exit"] == code
        assert ("error" in outcome) == (code not in (0, 100))
    fr.whole()


def test_looking_at_the_log_writes_nothing(fr: Fr) -> None:
    before = (fr.home / "audit" / "audit.jsonl").read_bytes()
    fr.json("audit", "verify")
    fr.json("audit", "verify", "--full")
    assert (fr.home / "audit" / "audit.jsonl").read_bytes() == before


def test_an_identification_records_why_what_and_by_whom(fr: Fr) -> None:
    document = fr.identify(jpeg(small(MATED)))
    intent, outcome = fr.log()[-2:]
    assert intent["why"] == {"case": "CR/26/1", "reason": "test"}
    assert intent["req"] == document["search_id"]
    assert intent["op"]["uid"] >= 0
    decided = outcome["dec"]
    assert decided["basis"] == "Consent; no operational use"
    assert decided["model"] == document["model"]["fingerprint"]
    assert decided["gallery"]["references"] == 5
    assert decided["gallery"]["generation"] == 1
    assert float(decided["threshold"]) == pytest.approx(0.6)
    (candidate,) = decided["candidates"]
    assert re.fullmatch("[0-9a-f]{32}", candidate["subject"])
    assert float(candidate["score"]) == pytest.approx(document["candidates"][0]["score"], abs=1e-4)


def test_the_log_holds_no_subject_id_no_file_name_and_no_template(
    fr: Fr, models: Path, tmp_path: Path
) -> None:
    image = tmp_path / "unlikely-file-name.jpg"
    image.write_bytes(jpeg(small("P006", "studio_portrait")))
    columns = ("subject_id", "image", "reference_id", "watchlist", "source")
    row = ("UnlikelySubject", image.name, "UnlikelyReference", "unlikelylist", "UnlikelySource")
    feed = write_csv(
        tmp_path / "unlikely-feed.csv", columns, row, ("Other", "gone.jpg", "", "", "")
    )
    fr.json("enroll", feed, code=100)
    fr.json("identify", image, *GROUNDS)
    fr.json("verify", image, "UnlikelySubject", *GROUNDS)
    fr.json("verify", image, "UnlikelyStranger", *GROUNDS, code=2)
    fr.json("identify", image, *GROUNDS, "--face", "3", code=21)
    fr.json("purge", "--subject", "UnlikelySubject", "--yes")
    fr.json("evaluate", tmp_path / "unlikely-missing.csv", code=2)
    with FacePipeline.load([models]) as pipeline:
        template = pipeline.template(image.read_bytes()).vector
    folder = fr.home / "audit"
    for path in (path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        assert b"nlikely" not in data, path
        assert str(tmp_path).encode() not in data
        assert not any(form in data for form in forms(template))
        assert base64.b64encode(image.read_bytes()[:30]) not in data


def test_a_flipped_byte_of_the_log_is_found(fr: Fr) -> None:
    path = fr.home / "audit" / "audit.jsonl"
    whole = path.read_bytes()
    assert fr.json("audit", "verify", "--full")["schema"] == "fr/audit-verify/1"
    for position in range(30, len(whole) - 1, len(whole) // 12):
        changed = bytearray(whole)
        changed[position] ^= 1
        path.write_bytes(changed)
        error = fr.json("audit", "verify", "--full", code=31)
        assert error["error"] == "AuditBroken"
    path.write_bytes(whole)
    fr.whole()


def test_a_broken_log_stops_every_act(fr: Fr) -> None:
    fr.json("gallery", "stats")  # so that the last outcome is one of success
    path = fr.home / "audit" / "audit.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    assert fr.identify(photo(MATED), code=31)["error"] == "AuditBroken"
    path.write_bytes(b"".join(lines[:-1]) + lines[-1].replace(b'"exit":0', b'"exit":1'))
    assert fr.identify(photo(MATED), code=31)["error"] == "AuditBroken"


def test_a_log_is_verified_outside_its_home_with_the_public_key_alone(
    fr: Fr, tmp_path: Path
) -> None:
    log, key = tmp_path / "log.jsonl", tmp_path / "audit.pub"
    log.write_bytes((fr.home / "audit" / "audit.jsonl").read_bytes())
    key.write_bytes((fr.home / "keys" / "audit.pub").read_bytes())
    auditor = Fr(tmp_path / "nothing")
    document = auditor.json("audit", "verify", "--full", "--log", log, "--key", key)
    assert document["entries"] == len(fr.log())
    assert auditor.json("audit", "verify", "--log", log, code=2)["code"] == 2
