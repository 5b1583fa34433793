"""Lines are taken out."""

from __future__ import annotations

import pytest

from .tampering import SmallLog


@pytest.mark.parametrize("index", range(9))
def test_a_deleted_line(small: SmallLog, index: int) -> None:
    lines = small.lines
    del lines[index]
    small.detected(lines, f"line {index + 1} states the size {index + 2}")


def test_the_beginning_is_cut_off(small: SmallLog) -> None:
    small.detected(small.lines[4:], "line 1 states the size 5")


def test_a_deleted_act_in_a_log_signed_anew_breaks_a_witnessed_head(small: SmallLog) -> None:
    head = small.log.head()
    bodies = small.bodies[:-2]
    small.detected(small.signed(bodies), "was cut", witnessed=head)
