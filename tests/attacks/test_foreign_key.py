"""Lines signed by a key that is not the home's."""

from __future__ import annotations

from pathlib import Path

import pytest

from fr_cli.audit.verify import verify_log
from fr_cli.errors import AuditBroken
from fr_cli.keys import SigningKey

from .tampering import SmallLog


@pytest.fixture
def stranger(tmp_path: Path) -> SigningKey:
    (tmp_path / "stranger").mkdir()
    return SigningKey.create(tmp_path / "stranger")


def test_the_whole_log_by_another_key(small: SmallLog, stranger: SigningKey) -> None:
    small.detected(small.signed(small.bodies, stranger), "not signed by this key")


def test_the_whole_log_by_another_key_that_its_genesis_names(
    small: SmallLog, stranger: SigningKey
) -> None:
    import base64

    bodies = small.bodies
    own, other = (base64.b64encode(key.public) for key in (small.signer, stranger))
    bodies[0] = bodies[0].replace(own, other)
    small.detected(small.signed(bodies, stranger), "another key")


@pytest.mark.parametrize("index", range(10))
def test_one_line_by_another_key(small: SmallLog, stranger: SigningKey, index: int) -> None:
    lines = small.lines
    lines[index] = small.signed(small.bodies, stranger)[index]
    small.detected(lines, f"line {index + 1} is not signed by this key")


def test_the_right_key_id_on_a_foreign_signature(small: SmallLog, stranger: SigningKey) -> None:
    import base64

    lines = small.lines
    foreign = small.signed(small.bodies, stranger)[9]
    own, other = (base64.b64decode(line[68:160]) for line in (lines[9], foreign))
    lines[9] = lines[9].replace(lines[9][68:160], base64.b64encode(own[:4] + other[4:]))
    assert lines[9] != small.lines[9]
    small.detected(lines, "line 10 is not signed")


def test_a_genesis_entry_that_names_no_origin(small: SmallLog, stranger: SigningKey) -> None:
    """Then no head can be checked where the auditor was told no origin: that is a failure."""
    lines = small.rewritten(0, lambda entry: entry.pop("origin"))
    small.detected(lines, "another origin")
    for full in (False, True):
        with pytest.raises(AuditBroken, match="no genesis entry names the origin"):
            verify_log(small.log.path, small.signer.public, None, full=full)
