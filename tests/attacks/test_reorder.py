"""Two lines change places."""

from __future__ import annotations

import pytest

from .tampering import SmallLog


@pytest.mark.parametrize("index", range(9))
def test_neighbours_change_places(small: SmallLog, index: int) -> None:
    lines = small.lines
    lines[index], lines[index + 1] = lines[index + 1], lines[index]
    small.detected(lines, f"line {index + 1} states the size")


def test_bodies_change_places_and_heads_stay(small: SmallLog) -> None:
    lines, bodies = small.lines, small.bodies
    lines[1] = lines[1].replace(bodies[1], bodies[3])
    lines[3] = lines[3].replace(bodies[3], bodies[1])
    small.detected(lines, "line 2 ")
