"""The sheet in a browser: light, dark, on A4 and on a phone. Pictures are left in tmp_path."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fr_cli.face import weights
from fr_cli.face.detection import Detector
from fr_cli.site import user_home
from tests.conftest import MATED, STRANGER, Fr, photo

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason="no /usr/bin/chromium: the sheet was not looked at"
)
LIGHT, DARK = (255, 255, 255), (20, 23, 26)
PHONE = 390


def chromium(folder: Path, page: Path, *options: str) -> None:
    """Open a page without a window, in a profile of its own, offline."""
    quiet = (
        "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={folder / 'profile'}",
    )  # fmt: skip
    subprocess.run([CHROMIUM, *quiet, *options, page.as_uri()], capture_output=True, timeout=60,
                   check=True)  # fmt: skip


def screenshot(folder: Path, page: Path, *options: str, name: str, size: str) -> np.ndarray:
    """The pixels of a page, RGB."""
    file = folder / f"{name}.png"
    chromium(folder, page, f"--screenshot={file}", f"--window-size={size}", *options)
    return np.asarray(Image.open(file).convert("RGB"))


@pytest.fixture
def sheet(crowd: Fr, tmp_path: Path) -> Path:
    """A sheet of six candidates."""
    path = tmp_path / "sheet.html"
    crowd.identify(photo(MATED), "--html", str(path))
    return path


@pytest.mark.parametrize(("scheme", "paper"), [("1", LIGHT), ("0", DARK)], ids=["light", "dark"])
def test_it_follows_light_and_dark(
    sheet: Path, tmp_path: Path, scheme: str, paper: tuple[int, int, int]
) -> None:
    setting = f"--blink-settings=preferredColorScheme={scheme}"
    pixels = screenshot(tmp_path, sheet, setting, name="screen", size="1000,1500")
    assert tuple(pixels[2, 2]) == paper  # so the style sheet is allowed by its hash
    face = pixels[130:340, 30:200].reshape(-1, 3)
    assert len(np.unique(face, axis=0)) > 1000  # and so is the picture
    ink = np.abs(pixels.astype(int) - paper).max(axis=2) > 100
    assert 0.01 < ink.mean() < 0.3


def pages(folder: Path, page: Path) -> tuple[int, list[float]]:
    """How many pages it prints on, and their size in points."""
    file = folder / "sheet.pdf"
    chromium(folder, page, "--no-pdf-header-footer", f"--print-to-pdf={file}")
    data = file.read_bytes()
    (count,) = re.findall(rb"/Count (\d+)", data)
    box = re.search(rb"/MediaBox \[([^\]]+)\]", data)
    assert box is not None
    return int(count), [float(number) for number in box[1].split()[2:]]


@pytest.mark.parametrize("home", ["crowd", "shown"])
def test_six_candidates_print_on_one_page_of_a4(
    home: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "sheet.html"
    request.getfixturevalue(home).identify(photo(MATED), "--html", str(path))
    count, size = pages(tmp_path, path)
    assert count == 1
    assert size == pytest.approx([595, 842], abs=1)


def test_a_candidates_face_stands_beside_the_probe_with_the_eyes_in_the_same_places(
    shown: Fr, tmp_path: Path
) -> None:
    path = tmp_path / "sheet.html"
    shown.identify(photo(MATED), "--html", str(path), "--max-candidates", "1")
    pixels = screenshot(tmp_path, path, name="pair", size="1000,1500")
    faces = Detector(weights.load(weights.named("YuNet"), [user_home() / "models"])).detect(
        np.ascontiguousarray(pixels[:, :, ::-1])
    )
    # The probe at the top, and the pair below it.
    pair = sorted((face for face in faces if face.centre[1] > 400), key=lambda face: face.centre[0])
    assert len(pair) == 2
    eyes = [face.landmarks[:2] for face in pair]
    spans = [float(np.linalg.norm(two[1] - two[0])) for two in eyes]
    assert spans[0] == pytest.approx(spans[1], rel=0.06)
    heights = [float(two[:, 1].mean()) for two in eyes]
    # As exact as the detector is on a face of this size.
    assert heights[0] == pytest.approx(heights[1], abs=7)


def test_no_candidate_prints_on_one_page(crowd: Fr, tmp_path: Path) -> None:
    path = tmp_path / "none.html"
    crowd.identify(photo(STRANGER), "--html", str(path))
    assert pages(tmp_path, path)[0] == 1


def test_nothing_is_cut_off_on_a_phone(fr: Fr, tmp_path: Path) -> None:
    page = tmp_path / "sheet.html"
    case = "CR" + 80 * "0123456789"[:2]
    fr.json("identify", photo(MATED), "--case", case, "--reason", "test", "--html", page)
    # A window of Chromium is at least 500 px wide; a frame may be as narrow as a phone.
    frame = tmp_path / "phone.html"
    frame.write_text(
        f'<body style="margin:0;background:#f0f"><iframe src="{page.as_uri()}" '
        f'style="border:0;width:{PHONE}px;height:2000px"></iframe>'
    )
    pixels = screenshot(tmp_path, frame, name="phone", size="600,2000")
    assert tuple(pixels[5, PHONE + 5]) == (255, 0, 255)
    margin = pixels[:, PHONE - 10 : PHONE].reshape(-1, 3)
    assert {tuple(colour) for colour in np.unique(margin, axis=0).tolist()} == {LIGHT}
