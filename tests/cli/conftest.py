"""Homes whose gallery holds six alike subjects, so that a sheet is full."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MATED, Fr, jpeg, small, write_csv

COLUMNS = ("subject_id", "image", "reference_id", "source", "captured_at", "lawful_basis")


@pytest.fixture(scope="session")
def crowd(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Fr:
    """Six subjects of one portrait, which is not kept. Not to be changed."""
    return _crowd(tmp_path_factory.mktemp("crowd"), keep_photos=False)


@pytest.fixture(scope="session")
def shown(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Fr:
    """The same where photos are kept. Not to be changed."""
    return _crowd(tmp_path_factory.mktemp("shown"), keep_photos=True)


def _crowd(folder: Path, *, keep_photos: bool) -> Fr:
    image = folder / "portrait.jpg"
    image.write_bytes(jpeg(small(MATED, "studio_portrait")))
    rows = [
        (f"subject-{n}", image, f"custody-{n}", "custody", f"2026-03-0{n}", "PACE 1984 s.64A")
        for n in range(1, 7)
    ]
    fr = Fr(folder / "home")
    fr.json("init")
    if keep_photos:
        policy = fr.home / "policy.yaml"
        policy.write_text(policy.read_text().replace("keep_photos: false", "keep_photos: true"))
    fr.json("enroll", write_csv(folder / "feed.csv", COLUMNS, *rows))
    return fr
