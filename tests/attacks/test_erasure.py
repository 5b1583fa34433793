"""A body is gone: right only if a later erasure names it."""

from __future__ import annotations

import base64

import pytest

from fr_cli.audit.line import read_line

from .tampering import SmallLog


def erased(lines: list[bytes], index: int) -> list[bytes]:
    line = read_line(lines[index])
    assert line.body is not None
    gone = b'"x":"' + base64.b64encode(line.leaf) + b'"'
    return [
        *lines[:index],
        lines[index].replace(b'"e":' + line.body, gone),
        *lines[index + 1 :],
    ]


@pytest.fixture
def named(small: SmallLog) -> list[bytes]:
    """The log with an act that erases both entries of the first identification."""
    with small.log.act("purge", "erasure", erases=[1, 2]):
        pass
    return small.lines


@pytest.mark.parametrize("gone", [(1, 2), (1,), (2,), ()])
def test_an_erasure_that_a_later_entry_names(
    small: SmallLog, named: list[bytes], gone: tuple[int, ...]
) -> None:
    lines = named
    for index in gone:
        lines = erased(lines, index)
    for full in (False, True):
        assert small.passes(lines, full=full).erased == len(gone)


def test_the_log_goes_on_after_an_erasure(small: SmallLog, named: list[bytes]) -> None:
    small.log.path.write_bytes(b"".join(erased(erased(named, 1), 2)))
    (small.log.path.parent / "frontier.json").unlink()  # its offsets are of the longer file
    with small.log.act("identify", "consultation"):
        pass
    assert small.passes(small.lines).entries == 14


def test_an_erasure_that_nothing_names(small: SmallLog, named: list[bytes]) -> None:
    small.detected(erased(named, 3), "line 4 was erased and no erasure entry names it")
    small.detected(erased(named[:10], 1), "line 2 was erased")


def test_only_an_erasure_can_name_it(small: SmallLog) -> None:
    with small.log.act("decide", "alteration", erases=[1]):
        pass
    small.detected(erased(small.lines, 1), "line 2 was erased")


def test_an_entry_cannot_name_itself_or_a_later_one(small: SmallLog) -> None:
    with small.log.act("purge", "erasure", erases=[11]):
        pass
    small.detected(small.lines, "line 11 names an erased entry that cannot be")


def test_the_genesis_entry_cannot_be_erased(small: SmallLog, named: list[bytes]) -> None:
    small.detected(erased(named, 0), "line 1 is the genesis entry")


def test_another_leaf_hash(small: SmallLog, named: list[bytes]) -> None:
    lines = erased(named, 1)
    other = base64.b64encode(read_line(named[3]).leaf)
    lines[1] = lines[1].replace(base64.b64encode(read_line(named[1]).leaf), other)
    small.detected(lines, "line 2 states another root")


def test_an_erased_line_excuses_one_missing_intent_only(
    small: SmallLog, named: list[bytes]
) -> None:
    bodies = small.bodies
    for old in (2, 5):
        bodies[old] = bodies[old].replace(read_req(bodies[old]), b"f" * 31 + b"%d" % old)
    lines = small.signed(bodies)
    small.detected(erased(lines, 1), "line 6 is of phase outcome without an intent")


def read_req(body: bytes) -> bytes:
    start = body.index(b'"req":"') + 7
    return body[start : start + 32]
