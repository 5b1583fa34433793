"""The candidate sheet: what it says of each outcome, and that foreign text stays text."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import io
import json
import re
import shutil
import sqlite3
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from fr_cli.cli.sheet import expected
from fr_cli.decision.threshold import Fpir
from fr_cli.face.pipeline import FacePipeline
from tests.conftest import GROUNDS, MATED, STRANGER, Fr, jpeg, photo, small, write_csv

HOSTILE = (
    "</dd></style><script>alert(1)</script><img src=https://evil.example/x onerror=a>\"'{{7*7}}"
)


class Parsed(HTMLParser):
    """What a browser would meet: elements with attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.style = ""
        self.feed(page)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] == "style" and "{" in data:
            self.style += data
        else:
            self.words.append(data)

    def meta(self, name: str) -> str:
        """The content of the meta element that stands for this header."""
        (content,) = (
            at["content"] for tag, at in self.elements if tag == "meta" and name in at.values()
        )
        return content


def sheet(fr: Fr, image: Path | bytes, folder: Path, *options: str) -> Parsed:
    """The sheet of a search, checked for what holds of every sheet."""
    path = folder / "sheet.html"
    fr.identify(image, "--html", str(path), *options)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in folder.glob(".*")] == []
    parsed = Parsed(path.read_text(encoding="utf-8"))
    needs_nothing_from_outside(parsed)
    return parsed


def needs_nothing_from_outside(parsed: Parsed) -> None:
    policy = dict(part.strip().split(" ", 1) for part in
                  parsed.meta("Content-Security-Policy").split(";"))  # fmt: skip
    digest = base64.b64encode(hashlib.sha256(parsed.style.encode()).digest()).decode()
    assert policy == {
        "default-src": "'none'", "img-src": "data:", "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'", "form-action": "'none'",
    }  # fmt: skip
    assert "url(" not in parsed.style
    assert "@import" not in parsed.style
    for tag, attributes in parsed.elements:
        assert tag not in ("script", "link", "iframe", "object", "form", "a", "base"), tag
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in ("style", "href", "srcset"), (tag, name)
            assert name != "src" or value.startswith("data:image/jpeg;base64,"), value
            assert not value.startswith(("http:", "https:", "//")), value


def test_a_sheet_says_all_that_the_answer_rests_on(crowd: Fr, tmp_path: Path) -> None:
    parsed = sheet(crowd, photo(MATED), tmp_path)
    for number in range(1, 7):
        assert f"{number}. subject-{number} Reference custody-{number}" in parsed.text
        assert f"Captured 2026-03-0{number}" in parsed.text
    assert re.search(r"Score 1\.\d\d : 0\.\d\d above the threshold 0\.60\.", parsed.text)
    for words in (
        "Candidates to look at", "You decide, not the machine.", "Case CR/26/1", "Reason test",
        "Source custody", "Lawful basis PACE 1984 s.64A", "Compared 6 references of 6 people",
        "people who are not in this gallery, about one would still get a candidate",
        "Photo not kept by policy", "Beyond the data", "What must not be concluded",
        "The first two candidates lie close together", "px between the eyes in the photo",
        "Photo: no measure of its quality calls for advice.", "No evaluation on this force",
    ):  # fmt: skip
        assert words in parsed.text, words
    outcome = crowd.log()[-1]
    assert outcome["req"] in parsed.text
    assert f"entry {len(crowd.log())}, root" in parsed.text
    assert f"Operator {outcome['op']['user']} (user {outcome['op']['uid']}" in parsed.text
    assert "match found" not in parsed.text.lower()


def test_what_was_said_of_the_search_besides_stands_on_it(crowd: Fr, tmp_path: Path) -> None:
    shutil.copytree(crowd.home, tmp_path / "home")
    with (tmp_path / "home" / "policy.yaml").open("a") as file:
        file.write(f"places: [{json.dumps(HOSTILE)}]\n")
    options = ("--place", HOSTILE, "--flag", "vulnerable", "--flag", "child", "--necessity", "<b>x")
    page = sheet(Fr(tmp_path / "home"), photo(MATED), tmp_path, *options)
    for said in (f"Place {HOSTILE}", "Seems to be child and vulnerable", "Necessary because <b>x"):
        assert said in page.text
    assert "Supervisor" not in page.text


def test_the_bar_of_a_score_is_longer_than_the_mark_of_the_threshold(
    crowd: Fr, tmp_path: Path
) -> None:
    bars = [at for tag, at in sheet(crowd, photo(MATED), tmp_path).elements if tag == "rect"]
    reached = [float(at["width"]) for at in bars if at["class"] == "reached"]
    marks = [float(at["x"]) for at in bars if at["class"] == "threshold"]
    assert len(reached) == len(marks) == 6
    assert all(0 < mark < bar <= 100 for bar, mark in zip(reached, marks, strict=True))


def test_the_only_picture_is_the_probes_face(crowd: Fr, tmp_path: Path) -> None:
    (picture,) = (
        at["src"] for tag, at in sheet(crowd, photo(MATED), tmp_path).elements if tag == "img"
    )
    image = Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2])))
    assert (image.format, image.size) == ("JPEG", (320, 400))
    assert not image.getexif()


def pictures_of(parsed: Parsed) -> list[tuple[str, bytes]]:
    return [
        (at["alt"], base64.b64decode(at["src"].partition(",")[2]))
        for tag, at in parsed.elements
        if tag == "img"
    ]


def test_where_photos_are_kept_each_candidate_stands_beside_the_probe(
    shown: Fr, tmp_path: Path
) -> None:
    parsed = sheet(shown, photo(MATED), tmp_path)
    pictures = pictures_of(parsed)
    probe = pictures[0][1]
    assert [alt for alt, _ in pictures] == ["The face of the probe"] + [
        alt
        for rank in range(1, 7)
        for alt in ("The face of the probe", f"The face of candidate {rank}")
    ]
    for alt, data in pictures:
        image = Image.open(io.BytesIO(data))
        assert (image.format, image.size) == ("JPEG", (320, 400))
        assert not image.getexif()
        assert (data == probe) == (alt == "The face of the probe")
    assert "kept by policy" not in parsed.text
    assert "photographs of people" in parsed.text
    outcome = shown.log()[-1]["dec"]
    assert (outcome["sheet"], outcome["photos"]) == (True, 6)


def test_a_candidate_whose_photo_is_not_kept_is_said_to_have_none(
    shown: Fr, tmp_path: Path
) -> None:
    shutil.copytree(shown.home, tmp_path / "home")
    fr = Fr(tmp_path / "home")
    with contextlib.closing(sqlite3.connect(fr.home / "gallery" / "gallery.db")) as db, db:
        db.execute("DELETE FROM photos WHERE ref > 2")
    parsed = sheet(fr, photo(MATED), tmp_path)
    assert parsed.text.count("No photo kept") == 4
    assert len(pictures_of(parsed)) == 1 + 6 + 2


def test_photos_that_the_policy_does_not_keep_any_more_are_not_shown(
    shown: Fr, tmp_path: Path
) -> None:
    shutil.copytree(shown.home, tmp_path / "home")
    fr = Fr(tmp_path / "home")
    policy = fr.home / "policy.yaml"
    policy.write_text(policy.read_text().replace("keep_photos: true", "keep_photos: false"))
    parsed = sheet(fr, photo(MATED), tmp_path)
    assert parsed.text.count("Photo not kept by policy") == 6
    assert len(pictures_of(parsed)) == 1
    assert fr.log()[-1]["dec"]["photos"] == 0


def test_of_a_photo_with_several_faces_the_one_that_was_enrolled_is_shown(
    fresh: Fr, tmp_path: Path
) -> None:
    """The largest was enrolled; the stranger beside them stands further left."""
    policy = fresh.home / "policy.yaml"
    policy.write_text(policy.read_text().replace("keep_photos: false", "keep_photos: true"))
    two = Image.new("RGB", (1280, 800), "white")
    two.paste(small(STRANGER, "studio_portrait").resize((400, 400)), (0, 0))
    two.paste(small(MATED, "studio_portrait"), (600, 0))
    image = tmp_path / "two.jpg"
    image.write_bytes(jpeg(two))
    fresh.json("enroll", write_csv(tmp_path / "feed.csv", ("subject_id", "image"), ("A", image)),
               "--largest")  # fmt: skip
    (tmp_path / "out").mkdir()
    shown = dict(pictures_of(sheet(fresh, photo(MATED), tmp_path / "out")))[
        "The face of candidate 1"
    ]
    with FacePipeline.load() as pipeline:
        face = pipeline.template(shown).vector
        person, other = (
            pipeline.template(jpeg(small(who, "studio_portrait"))).vector
            for who in (MATED, STRANGER)
        )
    assert face @ person > 0.8
    assert face @ other < 0.4


def test_no_candidate_has_a_sheet_of_its_own(crowd: Fr, tmp_path: Path) -> None:
    parsed = sheet(crowd, photo(STRANGER), tmp_path)
    assert "No candidate" in parsed.text
    assert "That the person is not in the gallery." in parsed.text
    assert "about one would still get a candidate" in parsed.text
    assert "subject-" not in parsed.text
    assert "rect" not in [tag for tag, _ in parsed.elements]


def test_an_inconclusive_answer_names_nobody(fr: Fr, tmp_path: Path) -> None:
    policy = fr.home / "policy.yaml"
    policy.write_text(policy.read_text().replace("evaluation: warn", "evaluation: refuse"))
    parsed = sheet(fr, photo(MATED), tmp_path)
    assert "Inconclusive: nobody is named" in parsed.text
    assert "asks for an evaluation in force" in parsed.text
    assert MATED not in parsed.text


def test_advice_on_the_photo_is_on_the_sheet(crowd: Fr, tmp_path: Path) -> None:
    parsed = sheet(crowd, jpeg(small(MATED, longest=400)), tmp_path)
    assert re.search(r"Photo: move closer: distance between the eyes \d+ px", parsed.text)


def test_foreign_text_stays_text(fr: Fr, tmp_path: Path) -> None:
    image = tmp_path / "portrait.jpg"
    image.write_bytes(jpeg(small("P006", "studio_portrait")))
    names = ("subject_id", "reference_id", "source", "lawful_basis", "watchlist", "captured_at")
    feed = tmp_path / "feed.jsonl"
    feed.write_text(json.dumps({"image": image.name, **dict.fromkeys(names, HOSTILE + "\u202e")}))
    fr.json("enroll", feed)
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "sheet.html"
    fr.json(
        "identify", image, "--case", HOSTILE, "--reason", "test",
        "--watchlist", HOSTILE + "\u202e", "--html", path,
    )  # fmt: skip
    page = path.read_text(encoding="utf-8")
    parsed = Parsed(page)
    needs_nothing_from_outside(parsed)
    assert parsed.text.count("alert(1)") >= 8  # shown as it is, and nowhere obeyed
    assert "{{7*7}}" in parsed.text
    assert html.escape(HOSTILE, quote=False).split("&gt;")[0] in page
    assert "\u202e" not in page
    assert [tag for tag, _ in parsed.elements].count("img") == 1


def test_the_log_knows_that_there_was_a_sheet_and_nothing_of_it(fr: Fr, tmp_path: Path) -> None:
    fr.identify(photo(MATED))
    assert fr.log()[-1]["dec"]["sheet"] is False
    sheet(fr, photo(MATED), tmp_path)
    assert fr.log()[-1]["dec"]["sheet"] is True
    assert "sheet.html" not in (fr.home / "audit" / "audit.jsonl").read_text()
    fr.whole()


def test_a_sheet_changes_nothing_of_the_document(crowd: Fr, tmp_path: Path) -> None:
    plain = crowd.identify(photo(MATED))
    beside = crowd.identify(photo(MATED), "--html", str(tmp_path / "sheet.html"))
    varying = {"search_id", "asked_at", "audit", "timing_ms"}
    assert {k: v for k, v in plain.items() if k not in varying} == {
        k: v for k, v in beside.items() if k not in varying
    }


def test_a_person_is_told_where_the_sheet_is(crowd: Fr, tmp_path: Path) -> None:
    path = tmp_path / "sheet.html"
    result = crowd("identify", photo(MATED), *GROUNDS, "--html", path)
    assert f"Sheet: {path}" in result.stderr
    assert "Sheet" not in result.stdout


@pytest.mark.parametrize(
    ("value", "words"), [(1 / 6000, "Of 6,000 people"), (1 / 12.4, "Of 12 people")]
)
def test_the_rate_is_said_in_people(value: float, words: str) -> None:
    rate = Fpir(
        value=value, low=value / 3, high=value * 3, expected_false_candidates=value, compared=9
    )
    assert expected(rate).startswith(words)


def test_the_face_is_the_one_that_was_searched(crowd: Fr, tmp_path: Path) -> None:
    two = Image.new("RGB", (1280, 800), "white")
    two.paste(small(STRANGER), (0, 0))
    two.paste(small(MATED), (700, 0))
    left = sheet(crowd, jpeg(two), tmp_path, "--face", "1")
    right = sheet(crowd, jpeg(two), tmp_path, "--face", "2")
    assert "No candidate" in left.text
    assert "Candidates to look at" in right.text
    pictures = [dict(one.elements)["img"]["src"] for one in (left, right)]
    assert pictures[0] != pictures[1]
