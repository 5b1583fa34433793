"""A signature is missing, or is not one."""

from __future__ import annotations

import re

import pytest

from .tampering import SmallLog


@pytest.mark.parametrize("index", [0, 4, 9])
@pytest.mark.parametrize("new", [b"", b'"sig":"",', b'"sig":null,', b'"sig":"AAAA",'])
def test_no_signature(small: SmallLog, index: int, new: bytes) -> None:
    lines = small.lines
    lines[index] = re.sub(rb'"sig":"[^"]*",', new, lines[index])
    small.detected(lines, f"line {index + 1} does not have the form")


def test_a_signature_of_zeros(small: SmallLog) -> None:
    lines = small.lines
    lines[9] = re.sub(rb'"sig":"[^"]*"', b'"sig":"' + b"A" * 91 + b'="', lines[9])
    small.detected(lines, "line 10 is not signed")


def test_the_signature_of_another_line(small: SmallLog) -> None:
    lines = small.lines
    lines[9] = lines[9].replace(lines[9][68:160], lines[8][68:160])
    small.detected(lines, "line 10 is not signed")


def test_no_head_at_all(small: SmallLog) -> None:
    lines = small.lines
    lines[9] = b'{"e":' + small.bodies[9] + b"}\n"
    small.detected(lines, "line 10 does not have the form")
