"""The report: one page that needs nothing else, says what it must, and names nobody."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.test_sheet_in_chromium import CHROMIUM, DARK, LIGHT, PHONE, pages, screenshot
from tests.conftest import Fr
from tests.operations.test_required import asked, evaluated, home, manifest

__all__ = ["evaluated", "home", "manifest"]


@pytest.fixture
def page(home: Fr, manifest: Path, tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    words = ("--group-by", "sex", "--html", str(path), "--require", str(asked(tmp_path)))
    assert home("evaluate", manifest, *words).code == 0
    return path


def test_it_says_what_was_asked_and_found_and_what_not_to_conclude(page: Path) -> None:
    text = page.read_text()
    for words in (
        "What was asked", "What was found", "How sure it is", "What not to conclude",
        "2 of people who are not", "All reached.", "In force until",
        "Which threshold for which gallery", "Groups by sex", "Too few people to be judged",
        "nobody said that the photos", "ISO/IEC 19795-1", "targets are reached.</span> The eval",
        "all 8 were found. The true share may still be as low as 63.06%", "Shift, one person",
    ):  # fmt: skip
        assert words.lower() in text.lower(), words
    assert "0.000%" not in text
    assert not re.search(r"\b100\.0 ?%|\b100\.0 of 100", re.sub(r"<svg.*?</svg>", "", text))
    assert "no significant" not in text
    assert "P003" not in text  # nobody is named


def test_what_is_missed_stands_at_the_top(home: Fr, manifest: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    hard = asked(tmp_path, counts={"probes_nonmated": 1000})
    assert home("evaluate", manifest, "--html", path, "--require", hard).code == 40
    head = path.read_text().partition("What was asked")[0]
    assert "1 of 4 targets are not reached.</span> This evaluation approves nothing." in head


def test_it_needs_nothing_from_outside(page: Path) -> None:
    text = page.read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert not re.search(r"https?:|<script|<link|<iframe| on[a-z]+=|url\(|@import|style=", text)
    assert text.count("<svg") == len(re.findall(r'<svg [^>]*role="img" aria-label="[^"]+"', text))
    assert page.stat().st_mode & 0o077 == 0


def test_faces_stand_in_it_only_where_their_owner_allows_it(
    home: Fr, manifest: Path, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    home.json("evaluate", manifest, "--html", path, "--faces-allowed")
    text = path.read_text()
    assert len(re.findall(r'alt="The face of the (probe|reference)"', text)) == 24
    assert "P003" not in text
    assert home.log()[-1]["dec"]["faces_shown"] == 12


def test_a_label_cannot_break_the_page(home: Fr, manifest: Path, tmp_path: Path) -> None:
    wild = manifest.with_name("wild.csv")
    text = manifest.read_text().replace(",f\n", ",<script>alert(1)</script>\n")
    wild.write_text(text)
    path = tmp_path / "report.html"
    home.json("evaluate", wild, "--group-by", "sex", "--html", path)
    wild.unlink()
    assert "<script" not in path.read_text()
    assert "&lt;script&gt;" in path.read_text()


def test_it_goes_nowhere_else(home: Fr, manifest: Path) -> None:
    home.json("evaluate", manifest, "--html", home.home / "report.html", code=3)


looked_at = pytest.mark.skipif(not CHROMIUM.exists(), reason="no /usr/bin/chromium")


@looked_at
@pytest.mark.parametrize(("scheme", "paper"), [("1", LIGHT), ("0", DARK)], ids=["light", "dark"])
def test_it_follows_light_and_dark(
    page: Path, tmp_path: Path, scheme: str, paper: tuple[int, int, int]
) -> None:
    setting = f"--blink-settings=preferredColorScheme={scheme}"
    pixels = screenshot(tmp_path, page, setting, name="screen", size="1000,1500")
    assert tuple(pixels[2, 2]) == paper


@looked_at
def test_it_prints_on_a4_and_its_first_page_stands_alone(page: Path, tmp_path: Path) -> None:
    count, size = pages(tmp_path, page)
    assert 3 <= count <= 12
    assert size == pytest.approx([595, 842], abs=1)


@looked_at
def test_nothing_is_cut_off_on_a_phone(page: Path, tmp_path: Path) -> None:
    frame = tmp_path / "phone.html"
    frame.write_text(
        f'<body style="margin:0;background:#f0f"><iframe src="{page.as_uri()}" '
        f'style="border:0;width:{PHONE}px;height:1500px"></iframe>'
    )
    pixels = screenshot(tmp_path, frame, name="phone", size="600,1500")
    assert isinstance(Image.fromarray(pixels), Image.Image)
    margin = pixels[:, PHONE - 8 : PHONE].reshape(-1, 3)
    assert {tuple(colour) for colour in margin.tolist()} == {LIGHT}
