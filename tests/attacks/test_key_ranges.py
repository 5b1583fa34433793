"""A key counts for its own range only, and only the key in force can name the next."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import rfc8785

from fr_cli.audit.line import key_id, read_line, signed_line
from fr_cli.audit.log import AuditLog
from fr_cli.audit.merkle import Frontier, leaf_hash
from fr_cli.audit.rotation import claim
from fr_cli.errors import AuditBroken
from fr_cli.keys import SigningKey

from .tampering import ORIGIN, SmallLog

ROTATED = 10  #: the index of the rotation's line


@pytest.fixture
def new() -> SigningKey:
    return SigningKey.new()


@pytest.fixture
def rotated(small: SmallLog, new: SigningKey) -> SmallLog:
    """The small log, its key changed in line 11, and one more act."""
    small.log.rotate(new)
    with small.log.act("identify", "consultation"):
        pass
    return small


def resigned(small: SmallLog, bodies: list[bytes], signers: list[SigningKey]) -> list[bytes]:
    """A log of these bodies, each head rightly computed and signed by the key of its place."""
    frontier, lines = Frontier(), list[bytes]()
    for body, signer in zip(bodies, signers, strict=True):
        frontier.append(leaf_hash(body))
        root = base64.b64encode(frontier.root()).decode()
        lines.append(signed_line(body, frontier.size, root, signer, ORIGIN))
    return lines


def rotation(small: SmallLog, seq: int, old: SigningKey, new: SigningKey, **other: Any) -> bytes:
    """A rotation entry that follows the first `seq` lines, made by whoever has both keys."""
    root = read_line(small.lines[seq - 1]).root
    entry = json.loads(small.bodies[seq - 1]) | {
        "cmd": "key-rotate", "act": "administration", "ph": "rotation", "req": "e" * 32,
        "seq": seq, **claim(ORIGIN, seq, root, old.public, new),
    }  # fmt: skip
    return rfc8785.dumps(entry | other)


def test_the_rotated_log_passes(rotated: SmallLog, new: SigningKey) -> None:
    signers = [rotated.signer] * 11 + [new] * 2
    assert resigned(rotated, rotated.bodies, signers) == rotated.lines
    for full in (False, True):
        assert len(rotated.passes(rotated.lines, full=full).keys) == 2


@pytest.mark.parametrize("index", [11, 12])
def test_the_old_key_after_its_range(rotated: SmallLog, new: SigningKey, index: int) -> None:
    signers = [rotated.signer] * 11 + [new] * 2
    signers[index] = rotated.signer
    lines = resigned(rotated, rotated.bodies, signers)
    rotated.detected(lines, f"line {index + 1} is not signed by this key: .* replaced at line 11")


@pytest.mark.parametrize("index", [0, 5, 9, ROTATED])
def test_the_new_key_before_its_range(rotated: SmallLog, new: SigningKey, index: int) -> None:
    signers = [rotated.signer] * 11 + [new] * 2
    signers[index] = new
    lines = resigned(rotated, rotated.bodies, signers)
    rotated.detected(lines, f"line {index + 1} is not signed by this key")


def test_a_rotation_that_the_new_key_signs_for_itself(small: SmallLog, new: SigningKey) -> None:
    bodies = [*small.bodies, rotation(small, 10, small.signer, new)]
    lines = resigned(small, bodies, [small.signer] * 10 + [new])
    small.detected(lines, "line 11 is not signed by this key")


def test_a_rotation_with_the_key_id_of_the_old_key(small: SmallLog, new: SigningKey) -> None:
    """The fast check reads key ids only; of a rotation it must check the signature itself."""
    bodies = [*small.bodies, rotation(small, 10, small.signer, new)]
    lines = resigned(small, bodies, [small.signer] * 10 + [new])
    forged = base64.b64decode(read_line(lines[10]).signature)
    named = base64.b64encode(key_id(ORIGIN, small.signer.public) + forged[4:])
    lines[10] = lines[10].replace(read_line(lines[10]).signature.encode(), named)
    after = json.loads(small.bodies[8]) | {"seq": 11, "req": "d" * 32}
    whole = resigned(small, [*bodies, rfc8785.dumps(after)], [small.signer] * 10 + [new, new])
    small.detected([*lines, whole[11]], "line 11 is not signed by this key")


def test_a_thief_of_the_old_key_names_his_own(rotated: SmallLog, new: SigningKey) -> None:
    thief = SigningKey.new()
    bodies = [*rotated.bodies, rotation(rotated, 13, rotated.signer, thief)]
    lines = resigned(rotated, bodies, [rotated.signer] * 11 + [new] * 2 + [rotated.signer])
    rotated.detected(lines, "line 14 is not signed by this key")
    with pytest.raises(AuditBroken):  # nor does the home go on with it
        rotated.log.act("identify", "consultation")


def test_a_thief_of_the_old_key_rolls_back_and_names_his_own(rotated: SmallLog) -> None:
    """From the file alone this is another past of the same key; a witnessed head tells."""
    head, thief = rotated.log.head(), SigningKey.new()
    seen = [read_line(line) for line in rotated.lines]
    bodies = rotated.bodies[:10]
    bodies[9] = bodies[9].replace(b'"no_candidate"', b'"candidates"')
    rotated.log.path.write_bytes(b"".join(resigned(rotated, bodies, [rotated.signer] * 10)))
    bodies.append(rotation(rotated, 10, rotated.signer, thief))
    lines = resigned(rotated, bodies, [rotated.signer] * 11)
    assert rotated.passes(lines).keys[1].first == 12
    rotated.detected(lines, "it was cut", witnessed=head)
    for size in (10, 11):
        earlier = type(head)(size, seen[size - 1].root)
        rotated.detected(lines, f"line {size} has another root", witnessed=earlier)
    with pytest.raises(AuditBroken):  # and the home, which has the true new key, refuses it
        rotated.log.act("identify", "consultation")


def test_the_true_rotation_moved_to_another_past(rotated: SmallLog, new: SigningKey) -> None:
    """By a thief of the old key, so that the home's own new key goes on with a forged past."""
    bodies = rotated.bodies[:11]
    bodies[9] = bodies[9].replace(b'"no_candidate"', b'"candidates"')
    lines = resigned(rotated, bodies, [rotated.signer] * 11)
    rotated.detected(lines, "line 11 names a new key for another log than this")
    (rotated.log.path.parent / "frontier.json").unlink()
    with pytest.raises(AuditBroken):
        rotated.log.act("identify", "consultation")


@pytest.mark.parametrize("name", ["old", "key", "root", "proof"])
def test_a_rotation_with_another_value(rotated: SmallLog, new: SigningKey, name: str) -> None:
    bodies = rotated.bodies
    entry = json.loads(bodies[ROTATED])
    true = base64.b64decode(entry[name])
    entry[name] = base64.b64encode(bytes([true[0] ^ 1]) + true[1:]).decode()
    bodies[ROTATED] = rfc8785.dumps(entry)
    lines = resigned(rotated, bodies, [rotated.signer] * 11 + [new] * 2)
    rotated.detected(lines, "line 11 names")


@pytest.mark.parametrize("value", [None, 7, "", "AAAA", "x" * 44])
def test_a_malformed_rotation(rotated: SmallLog, new: SigningKey, value: object) -> None:
    for name in ("old", "key", "root", "proof"):
        bodies = rotated.bodies
        bodies[ROTATED] = rfc8785.dumps(json.loads(bodies[ROTATED]) | {name: value})
        lines = resigned(rotated, bodies, [rotated.signer] * 11 + [new] * 2)
        rotated.detected(lines, "line 11 holds an entry that names no key")


def test_a_key_that_comes_back(rotated: SmallLog, new: SigningKey) -> None:
    for again in (rotated.signer, new):
        bodies = [*rotated.bodies[:13], rotation(rotated, 13, new, again)]
        lines = resigned(rotated, bodies, [rotated.signer] * 11 + [new] * 3)
        rotated.detected(lines, "line 14 names a key that was in use before")


def test_an_erased_rotation(rotated: SmallLog, new: SigningKey) -> None:
    line = read_line(rotated.lines[ROTATED])
    assert line.body is not None
    lines = rotated.lines
    gone = b'"x":"' + base64.b64encode(line.leaf) + b'"'
    lines[ROTATED] = lines[ROTATED].replace(b'"e":' + line.body, gone)
    rotated.detected(lines, "line 12 is not signed by this key")


def test_a_rotation_that_only_looks_like_one_from_within_a_body(small: SmallLog) -> None:
    with small.log.act("identify", "consultation") as act:
        act.decide(inner={"ph": "rotation"})
    assert small.log.head().size == 12
    log = AuditLog(small.log.path.parent, small.signer, ORIGIN)
    with log.act("identify", "consultation"):
        pass
    assert len(small.passes(small.lines).keys) == 1
