"""Whole lines are missing at the end: the file alone cannot tell, a head kept elsewhere can."""

from __future__ import annotations

import pytest

from fr_cli.errors import AuditBroken
from fr_cli.records import Head

from .tampering import SmallLog


@pytest.mark.parametrize("left", range(1, 10))
def test_a_cut_is_seen_only_against_a_witnessed_head(small: SmallLog, left: int) -> None:
    head = small.log.head()
    lines = small.lines[:left]
    assert small.passes(lines).entries == left
    small.detected(lines, f"has {left} entries and a witness saw 10", witnessed=head)


def test_a_witnessed_head_of_the_past_and_of_now_pass(small: SmallLog) -> None:
    lines = small.lines
    for size in range(1, 11):
        small.passes(lines[:size])
        head = small.log.head()
        assert head.size == size
        small.passes(lines, full=False, witnessed=head)


def test_a_log_rolled_back_and_gone_on_with(small: SmallLog) -> None:
    head = small.log.head()
    bodies = small.bodies
    bodies[8:] = [body.replace(b"CR/26/2", b"CR/26/3") for body in bodies[8:]]
    lines = small.signed(bodies)
    assert small.passes(lines).entries == 10
    small.detected(lines, "line 10 has another root than the witnessed head", witnessed=head)
    wrong = Head(4, head.root)
    small.detected(lines, "line 4 has another root", witnessed=wrong)


def test_the_next_act_notices_a_cut_behind_its_cache(small: SmallLog) -> None:
    small.log.path.write_bytes(b"".join(small.lines[:8]))
    with pytest.raises(AuditBroken, match="cut"):
        small.log.act("identify", "consultation")
