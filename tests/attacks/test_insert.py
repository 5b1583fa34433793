"""A line is put in."""

from __future__ import annotations

import pytest

from .tampering import SmallLog


@pytest.mark.parametrize("index", range(1, 10))
def test_a_line_of_a_longer_log_by_the_same_key(small: SmallLog, index: int) -> None:
    lines = small.lines
    lines.insert(index, small.signed([*small.bodies, small.bodies[-1]])[-1])
    small.detected(lines, f"line {index + 1} ")


def test_an_empty_line(small: SmallLog) -> None:
    small.detected([*small.lines, b"\n"], "line 11 does not have the form")


def test_a_line_with_words(small: SmallLog) -> None:
    small.detected([*small.lines[:3], b"# hello\n", *small.lines[3:]], "line 4 does not have")
