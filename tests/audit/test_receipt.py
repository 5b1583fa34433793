"""Proof files of a real log: made by a pass over it, checked without it, forged."""

from __future__ import annotations

import base64
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fr_cli.audit.line import read_line
from fr_cli.audit.note import read_note
from fr_cli.audit.reader import Log
from fr_cli.audit.receipt import Consistency, Inclusion, read_proof
from fr_cli.audit.rotation import Rotation
from fr_cli.audit.trust import Trusted, changed, check_signed
from fr_cli.errors import AuditBroken, UsageProblem
from fr_cli.keys import SigningKey

from .conftest import ORIGIN, Bench


@pytest.fixture
def log(bench: Bench) -> Log:
    """A log of 15 entries."""
    for number in range(7):
        bench.some_act(result=f"r{number}")
    return Log(bench.log.path, bench.signer.public, ORIGIN)


def proven(log: Log, index: int, upto: int | None = None) -> Inclusion:
    return (
        log.read(upto=upto, choose=lambda line: line.size == index + 1).through().inclusion(index)
    )


def grown(log: Log, old: int, upto: int | None = None) -> Consistency:
    return log.read(upto=upto, choose=lambda line: line.size == old).through().consistency(old)


def test_every_entry_is_proven_to_every_later_head_and_holds_itself(log: Log, bench: Bench) -> None:
    for size in range(1, 16):
        for index in range(size):
            proof = read_proof(proven(log, index, size).text().encode())
            assert isinstance(proof, Inclusion)
            proof.check(log.keys)
            assert proof.entry == bench.entries()[index]
            assert proof.note.head.size == size


def test_a_proof_is_at_most_a_kilobyte_plus_the_entry(log: Log) -> None:
    text = proven(log, 3).text()
    entry = re.search(r"^extra .*\n", text, re.M)
    assert entry is not None
    assert len(text.encode()) - len(entry[0]) < 1024
    # At 100,000 entries 17 hashes are due.
    assert (
        len(replace(proven(log, 3), path=(b"x" * 32,) * 17).text().encode()) - len(entry[0]) <= 1024
    )


def test_growth_is_proven_between_all_heads(log: Log) -> None:
    heads = {size: proven(log, 0, size).note.head for size in range(1, 16)}
    for old in range(1, 16):
        for size in range(old, 16):
            proof = read_proof(grown(log, old, size).text().encode())
            assert isinstance(proof, Consistency)
            assert proof.follows(heads[old])
            for other in set(heads) - {old}:
                assert not proof.follows(heads[other])


def test_making_proofs_writes_nothing_and_needs_no_right_to(log: Log, bench: Bench) -> None:
    os.chmod(bench.log.path, 0o400)
    before = {path: path.stat().st_mtime_ns for path in bench.folder.iterdir()}
    proven(log, 3)
    log.head()
    assert {path: path.stat().st_mtime_ns for path in bench.folder.iterdir()} == before


def test_every_single_bit_of_a_proof_matters(log: Log) -> None:
    """Every flip is refused."""
    for text in (proven(log, 3).text().encode(), grown(log, 5).text().encode()):
        head = proven(log, 4, 5).note.head
        undetected = 0
        for place in range(len(text)):
            for bit in range(8):
                flipped = bytearray(text)
                flipped[place] ^= 1 << bit
                try:
                    proof = read_proof(bytes(flipped))
                    if isinstance(proof, Inclusion):
                        proof.check(log.keys)
                    else:
                        assert isinstance(proof, Consistency)
                        check_signed(proof.note, log.keys)
                        if not proof.follows(head):
                            raise AuditBroken("")
                except AuditBroken:
                    continue
                undetected += 1
        assert undetected == 0


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\n\n", b"old 1", b"old x\n\n", b"c2sp.org/tlog-proof@v1\n", b"\xff\xfe",
        b"x" * 400_000,
        b"c2sp.org/tlog-proof@v1\nindex 3\n\n", b"c2sp.org/tlog-proof@v1\nextra AAAA\nindex 3\n\n",
    ],
)  # fmt: skip
def test_what_is_no_proof(text: bytes, log: Log) -> None:
    with pytest.raises(AuditBroken):
        read_proof(text)
    with pytest.raises(AuditBroken):
        read_proof(text + log.head().text().encode().replace(b"\n", b"\r\n"))


@pytest.mark.parametrize(
    "lines", [b"extra e30=\n", b"index 3\nextra e30=\n", b"extra e30=\nindex 3\nAAAA\n",
              b"extra e30=\nindex 3\n" + 64 * (b"A" * 43 + b"=\n")],
)  # fmt: skip
def test_a_proof_with_a_true_head_and_lines_that_are_none(lines: bytes, log: Log) -> None:
    note = log.head().text().encode()
    with pytest.raises(AuditBroken, match="This "):
        read_proof(b"c2sp.org/tlog-proof@v1\n" + lines + b"\n" + note)


PIECES = st.sampled_from([
    b"c2sp.org/tlog-proof@v1\n", b"extra ", b"index ", b"old ", b"0", b"15", b"\n", b"\n\n",
    b"A" * 43 + b"=\n", b"e30=", "— ".encode(), ORIGIN.encode(), b" ", b"\r", b"\0",
])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES | st.binary(max_size=5), max_size=14))
def test_nothing_but_a_refusal_comes_of_junk(pieces: list[bytes]) -> None:
    try:
        found = read_proof(b"".join(pieces))
        if isinstance(found, Inclusion):
            found.check([Trusted(b"\0" * 32)])
    except AuditBroken:
        pass


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\nindex 3\n", b"\nindex 03\n"), (b"\nindex 3\n", b"\nindex -3\n"),
        (b"\nindex 3\n", b"\nindex 4\n"), (b"\nindex 3\n", b"\nindex 99999999999999999\n"),
        (b"\n15\n", b"\n015\n"), (b"\n15\n", b"\n16\n"), (b"\n15\n", b"\n15\nextension\n"),
        (b"=\n\n\xe2\x80\x94", b"=\n\xe2\x80\x94"), (b"\xe2\x80\x94 ", b"- "), (b"@v1", b"@v2"),
        (b"extra ", b"extra  "), (b"fr.local/test\n15", b"fr.local/other\n15"),
    ],
)  # fmt: skip
def test_other_spellings_are_refused(old: bytes, new: bytes, log: Log) -> None:
    text = proven(log, 3).text().encode()
    assert old in text
    with pytest.raises(AuditBroken):
        checked(text.replace(old, new, 1), log)


def checked(text: bytes, log: Log) -> None:
    proof = read_proof(text)
    assert isinstance(proof, Inclusion)
    proof.check(log.keys)


def test_another_key_another_entry_and_a_stripped_signature(log: Log) -> None:
    proof, other = proven(log, 3), proven(log, 4)
    with pytest.raises(AuditBroken, match="not signed by the key"):
        proof.check([Trusted(SigningKey.new().public)])
    for forged in (
        replace(proof, extra=other.extra),
        replace(proof, index=4),
        replace(proof, path=other.path),
        replace(proof, note=replace(proof.note, signatures=())),
        replace(proof, note=replace(proof.note, head=proven(log, 3, 14).note.head)),
    ):
        with pytest.raises(AuditBroken):
            forged.check(log.keys)


def test_an_erased_entry_is_proven_by_its_hash(log: Log, bench: Bench) -> None:
    proof = proven(log, 3)
    bench.log.erase([3, 4], "retention")
    hashed = read_proof(proven(log, 3).text().encode())
    assert isinstance(hashed, Inclusion)
    hashed.check(log.keys)
    assert hashed.entry is None
    assert hashed.leaf == proof.leaf
    proof.check(log.keys)  # what was handed out before stays provable


@pytest.mark.parametrize("line", [0, 2, 6, 14])
def test_a_changed_log_gives_no_proof(line: int, log: Log) -> None:
    texts = log.path.read_bytes().splitlines(keepends=True)
    texts[line] = texts[line].replace(b'"v":1', b'"v":2')
    log.path.write_bytes(b"".join(texts))
    with pytest.raises(AuditBroken, match="not those that were signed"):
        proven(log, 3)
    log.path.write_bytes(b"".join([*texts[:3], *texts[4:]]))
    with pytest.raises(AuditBroken, match="Line 4 "):
        proven(log, 3)


def test_a_torn_line_is_not_part_of_the_log(log: Log) -> None:
    head = log.head()
    with log.path.open("ab") as file:
        file.write(b'{"cp":{"root":"half')
    assert log.head() == head
    assert proven(log, 3).note == head


def test_a_log_outside_a_home_names_its_origin(log: Log) -> None:
    assert Log(log.path, log.public).head() == log.head()


@pytest.mark.parametrize("content", [None, b"", b"x\n", b"x"])
def test_a_log_that_is_none(content: bytes | None, log: Log) -> None:
    log.path.unlink() if content is None else log.path.write_bytes(content)
    with pytest.raises(AuditBroken):
        log.head()
    with pytest.raises(AuditBroken):
        log.read().through()


def test_a_size_that_the_log_has_not(log: Log) -> None:
    with pytest.raises(UsageProblem, match="has 15 entries, not 16"):
        log.read(upto=16).through()


# -- changes of the key --------------------------------------------------------------------------


def test_a_later_key_is_learned_from_the_first_one(log: Log, bench: Bench) -> None:
    bench.log.rotate(SigningKey.new())
    bench.some_act()
    reading = log.read(choose=lambda line: True).through()
    (index,) = reading.changes
    assert index == 15
    assert log.head() == reading.note
    with pytest.raises(AuditBroken, match="not signed by the key"):
        check_signed(reading.note, log.keys)
    proof = proven(log, index, index + 1)
    proof.check(log.keys)
    assert proof.entry is not None
    keys = changed(log.keys, Rotation.of(proof.entry), proof.root_before(), proof.note)
    assert keys == reading.keys
    reading.inclusion(3).check(keys)
    proven(log, 3, 10).check(keys)


def test_each_key_is_believed_in_its_range_only(log: Log, bench: Bench) -> None:
    bench.log.rotate(SigningKey.new())
    bench.some_act()
    old, new = log.read().through().keys
    assert (old.first, old.last, new.first, new.last) == (1, 16, 17, None)
    note = proven(log, 3, 10).note
    with pytest.raises(AuditBroken):
        check_signed(note, [new])
    # An old key that was stolen signs no later head.
    head = replace(note.head, size=17)
    late = replace(note, head=head)
    blob = note.signatures[0].blob[:4] + bench.signer.sign(late.signed_text)
    stolen = replace(late, signatures=(note.signatures[0]._replace(blob=blob),))
    check_signed(stolen, log.keys)
    with pytest.raises(AuditBroken):
        check_signed(stolen, (old, new))


def test_three_keys_have_three_ranges(log: Log, bench: Bench) -> None:
    for _ in range(2):
        bench.log.rotate(SigningKey.new())
        bench.some_act()
    keys = log.read().through().keys
    assert [(key.first, key.last) for key in keys] == [(1, 16), (17, 19), (20, None)]


def test_a_change_of_another_log_or_place_is_not_taken(log: Log, bench: Bench) -> None:
    bench.log.rotate(SigningKey.new())
    proof = proven(log, 15, 16)
    assert proof.entry is not None
    rotation = Rotation.of(proof.entry)
    before = proof.root_before()
    assert changed(log.keys, rotation, before, proof.note)
    for bad in (
        rotation._replace(seq=14),
        rotation._replace(key=base64.b64encode(SigningKey.new().public).decode()),
        rotation._replace(old=rotation.key),
        rotation._replace(root=proof.note.head.root),
    ):
        with pytest.raises(AuditBroken, match="change of key"):
            changed(log.keys, bad, before, proof.note)
    with pytest.raises(AuditBroken, match="change of key"):
        changed(log.keys, rotation, proof.leaf, proof.note)


def test_notes_are_read_as_they_are_written(log: Log, tmp_path: Path) -> None:
    note = log.head()
    assert read_note(note.text().encode()) == note
    line = read_line(log.path.read_bytes().splitlines(keepends=True)[-1])
    assert (note.head.size, note.head.root) == (line.size, line.root)
    assert note.text().startswith(f"{ORIGIN}\n15\n")
