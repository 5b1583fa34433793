"""A dip sample as its reviewers and a third party meet it."""

from __future__ import annotations

import csv
import hashlib
import hmac
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from fr_cli.audit.merkle import root_of
from tests.conftest import ENROLLED, Fr, jpeg, small, write_csv
from tests.operations.test_watchlists import CHARTER, COLUMNS, described


@pytest.fixture
def manager(fr: Fr, tmp_path: Path) -> Fr:
    """Two of the five on a label; of three, one on a watchlist that was made."""
    described(fr, tmp_path / "feed")
    fr.json("watchlist", "create", "w", *CHARTER, "--subject", "P003", "--reason", "profile 7")
    return fr


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def draw(fr: Fr, folder: Path, *words: str, code: int = 0) -> dict[str, Any]:
    return fr.json("sample", "draw", "--out", str(folder), *words, code=code)


def filled(folder: Path, *findings: str, name: str = "filled.csv") -> Path:
    """The table of a sample, filled in; the last finding stands for the rest."""
    rows = table(folder / "findings.csv")
    words = [*findings, *[findings[-1]] * len(rows)]
    for row, finding in zip(rows, words, strict=False):
        row["finding"], row["remark"] = finding, "see the record of Mr Weasel"
    return write_csv(folder / name, [*rows[0]], *([*row.values()] for row in rows))


def test_a_third_party_repeats_the_draw_from_the_frame_and_the_seed(
    manager: Fr, tmp_path: Path
) -> None:
    drawn = draw(manager, tmp_path / "s", "--size", "4", "--seed", "a seed")
    assert [(one["stratum"], one["references"]) for one in drawn["strata"]] == [
        ("(none), street", 2), ("w, custody", 1), ("wanted, custody", 2),
    ]  # fmt: skip
    strata = defaultdict(list)
    for row in table(tmp_path / "s" / "frame.csv"):
        digest = hmac.new(b"a seed", row["reference"].encode(), hashlib.sha256).hexdigest()
        strata[row["stratum"]].append((digest, row["reference"]))
    wanted = [
        uid for one in drawn["strata"] for _, uid in sorted(strata[one["stratum"]])[: one["drawn"]]
    ]
    rows = table(tmp_path / "s" / "findings.csv")
    assert [row["reference"] for row in rows] == wanted
    assert [row["number"] for row in rows] == ["1", "2", "3", "4"]
    # The log holds the same, and what it was drawn from.
    entries = [entry for entry in manager.log() if entry["req"] == drawn["sample"]]
    assert entries[0]["seed"] == "a seed"
    batches = [entry for entry in entries if entry["ph"] == "batch"]
    assert [uid for entry in batches for uid in entry["drawn"]] == wanted
    frame = sorted(f"{uid}/{name}" for name, some in strata.items() for _, uid in some)
    assert entries[-1]["dec"]["frame_root"] == root_of(frame)
    assert entries[-1]["dec"]["root"] == root_of(wanted)
    assert not any(person in str(entries) for person in ENROLLED)
    # Drawn again, it is the same sample under another id.
    again = draw(manager, tmp_path / "again", "--size", "4", "--seed", "a seed")
    assert again["sample"] != drawn["sample"]
    second = [row["reference"] for row in table(tmp_path / "again" / "findings.csv")]
    assert second == wanted


def test_who_draws_gets_a_folder_that_only_they_can_read(manager: Fr, tmp_path: Path) -> None:
    place = tmp_path / "s"
    draw(manager, place, "--size", "9")
    assert place.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in place.iterdir()) == [
        "findings.csv", "frame.csv", "sheet.html",
    ]  # fmt: skip
    assert {path.stat().st_mode & 0o777 for path in place.iterdir()} == {0o600}
    for name in ("findings.csv", "frame.csv"):
        assert not any(person in (place / name).read_text() for person in ENROLLED)
    page = (place / "sheet.html").read_text()
    assert all(person in page for person in ENROLLED)
    assert draw(manager, place, "--size", "9", code=3)["error"] == "ConfigurationError"
    assert draw(manager, manager.home / "s", "--size", "9", code=3)["error"] == "ConfigurationError"


def test_a_sample_larger_than_the_gallery_is_all_of_it(manager: Fr, tmp_path: Path) -> None:
    assert draw(manager, tmp_path / "s", "--size", "9")["drawn"] == 5
    result = draw(manager, tmp_path / "w", "--precision", "0.02", "--watchlist", "wanted")
    assert (result["drawn"], result["references"]) == (2, 2)
    manager.json("sample", "record", filled(tmp_path / "s", "wrong-subject", "unclear", "correct"))
    wrong = manager.json("sample", "result", sample_of(tmp_path / "s"))["wrong"]
    assert wrong == {
        "value": pytest.approx(0.2), "low": pytest.approx(0.2), "high": pytest.approx(0.4),
    }  # fmt: skip


def sample_of(folder: Path) -> str:
    return table(folder / "findings.csv")[0]["sample"]


def test_findings_become_a_rate_and_are_recorded_once(manager: Fr, tmp_path: Path) -> None:
    place = tmp_path / "s"
    drawn = draw(manager, place, "--size", "3", "--by", "none")
    sample = drawn["sample"]
    error = manager.json("sample", "result", sample, code=2)
    assert "Nothing is recorded" in error["message"]
    done = manager.json("sample", "record", filled(place, "duplicate", "correct"))
    assert done["findings"] == [
        {"finding": "correct", "count": 2}, {"finding": "duplicate", "count": 1},
    ]  # fmt: skip
    result = manager.json("sample", "result", sample)
    assert (result["drawn"], result["references"]) == (3, 5)
    assert result["wrong"]["value"] == pytest.approx(1 / 3)
    # One of five is wrong for certain, two are right for certain.
    assert (result["wrong"]["low"], result["wrong"]["high"]) == (0.2, 0.6)
    error = manager.json("sample", "record", filled(place, "correct"), code=2)
    assert "recorded already" in error["message"]
    assert manager.json("sample", "result", sample)["wrong"] == result["wrong"]
    text = manager.said()
    assert "Weasel" not in text.replace("Operation Weasel", "")
    manager.whole()


def test_what_was_edited_is_refused_and_logged(manager: Fr, tmp_path: Path) -> None:
    place, other = tmp_path / "s", tmp_path / "other"
    draw(manager, place, "--size", "5", "--seed", "1")
    draw(manager, other, "--size", "5", "--seed", "2")
    good = filled(place, "correct").read_text().splitlines()
    foreign = filled(other, "correct").read_text().splitlines()
    swapped = [part.split(",") for part in good[1:3]]
    swapped[0][2], swapped[1][2] = swapped[1][2], swapped[0][2]
    cases = {
        "rows are missing": good[:4],
        "no finding of the list, but ''": [good[0], good[1].replace("correct", ""), *good[2:]],
        "no finding of the list, but 'fine'": [*good[:-1], good[-1].replace("correct", "fine")],
        "is not as it was drawn": [good[0], *map(",".join, swapped), *good[3:]],
        "findings of 2 samples": [*good[:3], *foreign[3:]],
        "is there twice": [*good, good[1]],
        "knows no sample": [line.replace(sample_of(place), "0" * 32) for line in good],
        "no findings": good[:1],
        "not a table": ["number,finding", "1,correct"],
        "cannot be read": None,
    }
    for sentence, lines in cases.items():
        path = tmp_path / "edited.csv"
        path.unlink(missing_ok=True)
        if lines is not None:
            path.write_text("\n".join(lines) + "\n")
        error = manager.json("sample", "record", path, code=2)
        assert sentence in error["message"], error
        assert (manager.log()[-1]["cmd"], manager.log()[-1]["exit"]) == ("sample record", 2)
    # Rows may change places, and a spreadsheet may write semicolons.
    path.write_text("\n".join([good[0], *good[:0:-1]]).replace(",", ";") + "\n")
    manager.json("sample", "record", path)


def test_what_cannot_be_drawn_says_why_and_leaves_no_folder(
    manager: Fr, fresh: Fr, tmp_path: Path
) -> None:
    place = tmp_path / "s"
    for words, code in (
        (("--size", "2"), 2), (("--size", "0"), 2), ((), 2),
        (("--precision", "0.02", "--size", "1"), 2),
        (("--precision", "3"), 2), (("--size", "2", "--by", "name"), 2),
        (("--size", "9", "--watchlist", "nobody"), 10),
    ):  # fmt: skip
        assert draw(manager, place, *words, code=code)["message"]
        assert not place.exists()
    assert draw(fresh, place, "--size", "2", code=10)["error"] == "GalleryMissing"
    manager.json("purge", "--all", "--yes")
    assert "nothing to draw" in draw(manager, place, "--size", "2", code=10)["message"]
    assert not place.exists()


def test_the_size_for_a_precision_counts_on_the_gallery(manager: Fr) -> None:
    assert manager.json("sample", "size", "--precision", "0.02")["size"] == 5
    big = manager.json("sample", "size", "--precision", "0.02", "--references", "10000")
    assert (big["size"], big["size_at_worst"]) == (483, 1967)
    assert manager.json("sample", "size", "--precision", "2", code=2)["error"] == "UsageProblem"


def test_a_search_of_the_sample_points_at_who_is_mixed_up(manager: Fr, tmp_path: Path) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    for person in ("P003", "P001"):
        (folder / f"{person}.jpg").write_bytes(jpeg(small(person)))
    rows = (
        ("P005", "P003.jpg", "hers?", "", "mixed", "", ""),  # P003's photo among those of P005
        ("X", "P001.jpg", "second", "", "mixed", "", ""),  # P001 under another id
    )
    assert manager.json("enroll", write_csv(folder / "feed.csv", COLUMNS, *rows))["added"] == 2
    sample = draw(manager, tmp_path / "s", "--size", "99")["sample"]
    found = manager.json("sample", "search", sample)
    assert (found["searched"], found["references"]) == (7, 7)
    said = {
        (one["kind"], one["reference"]["subject_id"], one["others"][0]["subject_id"])
        for one in found["suspicions"]
    }
    assert ("mislabelled", "P005", "P003") in said
    assert ("duplicate", "X", "P001") in said
    assert ("duplicate", "P001", "X") in said
    assert 0 < found["expected_by_chance"] < 1e-4
    assert all(one["cosine"] >= found["threshold"]["cosine"] for one in found["suspicions"]
               if one["kind"] != "unlike_own")  # fmt: skip
    entries = [entry for entry in manager.log() if entry["cmd"] == "sample search"]
    logged = [one for entry in entries for one in entry.get("suspicions", [])]
    assert len(logged) == len(found["suspicions"])
    assert not any(person in str(entries) for person in (*ENROLLED, "hers?"))
    assert "knows no sample" in manager.json("sample", "search", "0" * 32, code=2)["message"]
    # Who was purged since is not held against anybody.
    manager.json("purge", "--subject", "P001", "--yes")
    assert manager.json("sample", "search", sample)["searched"] == 6
