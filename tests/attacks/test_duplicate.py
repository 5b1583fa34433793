"""A line stands twice."""

from __future__ import annotations

import pytest

from .tampering import SmallLog


@pytest.mark.parametrize("index", range(10))
def test_a_line_twice(small: SmallLog, index: int) -> None:
    lines = small.lines
    lines.insert(index, lines[index])
    small.detected(lines, f"line {index + 2} states the size {index + 1}")


def test_the_whole_log_twice(small: SmallLog) -> None:
    small.detected(small.lines * 2, "line 11 states the size 1")
