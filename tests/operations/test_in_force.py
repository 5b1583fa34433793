"""The evaluation in force: signed, with a limit and an end, and named in every answer."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fr_cli.audit.canonical import JSON
from fr_cli.audit.log import AuditLog
from fr_cli.errors import AuditBroken, ConfigurationError
from fr_cli.keys import SigningKey
from fr_cli.operations.bench import Bench
from fr_cli.operations.in_force import (
    FILE,
    SIGNATURE,
    InForce,
    in_force,
    put_in_force,
    statement,
)
from tests.conftest import MATED, Fr, jpeg, small

FACE = jpeg(small(MATED))


def put(fr: Fr, days: int = 30, **changes: Any) -> Path:
    """Put an evaluation in force as a passing one would."""
    with Bench(fr.home) as bench:
        assert bench.calibration is not None
        least: dict[str, JSON] = {
            "fingerprint": bench.fingerprint,
            "model": bench.site.model,
            "fusion": "best",
            "engine": "exact",
            "score": "0.6000",
            "cosine": f"{bench.calibration.cosine(0.6):.6f}",
            "references": 10_000,
            "fpir": "0.020000",
            "act": "2" * 32,
            "data": "0" * 64,
            "targets": "1" * 64,
            "measured_on": {"references": 1000, "probes_mated": 900, "probes_nonmated": 800},
        }
        put_in_force(statement({**least, **changes}, bench, days), bench)
    return fr.home / "evaluation" / FILE


def refuse(fr: Fr) -> None:
    policy = fr.home / "policy.yaml"
    policy.write_text(policy.read_text().replace("evaluation: warn", "evaluation: refuse"))


def test_a_fresh_home_warns_once_and_names_what_the_rates_are_made_of(fr: Fr) -> None:
    document = fr.identify(FACE)
    (warning,) = document["warnings"]
    assert warning == (
        "No evaluation on this force's own photos is in force: the rates come from LFW half "
        "(2,879 people) and are nobody's approval."
    )
    assert document["evaluation"] == {
        "covers": False, "why": "No evaluation on this force's own photos is in force",
        "sha256": None, "made": None, "until": None, "references": None,
    }  # fmt: skip
    assert fr.log()[-1]["dec"]["evaluation"] == ""
    assert document["fpir"]["extrapolated"] is True


def test_what_covers_the_search_is_named_in_the_answer_and_in_the_log(fr: Fr) -> None:
    refuse(fr)
    path = put(fr)
    document = fr.identify(FACE)
    assert (document["outcome"], document["warnings"]) == ("candidates", [])
    assert document["evaluation"]["covers"] is True
    assert document["evaluation"]["references"] == 10_000
    assert fr.log()[-1]["dec"]["evaluation"] == document["evaluation"]["sha256"]
    assert path.stat().st_mode & 0o077 == 0 or path.parent.stat().st_mode & 0o077 == 0
    said = fr("identify", "-", "--case", "1", "--reason", "test", stdin=FACE).stdout
    assert "Covered by the evaluation of " in said
    assert "for up to 10,000 references." in said


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"fingerprint": "f" * 64}, "is of another model"),
        ({"references": 4}, "covers up to 4 references, and this search compared 5"),
        ({"engine": "annoy"}, "is of the engine annoy, not exact"),
        ({"fusion": "mean"}, "is of the fusion mean"),
        ({"cosine": "0.700000"}, "covers thresholds from cosine 0.700"),
        ({"days": -1}, "ended on "),
    ],
)
def test_what_does_not_cover_the_search_is_said(fr: Fr, changes: dict[str, Any], why: str) -> None:
    put(fr, **changes)
    warned = fr.identify(FACE)
    assert warned["outcome"] == "candidates"
    (warning,) = warned["warnings"]
    assert why in warning
    refuse(fr)
    refused = fr.identify(FACE)
    assert (refused["outcome"], refused["candidates"]) == ("inconclusive", [])
    assert refused["why"].startswith("The policy asks for an evaluation in force. ")
    assert why in refused["why"]
    assert fr.log()[-1]["dec"]["evaluation"] == ""
    assert fr.log()[-1]["dec"]["candidates"] == []


def test_an_evaluation_covers_its_last_day(fr: Fr) -> None:
    put(fr, days=0)
    assert fr.identify(FACE)["evaluation"]["covers"] is True


def altered(path: Path, change: str) -> None:
    data, signature = path.read_bytes(), path.with_name(SIGNATURE)
    until = (datetime.now(UTC).date() + timedelta(days=3000)).isoformat().encode()
    if change == "a limit":
        data = data.replace(b'"references":10000,', b'"references":90000,', 1)
    elif change == "the end":
        data = data.replace(json.loads(data)["until"].encode(), until)
    elif change == "the signature":
        signature.write_bytes(b"AAAAAA" + signature.read_bytes()[6:])
    elif change == "no base64":
        signature.write_bytes(b"\xff" + signature.read_bytes())
    elif change == "no signature":
        signature.unlink()
    elif change == "a key twice":
        data = data.replace(b'"references":', b'"references":90000,"references":', 1)
    elif change == "white space":
        data = data.replace(b",", b", ", 1)
    elif change == "cut":
        data = data[:-10]
    elif change == "empty":
        data = b""
    elif change == "too deep":
        data = b"[" * 200_000
    path.write_bytes(data)


@pytest.mark.parametrize(
    "change",
    ["a limit", "the end", "the signature", "no base64", "no signature", "a key twice",
     "white space", "cut", "empty", "too deep"],
)  # fmt: skip
def test_an_altered_file_stops_every_search(fr: Fr, change: str) -> None:
    altered(put(fr), change)
    error = fr.identify(FACE, code=3)
    assert error["error"] == "ConfigurationError"
    assert "fr evaluate" in error["hint"]
    assert fr.log()[-1]["exit"] == 3


def test_a_signed_statement_of_another_kind_is_none(fr: Fr) -> None:
    put(fr)
    with Bench(fr.home) as bench, pytest.raises(ConfigurationError, match="no evaluation in force"):
        put_in_force(b"[]", bench)


@pytest.mark.parametrize("last", [FILE, SIGNATURE])
def test_what_is_half_written_is_told_apart_by_the_log(fresh: Fr, last: str) -> None:
    folder = fresh.home / "evaluation"
    logged(fresh)
    old = (folder / last).read_bytes()
    logged(fresh)
    assert standing_one(fresh).act == fresh.log()[-1]["req"]
    (folder / last).write_bytes(old)  # a crash between the two files: signed by no one
    assert standing_one(fresh).references == 10_000


def test_another_homes_evaluation_is_none(fr: Fr) -> None:
    path = put(fr)
    with Bench(fr.home) as bench:
        bench.__dict__["signer"] = SigningKey.new()
        with pytest.raises(ConfigurationError, match="altered"):
            in_force(bench)
    assert path.exists()


def test_after_a_rotation_the_log_vouches_for_what_it_names(fr: Fr) -> None:
    path = put(fr)
    with Bench(fr.home) as bench:
        before = in_force(bench)
        assert before is not None
        log = AuditLog(bench.site.audit, bench.signer, bench.site.origin)
        with log.act("evaluate", "combination") as act:
            act.decide(in_force=before.sha256)
        log.rotate(SigningKey.new(), bench.site.keys)
    assert fr.identify(FACE)["evaluation"]["covers"] is True
    path.write_bytes(path.read_bytes().replace(b'"references":10000,', b'"references":90000,', 1))
    assert fr.identify(FACE, code=3)["error"] == "ConfigurationError"


def logged(fr: Fr) -> str:
    """Put an evaluation in force whose act and statement the log names; the id of the act."""
    with Bench(fr.home) as bench, bench.audit.act("evaluate", "combination") as act:
        path = put(fr, act=act.id)
        act.decide(in_force=hashlib.sha256(path.read_bytes()).hexdigest())
    return act.id


def test_a_change_of_the_key_signs_it_anew_and_leaves_its_name(
    fresh: Fr, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged(fresh)
    path = fresh.home / "evaluation" / FILE
    before, data = standing_one(fresh), path.read_bytes()
    signature = path.with_name(SIGNATURE).read_bytes()
    fresh.json("audit", "rotate")
    assert path.read_bytes() == data
    assert path.with_name(SIGNATURE).read_bytes() != signature
    monkeypatch.setattr("fr_cli.operations.in_force.named_by_the_log", never)
    assert standing_one(fresh) == before
    fresh.json("audit", "rotate")  # the log is asked once for all
    monkeypatch.undo()
    assert standing_one(fresh) == before


def never(*_: object) -> bool:
    raise AuditBroken("the log was read")


def standing_one(fr: Fr) -> InForce:
    with Bench(fr.home) as bench:
        found = in_force(bench)
    assert found is not None
    return found


def test_a_file_that_was_signed_but_never_logged_does_not_survive_a_rotation(fresh: Fr) -> None:
    signature = put(fresh).with_name(SIGNATURE)
    data = signature.read_bytes()
    fresh.json("audit", "rotate")
    assert signature.read_bytes() == data
    with Bench(fresh.home) as bench, pytest.raises(ConfigurationError, match="altered"):
        in_force(bench)


@pytest.mark.parametrize(("days", "kept"), [(60, True), (-1, False)])
def test_the_evaluation_in_force_does_not_expire_in_the_log(
    fresh: Fr, days: int, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = fresh.home / "policy.yaml"
    policy.write_text(policy.read_text().replace("  default: null\n", "  default: 30\n"))
    with Bench(fresh.home) as bench, bench.audit.act("evaluate", "combination") as act:
        digest = hashlib.sha256(put(fresh, days, act=act.id).read_bytes()).hexdigest()
        act.decide(in_force=digest)

    class Later(datetime):
        @classmethod
        def now(cls, zone: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(zone) + timedelta(days=31)  # type: ignore[arg-type]

    monkeypatch.setattr("fr_cli.operations.expire.datetime", Later)
    fresh.json("audit", "expire")
    log = (fresh.home / "audit" / "audit.jsonl").read_bytes()
    assert (b'"in_force":"' + digest.encode() in log) is kept
    if kept:  # also where the signature is of an old key
        with Bench(fresh.home) as bench:
            bench.audit.rotate(SigningKey.new(), bench.site.keys)
        assert standing_one(fresh).sha256 == digest


def test_without_a_calibration_nothing_is_added(fr: Fr) -> None:
    from fr_cli.decision.answer import Answer
    from fr_cli.operations.in_force import Standing, applied

    answer = Answer("inconclusive", "There is no calibration for this model.")
    assert applied(answer, Standing(None, "none"), "warn", None) == answer
    assert applied(answer, Standing(None, "none"), "refuse", None) == answer
