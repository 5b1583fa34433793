"""Other line ends and white space round a line."""

from __future__ import annotations

import pytest

from .tampering import SmallLog


@pytest.mark.parametrize("end", [b"\r\n", b" \n", b"\t\n", b"\0\n", b"\x85\n", b"\xe2\x80\xa8\n"])
def test_another_end_of_one_line(small: SmallLog, end: bytes) -> None:
    lines = small.lines
    lines[5] = lines[5][:-1] + end
    small.detected(lines, "line 6 does not have the form")


def test_the_whole_log_through_a_windows_editor(small: SmallLog) -> None:
    small.detected([line.replace(b"\n", b"\r\n") for line in small.lines], "line 1 does not have")


@pytest.mark.parametrize("start", [b" ", b"\xef\xbb\xbf", b"\r", b"\0"])
def test_something_before_a_line(small: SmallLog, start: bytes) -> None:
    lines = small.lines
    lines[0] = start + lines[0]
    small.detected(lines, "line 1 does not have the form")


def test_a_carriage_return_inside_a_signed_entry(small: SmallLog) -> None:
    small.detected(small.respelled(9, b'"exit":0', b'"exit":0\r'), "line 10 .*not canonical")


def test_a_last_line_without_its_newline(small: SmallLog) -> None:
    lines = small.lines
    small.detected([*lines[:9], lines[9][:-1]], "line 10 is unfinished")
