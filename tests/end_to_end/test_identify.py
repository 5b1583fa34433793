"""`fr identify` keeps its contract: the document, the exit codes, and nothing shown on an error."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from fr_cli.gallery.store import Store
from tests.conftest import GROUNDS, MATED, STRANGER, Fr, jpeg, photo, small, write_csv
from tests.face.pictures import encoded, png_bomb, turned

CONTRACT: dict[str, Any] = {
    "schema": str,
    "search_id": str,
    "outcome": str,
    "why": str,
    "warnings": list,
    "threshold": {"score": float, "cosine": float},
    "fpir": {
        "value": float,
        "low": float,
        "high": float,
        "expected_false_candidates": float,
        "compared": int,
    },
    "model": {"name": str, "fingerprint": str},
    "gallery": {"size": int, "generation": int, "engine": str},
    "quality": dict,
    "candidates": list,
    "audit": {"size": int, "root": str},
    "timing_ms": {"total": int},
}
CANDIDATE: dict[str, Any] = {
    "rank": int,
    "subject_id": str,
    "reference_id": str,
    "score": float,
    "cosine": float,
    "extrapolated": bool,
}


def keeps(document: dict[str, Any], contract: dict[str, Any]) -> None:
    for key, kind in contract.items():
        if isinstance(kind, dict):
            keeps(document[key], kind)
        else:
            assert isinstance(document[key], kind), (key, document[key])


def test_the_document_has_every_key_of_the_contract(enrolled: Fr) -> None:
    document = enrolled.identify(photo(MATED))
    keeps(document, CONTRACT)
    (candidate,) = document["candidates"]
    keeps(candidate, CANDIDATE)
    assert document["schema"] == "fr/identify/1"
    assert document["outcome"] == "candidates"
    assert (candidate["rank"], candidate["subject_id"]) == (1, MATED)
    assert candidate["reference_id"] == "studio_portrait.jpg"
    assert candidate["score"] >= document["threshold"]["score"]
    assert document["gallery"]["size"] == document["fpir"]["compared"] == 5
    fpir = document["fpir"]
    assert 0 < fpir["low"] <= fpir["value"] <= fpir["high"] < 1
    assert document["audit"]["size"] == len(enrolled.log())


def test_a_stranger_gets_no_candidate_and_that_is_no_error(enrolled: Fr) -> None:
    document = enrolled.identify(photo(STRANGER))
    keeps(document, CONTRACT)
    assert (document["outcome"], document["candidates"]) == ("no_candidate", [])


def test_the_words_never_call_a_candidate_a_match(enrolled: Fr) -> None:
    for person in (MATED, STRANGER):
        result = enrolled("identify", photo(person), *GROUNDS)
        assert result.code == 0
        assert "match found" not in result.stdout.lower()
        assert "identified" not in result.stdout.lower()
    assert "No candidate" in result.stdout


@pytest.mark.parametrize(
    "place", [lambda fr, rest: [*fr, *rest], lambda fr, rest: [*rest, *fr]], ids=["before", "after"]
)
@pytest.mark.parametrize("joined", [False, True])
def test_global_options_stand_before_or_after_the_command(
    enrolled: Fr, place: Callable[..., list[str]], joined: bool, tmp_path: Path
) -> None:
    home = [f"--home={enrolled.home}"] if joined else ["--home", str(enrolled.home)]
    words = place([*home, "--json"], ["identify", "-", *GROUNDS])
    result = Fr(tmp_path / "other")(*words, stdin=jpeg(small(MATED)))
    assert result.code == 0, result
    assert result.document["candidates"][0]["subject_id"] == MATED


def test_max_candidates_shortens_the_list_and_never_lengthens_it(fr: Fr, tmp_path: Path) -> None:
    image = tmp_path / "portrait.jpg"
    image.write_bytes(jpeg(small(MATED, "studio_portrait")))
    rows = [(f"copy {n}", image, f"r{n}") for n in range(8)]
    source = write_csv(tmp_path / "feed.csv", ("subject_id", "image", "reference_id"), *rows)
    fr.json("enroll", source)
    document = fr.identify(image, "--max-candidates", "2")
    assert [one["rank"] for one in document["candidates"]] == [1, 2]
    assert any("cut short" in warning for warning in document["warnings"])
    assert len(fr.found(image, "--max-candidates", "99")) == 6  # the policy's bound


def test_a_watchlist_that_nobody_is_on_is_said(enrolled: Fr) -> None:
    error = enrolled.identify(jpeg(small(MATED)), "--watchlist", "nobody", code=10)
    assert error["error"] == "GalleryMissing"


# -- refusals --------------------------------------------------------------------------------


def test_a_reason_that_the_policy_lacks_is_not_allowed(enrolled: Fr) -> None:
    words = ("identify", photo(MATED), "--case", "1", "--reason", "curiosity")
    error = enrolled.json(*words, code=4)
    assert error["error"] == "NotAllowed"
    assert "unknown-person" in error["hint"]


@pytest.mark.parametrize(
    "words",
    [
        ("identify", "x.jpg", "--reason", "test"),
        ("identify", "x.jpg", "--case", "1"),
        ("identify", *GROUNDS),
        ("identify", "x.jpg", *GROUNDS, "--max-candidates", "0"),
        ("identify", "x.jpg", *GROUNDS, "--face", "0"),
        ("identify", "x.jpg", *GROUNDS, "--floor", "0.1"),
        ("nonsense",),
        ("purge",),
    ],
)
def test_a_command_line_that_makes_no_sense_is_one_json_line(
    enrolled: Fr, words: tuple[str, ...]
) -> None:
    error = enrolled.json(*words, code=2)
    assert set(error) == {"error", "code", "message", "hint"}
    assert (error["error"], error["code"]) == ("UsageProblem", 2)


@pytest.mark.parametrize("options", [("--face", "1", "--largest"), ("--engine", "quick")])
def test_options_that_contradict_are_a_usage_error(enrolled: Fr, options: tuple[str, ...]) -> None:
    enrolled.identify(photo(MATED), *options, code=2)


def test_without_a_home_the_way_to_make_one_is_said(models: Path, tmp_path: Path) -> None:
    error = Fr(tmp_path / "nowhere").identify(photo(MATED), code=3)
    assert "fr init" in error["hint"]


def test_an_empty_gallery_is_said(fresh: Fr) -> None:
    assert "fr enroll" in fresh.identify(jpeg(small(MATED)), code=10)["hint"]


def test_without_weights_the_one_command_to_run_is_named(
    enrolled: Fr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    error = enrolled.identify(photo(MATED), code=50)
    assert error["error"] == "WeightsWrong"
    assert "fr models pull" in error["hint"]
    assert enrolled.log()[-1]["exit"] == 50


def test_weights_with_a_wrong_byte_are_refused(fr: Fr, models: Path) -> None:
    for path in models.iterdir():
        shutil.copy(path, fr.home / "models" / path.name)
    wrong = fr.home / "models" / "face_detection_yunet_2023mar.onnx"
    data = bytearray(wrong.read_bytes())
    data[1000] ^= 1
    wrong.write_bytes(data)
    assert "SHA-256" in fr.identify(photo(MATED), code=50)["message"]


def test_a_gallery_of_another_model_refuses(fr: Fr) -> None:
    store = Store.open(fr.home / "gallery" / "gallery.db")
    with store.transaction():
        store.set_meta(fingerprint="ab" * 32)
    store.close()
    assert fr.identify(jpeg(small(MATED)), code=13)["error"] == "OtherModel"


def test_a_damaged_gallery_refuses(fr: Fr) -> None:
    (path,) = (fr.home / "gallery" / "generations").glob("*.templates")
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(data)
    error = fr.identify(jpeg(small(MATED)), code=12)
    assert "fr gallery check" in error["hint"]
    result = fr("gallery", "check", "--json")
    assert result.code == 12
    assert fr.json("gallery", "rebuild")["generation"] == 2
    assert fr.found(jpeg(small(MATED))) == [MATED]
    fr.whole()


# -- photos ----------------------------------------------------------------------------------


def blank() -> bytes:
    return jpeg(Image.new("RGB", (640, 480), (200, 200, 200)))


def tiny() -> bytes:
    return jpeg(small(MATED, longest=96))


def truncated() -> bytes:
    return photo(MATED).read_bytes()[:200_000]


def animated() -> bytes:
    pages = [small(MATED, longest=200), small(STRANGER, longest=200)]
    return encoded(pages[0], "WEBP", save_all=True, append_images=pages[1:])


@pytest.mark.parametrize(
    ("make", "code", "name"),
    [
        (blank, 21, "NoFace"),
        (tiny, 23, "QualityTooLow"),
        (truncated, 20, "PhotoUnreadable"),
        (animated, 20, "PhotoUnreadable"),
        (lambda: b"", 20, "PhotoUnreadable"),
        (lambda: b"Dear Sir or Madam,\n", 20, "PhotoUnreadable"),
        (lambda: png_bomb(30_000), 20, "PhotoUnreadable"),
        (lambda: photo(MATED, "emotions_sheet").read_bytes(), 22, "SeveralFaces"),
        (lambda: photo(MATED, "character_sheet").read_bytes(), 22, "SeveralFaces"),
    ],
)  # fmt: skip
def test_a_photo_that_cannot_be_searched_has_its_exit_code_and_says_what_to_do(
    enrolled: Fr, make: Callable[[], bytes], code: int, name: str, tmp_path: Path
) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(make())
    error = enrolled.identify(path, code=code)
    assert (error["error"], error["code"]) == (name, code)
    assert error["message"]
    assert error["hint"]
    outcome = enrolled.log()[-1]
    assert (outcome["ph"], outcome["exit"], outcome["error"]) == ("outcome", code, name)


def test_without_json_an_error_is_two_sentences_on_standard_error(enrolled: Fr) -> None:
    result = enrolled("identify", "-", *GROUNDS, stdin=blank())
    assert (result.code, result.stdout) == (21, "")
    assert len(result.stderr.strip().splitlines()) == 2


@pytest.mark.parametrize("what", ["missing.jpg", ".", "a\nb.jpg"])
def test_a_photo_that_is_not_there_is_unreadable(
    enrolled: Fr, what: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert enrolled.json("identify", what, *GROUNDS, code=20)["error"] == "PhotoUnreadable"


def test_one_of_several_faces_is_chosen_by_number_or_size(enrolled: Fr) -> None:
    sheet = photo(MATED, "character_sheet")
    assert enrolled.identify(sheet, "--largest")["outcome"] in ("candidates", "no_candidate")
    two = Image.new("RGB", (1280, 800), "white")
    two.paste(small(MATED), (0, 0))
    two.paste(small("P001"), (700, 0))
    data = jpeg(two)
    assert "left to right" in enrolled.identify(data, code=22)["message"]
    assert enrolled.found(data, "--face", "1") == [MATED]
    assert enrolled.found(data, "--face", "2") == ["P001"]
    assert "--face 2" in enrolled.identify(data, "--face", "3", code=21)["hint"]


def sixteen_bit(image: Image.Image) -> bytes:
    pixels = np.asarray(image)[:, :, ::-1].astype(np.uint16) * 257
    return bytes(cv2.imencode(".png", pixels)[1])


def with_alpha(image: Image.Image) -> bytes:
    clear = image.convert("RGBA")
    mask = Image.new("L", image.size, 0)
    ImageDraw.Draw(mask).rectangle((8, 8, image.width - 8, image.height - 8), fill=255)
    clear.putalpha(mask)
    return encoded(clear, "PNG")


def on_its_side(image: Image.Image, orientation: int, method: Image.Transpose) -> bytes:
    """As a camera writes it that was held upright: pixels turned, and EXIF that says so."""
    return encoded(image.transpose(method), "JPEG", quality=95, exif=turned(orientation))


VARIANTS: dict[str, Callable[[Image.Image], bytes]] = {
    "png": lambda image: encoded(image, "PNG"),
    "webp": lambda image: encoded(image, "WEBP", quality=90),
    "tiff": lambda image: encoded(image, "TIFF"),
    "bmp": lambda image: encoded(image, "BMP"),
    "heic": lambda image: encoded(image, "HEIF", quality=90),
    "grey": lambda image: encoded(image.convert("L"), "JPEG", quality=95),
    "grey and alpha": lambda image: encoded(image.convert("LA"), "PNG"),
    "alpha": with_alpha,
    "palette": lambda image: encoded(image.quantize(256), "PNG"),
    "cmyk": lambda image: encoded(image.convert("CMYK"), "JPEG", quality=95),
    "16 bit": sixteen_bit,
    "turned 3": lambda image: on_its_side(image, 3, Image.Transpose.ROTATE_180),
    "turned 6": lambda image: on_its_side(image, 6, Image.Transpose.ROTATE_90),
    "turned 8": lambda image: on_its_side(image, 8, Image.Transpose.ROTATE_270),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_kind_of_file_of_a_portrait_finds_the_person(
    enrolled: Fr, variant: str, tmp_path: Path
) -> None:
    path = tmp_path / f"snímek – {variant}.bin"
    path.write_bytes(VARIANTS[variant](small(MATED)))
    assert enrolled.found(path) == [MATED]


# -- the log must be written first -----------------------------------------------------------


def test_without_its_log_nothing_is_answered(fr: Fr) -> None:
    (fr.home / "audit" / "audit.jsonl").unlink()
    assert fr.identify(photo(MATED), code=30)["error"] == "AuditUnwritable"


@pytest.mark.parametrize("writes", [0, 1], ids=["intent", "outcome"])
def test_a_log_that_cannot_be_appended_to_keeps_the_answer_back(
    fr: Fr, writes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = (fr.home / "audit" / "audit.jsonl").resolve()
    real, done = os.write, list[int]()

    def full(handle: int, data: bytes) -> int:
        if Path(os.readlink(f"/proc/self/fd/{handle}")) == log:
            if len(done) == writes:
                raise OSError(28, "No space left on device")
            done.append(1)
        return real(handle, data)

    before = log.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        error = fr.identify(jpeg(small(MATED)), code=30)
    assert error["error"] == "AuditUnwritable"
    assert MATED not in json.dumps(error)
    assert log.read_bytes().count(b"\n") == before.count(b"\n") + writes
    assert fr.found(jpeg(small(MATED))) == [MATED]
    fr.whole()


LIMITED = """
import resource, sys
size = int(sys.argv.pop(1))
from fr_cli.cli.main import app
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
app(sys.argv[1:])
"""


def test_on_a_full_disk_nothing_is_answered(fr: Fr, tmp_path: Path) -> None:
    size = (fr.home / "audit" / "audit.jsonl").stat().st_size + 10
    words = ["--home", str(fr.home), "--json", "identify", str(photo(MATED)), *GROUNDS]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(size), *words], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (30, "")
    assert json.loads(done.stderr)["error"] == "AuditUnwritable"
    assert fr.found(jpeg(small(MATED))) == [MATED]
    fr.whole()


# -- foreign text ----------------------------------------------------------------------------

HOSTILE = "\x1b[31m[bold]x[/bold]\x1b]0;title\x07\u202egnp.\x9b2J[/]"


def test_foreign_text_steers_neither_the_terminal_nor_the_printer(fr: Fr, tmp_path: Path) -> None:
    image = tmp_path / "portrait.jpg"
    image.write_bytes(jpeg(small("P006", "studio_portrait")))
    row = {"subject_id": HOSTILE, "image": image.name, "reference_id": HOSTILE, "source": HOSTILE}
    bad = row | {"image": f"{HOSTILE}.jpg"}
    source = tmp_path / "feed.jsonl"
    source.write_text("\n".join(json.dumps(line) for line in (row, bad)))
    fr.json("enroll", source, code=100)
    assert HOSTILE in fr.found(image)
    shown = [
        fr("enroll", source, "--retry"),
        fr("identify", image, *GROUNDS),
        fr("identify", image, *GROUNDS, "--watchlist", HOSTILE),
        fr("identify", f"{HOSTILE}.jpg", *GROUNDS),
        fr("identify", image, "--case", HOSTILE, "--reason", "test"),
        fr("identify", image, "--case", "1", "--reason", HOSTILE),
        fr("verify", image, HOSTILE, *GROUNDS),
        fr("gallery", "stats"),
        fr("purge", "--subject", HOSTILE, "--yes"),
        fr("purge", "--subject", HOSTILE, "--yes"),
        fr(HOSTILE),
    ]
    assert [result.code for result in shown] == [100, 0, 10, 20, 2, 4, 0, 0, 0, 2, 2]
    for result in shown:
        text = result.stdout + result.stderr
        assert not set(text) & set("\x1b\x07\x9b\u202e"), text
        assert "Traceback" not in text
    assert "[bold]x[/bold]" in shown[1].stdout  # as it is, neither obeyed nor swallowed
