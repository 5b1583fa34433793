"""A last line cut in half by hand, to pass for what a crash leaves."""

from __future__ import annotations

import pytest

from fr_cli.audit.log import AuditLog
from fr_cli.errors import AuditBroken

from .tampering import ORIGIN, SmallLog


@pytest.fixture
def torn(small: SmallLog) -> bytes:
    """The log without the second half of its last line."""
    data = small.log.path.read_bytes()
    small.log.path.write_bytes(data[:-200])
    return data


def test_it_does_not_verify_as_it_is(small: SmallLog, torn: bytes) -> None:
    small.detected(small.lines, "line 10 is unfinished")


def test_the_home_knows_that_the_line_was_whole(small: SmallLog, torn: bytes) -> None:
    """The cache is written when a line is on disk: a line that a crash tore is not in it."""
    before = small.log.path.read_bytes()
    for log in (small.log, AuditLog(small.log.path.parent, small.signer, ORIGIN)):
        with pytest.raises(AuditBroken, match="cut"):
            log.act("identify", "consultation")
    assert small.log.path.read_bytes() == before


def test_without_the_cache_it_is_recorded_and_a_witness_tells(small: SmallLog, torn: bytes) -> None:
    small.log.path.write_bytes(torn)
    head = small.log.head()
    small.log.path.write_bytes(torn[:-200])
    (small.log.path.parent / "frontier.json").unlink()
    with small.log.act("identify", "consultation"):
        pass
    assert small.passes(small.lines).recovered == 1  # visible for ever, with its hash
    small.detected(small.lines, "line 10 has another root than the witnessed", witnessed=head)
