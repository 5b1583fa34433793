"""The arithmetic of `peers`: which face, which people, and on which side of a threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import peers
from tests.benchmarks.peer_faces import central
from tests.benchmarks.peer_tools import Photos


def test_the_middle_face_is_meant_but_no_bystander() -> None:
    left, middle, speck = (0, 0, 40, 40), (60, 30, 100, 70), (48, 48, 53, 53)
    assert central([left, middle], 100, 100) == 1
    assert central([left, middle, speck], 100, 100) == 1
    assert central([speck], 100, 100) == 0


def test_every_second_of_the_people_and_all_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        ("a1", "A", "reference"), ("a2", "A", "probe"), ("a3", "A", "probe"),
        ("b1", "B", "reference"), ("b2", "B", "probe"),
        ("c1", "C", "reference"), ("s1", "S", "probe"), ("s2", "S", "probe"),
    ]  # fmt: skip
    rows = [(Path(name), subject, role) for name, subject, role in lines]
    monkeypatch.setattr(peers, "_listed", lambda manifest: rows)
    assert [path.name for path, _, _ in peers.rows(Path("m"), 1)] == [name for name, _, _ in lines]
    taken = [path.name for path, _, _ in peers.rows(Path("m"), 2)]
    assert taken == ["a1", "a2", "c1", "s1", "s2"]


def test_what_is_at_the_threshold_is_listed_and_beyond_it_is_not(tmp_path: Path) -> None:
    photos = Photos(
        tmp_path, ["a1", "b1", "c1"], ["A", "B", "C"],
        ["a2", "b2", "s1", "t1", "u1"], ["A", "B", "S", "T", "U"],
        frozenset({frozenset({"S", "C"})}),
    )  # fmt: skip
    distances = np.array(
        [
            [0.30, 0.80, np.inf],  # its mate, first
            [0.20, 0.51, np.inf],  # a stranger before its mate, which is beyond the threshold
            [0.90, 0.90, 0.10],  # the near one is the same person by another name: left out
            [0.50, 0.90, np.inf],  # at the threshold: named
            [np.inf, np.inf, np.inf],  # no face: nobody is named
        ],
        np.float32,
    )
    distances[0, 2] = 0.99
    line = peers.row("tool", distances, 0.5, photos)
    assert line.split()[:5] == ["tool", "0", "+", "1", "50.0"]
    assert "50.0 (1.3 … 98.7)" in line
    assert "1 of 3: 33.3" in line
