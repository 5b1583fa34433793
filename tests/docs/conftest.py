"""The desk at which a reader of the pages sits: photos of people who do not exist, and a home."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fr_cli.operations.bench import Bench
from fr_cli.operations.enroll import Source, enroll
from fr_cli.operations.init import init
from fr_cli.records import Silence
from tests.conftest import PEOPLE, write_csv

ENROLLED = ("P001", "P002", "P003", "P004", "P005", "P006", "P008", "P009", "P010")


def _copy(person: str, kind: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PEOPLE / person / "assets" / f"{kind}.jpg", target)


@pytest.fixture(scope="session")
def _desk(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    desk = tmp_path_factory.mktemp("desk")
    for person in ENROLLED:
        _copy(person, "studio_portrait", desk / "photos" / person / "portrait.jpg")
    _copy("P003", "amateur_selfie", desk / "street.jpg")
    _copy("P007", "amateur_selfie", desk / "stranger.jpg")
    _copy("P003", "emotions_sheet", desk / "group.jpg")
    for person in ("P001", "P002"):
        _copy(person, "amateur_selfie", desk / "probes" / f"{person}.jpg")
    write_csv(
        desk / "labels.csv",
        ("image", "subject_id", "role"),
        *((f"photos/{who}/portrait.jpg", who, "reference") for who in ("P001", "P002", "P004")),
        *((f"probes/{who}.jpg", who, "probe") for who in ("P001", "P002")),
        ("stranger.jpg", "P007", "probe"),
    )
    basis = "PACE 1984 s.64A"
    write_csv(
        desk / "feed.csv",
        ("subject_id", "image", "watchlist", "source", "lawful_basis"),
        ("P001", "photos/P001/portrait.jpg", "wanted", "custody", basis),
        ("P002", "photos/P002/portrait.jpg", "", "custody", basis),
        ("P003", "photos/P003/missing.jpg", "", "custody", basis),
        ("P004", "street.txt", "", "custody", basis),
    )
    write_csv(
        desk / "custody.csv",
        ("subject_id", "image", "source", "offence", "borough"),
        ("P001", "photos/P001/portrait.jpg", "custody", "burglary", "Camden"),
        ("P002", "photos/P002/portrait.jpg", "custody", "theft", "Camden"),
        ("P003", "photos/P003/portrait.jpg", "custody", "burglary", "Camden"),
        ("P004", "photos/P004/portrait.jpg", "custody", "burglary", "Brent"),
    )
    (desk / "street.txt").write_text("not a photo")
    references = ENROLLED[:6]
    for person in references:
        _copy(person, "studio_portrait", desk / "labelled" / f"{person}-custody.jpg")
    for person in ENROLLED:
        _copy(person, "amateur_selfie", desk / "labelled" / f"{person}-street.jpg")
    write_csv(
        desk / "labelled" / "labels.csv",
        ("image", "subject_id", "role", "camera"),
        *((f"{who}-custody.jpg", who, "reference", "studio") for who in references),
        *((f"{who}-street.jpg", who, "probe", "phone") for who in ENROLLED),
    )
    (desk / "targets.yaml").write_text(
        "version: 1\n"
        "in_force: {days: 365, references: 10000}\n"
        "tpir: [{at_score: 0.60, at_least: 0.90}]\n"
        "fpir: [{at_score: 0.60, at_most: 0.01}]\n"
    )
    init(desk / "home")
    with Bench(desk / "home") as bench:
        enroll(Source(desk / "photos"), bench, Silence())
    return desk


@pytest.fixture
def desk(_desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the desk to work at: the working folder, with a home of nine people."""
    folder = tmp_path / "desk"
    shutil.copytree(_desk, folder)
    monkeypatch.chdir(folder)
    return folder
