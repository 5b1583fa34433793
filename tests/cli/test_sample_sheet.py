"""The sheet of a dip sample: what a reviewer needs, and foreign text stays text."""

from __future__ import annotations

import shutil
from pathlib import Path

from fr_cli.casework.samples import FINDINGS
from tests.cli.test_sheet import HOSTILE, Parsed, needs_nothing_from_outside
from tests.conftest import MATED, Fr, jpeg, small, write_csv


def drawn(fr: Fr, folder: Path) -> Parsed:
    fr.json("sample", "draw", "--size", "9", "--seed", "s", "--out", folder / "s")
    parsed = Parsed((folder / "s" / "sheet.html").read_text(encoding="utf-8"))
    needs_nothing_from_outside(parsed)
    return parsed


def test_each_reference_has_its_face_its_provenance_and_the_checks(
    shown: Fr, tmp_path: Path
) -> None:
    shutil.copytree(shown.home, tmp_path / "home")
    fr = Fr(tmp_path / "home")
    fr.json(
        "watchlist", "create", "w", "--purpose", "p", "--authorised-by", "insp", "--expires",
        "9999-12-31", "--subject", "subject-2", "--reason", "profile 7",
    )  # fmt: skip
    parsed = drawn(fr, tmp_path)
    pictures = [at for tag, at in parsed.elements if tag == "img"]
    assert len(pictures) == 6
    for number in range(1, 7):
        assert f"Reference custody-{number}" in parsed.text
        assert f"Captured 2026-03-0{number}" in parsed.text
    assert parsed.text.count("The person is not enrolled under another id.") == 6
    assert parsed.text.count("Policy kept: group default: no limit") == 6
    assert parsed.text.count("Watchlist w : profile 7") == 1
    for name, words in FINDINGS.items():
        assert f"{name} {words}" in parsed.text
    for words in ("Dip sample of 6 references", "Seed s", "Drawn from 6 references in 2 strata"):
        assert words in parsed.text, words


def test_without_kept_photos_the_sheet_says_so(crowd: Fr, tmp_path: Path) -> None:
    shutil.copytree(crowd.home, tmp_path / "home")
    parsed = drawn(Fr(tmp_path / "home"), tmp_path)
    assert [tag for tag, _ in parsed.elements if tag == "img"] == []
    assert parsed.text.count("Photo not kept by policy: see the record") == 6
    assert "holds photographs" not in parsed.text


def test_what_the_feed_writes_is_shown_as_text(fresh: Fr, tmp_path: Path) -> None:
    image = tmp_path / "portrait.jpg"
    image.write_bytes(jpeg(small(MATED, "studio_portrait")))
    quoted = '"' + HOSTILE.replace('"', '""') + '"'
    columns = ("subject_id", "image", "reference_id", "source", "watchlist", quoted)
    rows = (quoted, image, quoted, quoted, quoted, quoted)
    fresh.json("enroll", write_csv(tmp_path / "feed.csv", columns, rows))
    parsed = drawn(fresh, tmp_path)
    assert parsed.text.count("{{7*7}}") >= 5
    assert "\"'49" not in parsed.text  # not reckoned


def test_what_is_over_stands_out(crowd: Fr, tmp_path: Path) -> None:
    shutil.copytree(crowd.home, tmp_path / "home")
    policy = tmp_path / "home" / "policy.yaml"
    text = policy.read_text().replace("retention:\n  default: null", "retention:\n  default: 1", 1)
    policy.write_text(text)
    parsed = drawn(Fr(tmp_path / "home"), tmp_path)
    assert parsed.text.count("should be gone: group default: older than 1 days") == 6
    assert sum(at.get("class") == "gone" for _, at in parsed.elements) == 6
