"""`fr evaluate --record` and `--compare`: two evaluations of the same photos, probe by probe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fr_cli.errors import UsageProblem
from fr_cli.operations.record import read_record
from tests.conftest import Fr
from tests.operations.test_required import evaluated, home, manifest

__all__ = ["evaluated", "home", "manifest"]


def made_up(count: int = 300, missed: int = 30, false: int = 3) -> dict[str, Any]:
    """A record of as many mated as non-mated probes."""
    rows = range(2 * count)
    return {
        "schema": "fr/evaluation-record/1", "model": "SFace", "fingerprint": "f", "protocol":
        "open-set", "fusion": "best", "references": count, "threshold": 0.5,
        "image": [f"{row}.jpg" for row in rows], "subject": [f"s{row}" for row in rows],
        "mated": [row < count for row in rows], "acquired": [True for _ in rows],
        "mate": [0.2 if row < missed else 0.9 for row in rows],
        "nonmate": [0.9 if row >= 2 * count - false else 0.1 for row in rows],
        "rank": [1 for _ in rows],
        "labels": {"sex": ["f" if row % 2 else "m" for row in rows]},
    }  # fmt: skip


def written(path: Path, record: dict[str, Any]) -> Path:
    path.write_text(json.dumps(record))
    return path


def test_an_evaluation_is_recorded_and_is_as_good_as_itself(
    home: Fr, manifest: Path, tmp_path: Path
) -> None:
    a = tmp_path / "a.json"
    home.json("evaluate", manifest, "--group-by", "sex", "--record", a)
    assert a.stat().st_mode & 0o077 == 0
    record = read_record(a)
    assert (len(record.images), record.labels["sex"][0]) == (10, "m")
    found = home.json("evaluate", "--compare", a, a)
    assert found["schema"] == "fr/evaluate-compare/1"
    assert {row["better"] for row in found["rates"]} == {"neither"}
    assert {row["difference"] for row in found["rates"]} == {0.0}
    assert (found["probes"], found["left_out"]) == (10, 0)
    assert home.log()[-1]["dec"]["neither"] == len(found["rates"])
    said = home("evaluate", "--compare", a, a).stdout
    assert "Neither is shown to be better. How much better one may still be" in said
    again = home("evaluate", manifest, "--record", a)  # a record replaces a record
    assert again.code == 0


def test_which_is_better_and_for_whom(fresh: Fr, tmp_path: Path) -> None:
    a = written(tmp_path / "a.json", made_up())
    b = written(tmp_path / "b.json", made_up(missed=4))
    rows = fresh.json("evaluate", "--compare", a, b)["rates"]
    whole = next(row for row in rows if row["rate"] == "tpir" and not row["group"])
    assert (whole["better"], whole["only_b"], whole["only_a"]) == ("b", 26, 0)
    assert {row["group"] for row in rows} == {"", "f", "m"}
    said = fresh("evaluate", "--compare", b, a).stdout
    assert "TPIR, f" in said
    assert "no significant" not in said


def test_a_model_without_a_calibration_has_no_threshold_in_use(
    home: Fr, manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fr_cli.operations.bench.Bench.calibration", None)
    monkeypatch.setattr("fr_cli.operations.bench.Bench.calibration_of", lambda *_: None)
    words = ("--record", tmp_path / "b.json", "--html", tmp_path / "b.html")
    home.json("evaluate", manifest, *words)
    assert read_record(tmp_path / "b.json").name == "b (SFace)"
    assert "<h1>Evaluation of <bdi>SFace</bdi></h1>" in (tmp_path / "b.html").read_text()
    a = written(tmp_path / "a.json", made_up())
    b = written(tmp_path / "b.json", made_up() | {"threshold": None})
    found = home.json("evaluate", "--compare", a, b)
    assert "b (SFace): there is no calibration" in found["warnings"][0]
    assert {row["at"] for row in found["rates"]} == {"where each has FPIR 1.00%"}


def test_probes_of_one_only_are_left_out_and_said(fresh: Fr, tmp_path: Path) -> None:
    other = made_up()
    other["image"][0] = "new.jpg"
    pair = written(tmp_path / "a.json", made_up()), written(tmp_path / "b.json", other)
    assert fresh.json("evaluate", "--compare", *pair)["left_out"] == 2
    assert "2 probes are in one of the two only" in fresh("evaluate", "--compare", *pair).stdout


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "fr/evaluate/1"}, {"mate": [0.5]}, {"mated": 7}, {"labels": {"sex": ["f"]}},
        {"nonmate": ["x"] * 600}, {"acquired": [1] * 600}, {"rank": [0] * 600},
        {"subject": [None] * 600}, {"threshold": "high"}, {"image": [["a"]] * 600},
        {"mate": [1e999] * 600},
    ],
)  # fmt: skip
def test_what_is_no_record_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="no record of an evaluation"):
        read_record(written(tmp_path / "a.json", made_up() | change))


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b"null"])
def test_what_is_no_document_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(UsageProblem):
        read_record(tmp_path / "a.json")


def test_records_that_contradict_each_other_are_refused(fresh: Fr, tmp_path: Path) -> None:
    a = written(tmp_path / "a.json", made_up())
    other = {
        "mated": made_up() | {"mated": [False] * 600},
        "people": made_up() | {"subject": [f"x{row}" for row in range(600)]},
        "photos": made_up() | {"image": [f"{row}.png" for row in range(600)]},
        "twice": made_up() | {"image": ["same.jpg"] * 600},
    }
    for name, record in other.items():
        b = written(tmp_path / f"{name}.json", record)
        error = fresh.json("evaluate", "--compare", a, b, code=2)
        assert error["error"] == "UsageProblem", name
    fresh.json("evaluate", "--compare", a, tmp_path / "none.json", code=2)


def test_a_record_is_not_written_over_something_else(
    home: Fr, manifest: Path, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.json"
    notes.write_text('{"mine": true}')
    home.json("evaluate", manifest, "--record", notes, code=3)
    assert notes.read_text() == '{"mine": true}'
    error = home.json("evaluate", manifest, "--record", tmp_path / "a.json",
                      "--protocol", "verification", code=2)  # fmt: skip
    assert "one search for each probe" in error["message"]
    assert not (tmp_path / "a.json").exists()
