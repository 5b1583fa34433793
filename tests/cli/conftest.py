"""A home whose gallery holds six alike subjects, so that a sheet is full."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MATED, Fr, jpeg, small, write_csv

COLUMNS = ("subject_id", "image", "reference_id", "source", "captured_at", "lawful_basis")


@pytest.fixture(scope="session")
def crowd(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Fr:
    """Six subjects of one portrait. Not to be changed."""
    folder = tmp_path_factory.mktemp("crowd")
    image = folder / "portrait.jpg"
    image.write_bytes(jpeg(small(MATED, "studio_portrait")))
    rows = [
        (f"subject-{n}", image, f"custody-{n}", "custody", f"2026-03-0{n}", "PACE 1984 s.64A")
        for n in range(1, 7)
    ]
    fr = Fr(folder / "home")
    fr.json("init")
    fr.json("enroll", write_csv(folder / "feed.csv", COLUMNS, *rows))
    return fr
