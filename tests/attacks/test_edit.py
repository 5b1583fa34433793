"""An entry or its head is edited by someone without the key."""

from __future__ import annotations

import pytest

from .tampering import SmallLog


@pytest.mark.parametrize("index", range(10))
def test_an_edited_entry(small: SmallLog, index: int) -> None:
    lines = small.lines
    lines[index] = lines[index].replace(b'"tool":"0', b'"tool":"9')
    small.detected(lines, f"line {index + 1} states another root")


def test_an_edit_with_the_root_made_to_fit(small: SmallLog) -> None:
    lines = small.lines
    forged = small.respelled(9, b"no_candidate", b"no_candidatE")
    lines[9] = lines[9].replace(lines[9][15:59], forged[9][15:59])
    lines[9] = lines[9].replace(b"no_candidate", b"no_candidatE")
    small.detected(lines, "line 10 is not signed by this key")


def test_a_size_that_is_wrong(small: SmallLog) -> None:
    lines = small.lines
    lines[4] = lines[4].replace(b'"size":5}', b'"size":6}')
    small.detected(lines, "line 5 states the size 6")


def test_the_next_act_refuses_an_edited_last_entry(small: SmallLog) -> None:
    from fr_cli.errors import AuditBroken

    lines = small.lines
    lines[9] = lines[9].replace(b"no_candidate", b"no_candidatE")
    small.log.path.write_bytes(b"".join(lines))
    with pytest.raises(AuditBroken):
        small.log.act("identify", "consultation")
