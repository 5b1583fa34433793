"""A witness signs what grows, refuses what does not, and two of them find a fork."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from fr_cli.audit.log import AuditLog
from fr_cli.audit.note import Note, Signature, WitnessKey, read_note, read_vkey
from fr_cli.audit.reader import Log
from fr_cli.audit.receipt import Consistency
from fr_cli.audit.witness import KEY, Fork, Witness
from fr_cli.errors import AuditBroken, ConfigurationError, UsageProblem
from fr_cli.keys import SigningKey

from .conftest import ORIGIN, Bench


def grown(log: Log, old: int, upto: int | None = None) -> Consistency:
    return log.read(upto=upto, choose=lambda line: line.size == old).through().consistency(old)


def log_of(bench: Bench) -> Log:
    return Log(bench.log.path, bench.signer.public, ORIGIN)


@pytest.fixture
def log(bench: Bench) -> Log:
    """Five entries."""
    for _ in range(2):
        bench.some_act()
    return log_of(bench)


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness.create(tmp_path / "witness", "psd.example/w1")


@dataclass
class Forked:
    """A log of five entries that went on twice, in two copies, under one key."""

    one: Log
    other: Log


@pytest.fixture
def forked(bench: Bench, log: Log, tmp_path: Path) -> Forked:
    copy = tmp_path / "copy"
    shutil.copytree(bench.folder, copy)
    again = AuditLog(copy, bench.signer, ORIGIN)
    with again.act("identify", "consultation", why={"case": "the one that is shown"}):
        pass
    bench.some_act()
    return Forked(log, Log(again.path, bench.signer.public, ORIGIN))


def test_the_first_head_is_taken_and_each_that_extends_it(
    log: Log, bench: Bench, witness: Witness
) -> None:
    first = witness.sign(log.head(), log.keys)
    assert first.previous is None
    bench.some_act()
    second = witness.sign(grown(log, 5), log.keys)
    assert second.previous == first.note.head
    assert witness.last(ORIGIN) == second.note
    for signed in (first, second):
        assert witness.key.time_of(signed.note) == signed.time
        assert read_note(signed.note.text().encode()) == signed.note


def test_the_same_head_is_signed_again_with_a_new_time(
    log: Log, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_700_000_000.9)
    witness.sign(log.head(), log.keys)
    monkeypatch.setattr("time.time", lambda: 1_700_000_500.0)
    again = witness.sign(log.head(), log.keys)
    assert again.time == witness.key.time_of(again.note) == 1_700_000_500


def test_a_head_without_proof_is_not_signed(log: Log, bench: Bench, witness: Witness) -> None:
    witness.sign(log.head(), log.keys)
    bench.some_act()
    with pytest.raises(UsageProblem, match="no proof") as caught:
        witness.sign(log.head(), log.keys)
    assert caught.value.hint.endswith("fr audit prove --from 5")
    with pytest.raises(UsageProblem, match="last signed the head of 5"):
        witness.sign(grown(log, 4), log.keys)


def test_a_rolled_back_log_is_refused_and_both_heads_are_named(
    log: Log, bench: Bench, witness: Witness
) -> None:
    old = log.head()
    bench.some_act()
    seen = witness.sign(log.head(), log.keys).note
    with pytest.raises(Fork, match="rolled back") as caught:
        witness.sign(old, log.keys)
    assert caught.value.code == 31
    for head in (old.head, seen.head):
        assert f"{head.size} entries and root {head.root}" in caught.value.message
    assert witness.last(ORIGIN) == seen


def test_a_log_that_was_cut_and_went_on_is_refused(
    log: Log, bench: Bench, witness: Witness
) -> None:
    bench.some_act()
    seen = witness.sign(log.head(), log.keys).note
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(lines[:5]))
    (log.path.parent / "frontier.json").unlink()
    bench.some_act()
    with pytest.raises(Fork, match="two histories"):
        witness.sign(log.head(), log.keys)
    bench.some_act()
    proof = grown(log, 7)  # as good as can be made
    with pytest.raises(Fork, match="two histories") as caught:
        witness.sign(proof, log.keys)
    assert seen.head.root in caught.value.message
    kept = [file.read_text() for file in (witness._folder / "refused").iterdir()]
    assert proof.text() in kept


def test_a_proof_of_another_length_or_with_another_hash_is_refused(
    log: Log, bench: Bench, witness: Witness
) -> None:
    witness.sign(log.head(), log.keys)
    bench.some_act()
    proof = grown(log, 5)
    for path in ((), proof.path[:-1], (b"\0" * 32, *proof.path[1:]), (*proof.path, b"\0" * 32)):
        with pytest.raises(Fork):
            witness.sign(replace(proof, path=path), log.keys)
    witness.sign(proof, log.keys)


def test_a_head_that_the_log_did_not_sign_is_refused(log: Log, witness: Witness) -> None:
    note = log.head()
    for forged in (
        replace(note, signatures=()),
        replace(note, head=replace(note.head, size=6)),
        replace(note, origin="fr.local/other"),
        note.with_signatures([Signature(ORIGIN, note.signatures[0].blob[:4] + b"x" * 64)]),
    ):
        with pytest.raises(AuditBroken, match="sign"):
            witness.sign(forged, log.keys)
    assert witness.last(ORIGIN) is None


def test_two_witnesses_who_were_shown_a_fork_find_it_by_comparing(
    forked: Forked, tmp_path: Path
) -> None:
    here = Witness.create(tmp_path / "w1", "a.example/w1").sign(forked.one.head(), forked.one.keys)
    there = Witness.create(tmp_path / "w2", "b.example/w2").sign(
        forked.other.head(), forked.other.keys
    )
    # Each alone sees nothing; the heads of one size differ.
    assert here.note.head.size == there.note.head.size
    assert here.note.head.root != there.note.head.root
    # The first, shown what the second signed, refuses it and holds the evidence.
    with pytest.raises(Fork, match="two histories"):
        Witness.open(tmp_path / "w1").sign(there.note, forked.one.keys)
    evidence = next((tmp_path / "w1" / "refused").iterdir())
    assert read_note(evidence.read_bytes()) == there.note


def test_a_fork_of_another_length_is_found_because_no_proof_can_be_made(
    forked: Forked, bench: Bench, tmp_path: Path
) -> None:
    bench.some_act()
    one = Witness.create(tmp_path / "w1", "a.example/w1")
    one.sign(forked.one.head(), forked.one.keys)
    other = Witness.create(tmp_path / "w2", "b.example/w2")
    shown = other.sign(forked.other.head(), forked.other.keys).note.head
    assert not grown(forked.one, shown.size).follows(shown)
    with pytest.raises(Fork):
        other.sign(grown(forked.one, shown.size), forked.one.keys)


def test_logs_are_kept_apart_by_their_origin(log: Log, witness: Witness, tmp_path: Path) -> None:
    signer = SigningKey.new()
    (tmp_path / "second").mkdir()
    second = AuditLog.create(tmp_path / "second", signer, "fr.local/second/../x")
    other = Log(second.path, signer.public)
    witness.sign(log.head(), log.keys)
    witness.sign(other.head(), other.keys)
    assert len(list((witness._folder / "heads").glob("*.note"))) == 2
    last = witness.last("fr.local/second/../x")
    assert last is not None
    assert last.head.size == 1


def test_many_at_once_never_step_back(log: Log, bench: Bench, witness: Witness) -> None:
    """The race of c2sp.org/tlog-witness: check and memory are one step, whoever comes first."""
    heads: list[Consistency | Note] = [log.head()]
    witness.sign(heads[0], log.keys)
    for _ in range(6):
        bench.some_act()
        heads.append(grown(log, 5))

    def sign(head: Consistency | Note) -> int:
        try:
            return Witness.open(witness._folder).sign(head, log.keys).note.head.size
        except (Fork, UsageProblem):
            return 0

    with ThreadPoolExecutor(8) as pool:
        signed = list(pool.map(sign, heads[1:] * 3))
    last = witness.last(ORIGIN)
    assert last is not None
    assert last.head.size == max(signed)


def test_nothing_is_given_out_that_is_not_remembered(
    log: Log, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match="cannot be written"):
        witness.sign(log.head(), log.keys)
    assert witness.last(ORIGIN) is None


def test_a_memory_that_somebody_changed_is_not_believed(
    log: Log, bench: Bench, witness: Witness
) -> None:
    witness.sign(log.head(), log.keys)
    bench.some_act()
    (file,) = (witness._folder / "heads").glob("*.note")
    file.write_text(log.head().text())  # signed by the log, not by the witness
    with pytest.raises(AuditBroken, match="not what this witness wrote"):
        witness.sign(log.head(), log.keys)


def test_openssl_checks_a_cosignature(log: Log, witness: Witness, tmp_path: Path) -> None:
    signed = witness.sign(log.head(), log.keys)
    (tmp_path / "text").write_bytes(
        f"cosignature/v1\ntime {signed.time}\n".encode() + signed.note.signed_text
    )
    (tmp_path / "sig").write_bytes(signed.note.signatures[-1].blob[12:])
    command: list[str | Path] = [
        "openssl", "pkeyutl", "-verify", "-pubin", "-inkey", witness._folder / "witness.pub",
        "-rawin", "-in", tmp_path / "text", "-sigfile", tmp_path / "sig",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)


def test_the_key_of_a_witness_on_one_line() -> None:
    key = WitnessKey("witness.example.com/w1", SigningKey.new().public)
    assert read_vkey(key.vkey() + "\n") == key
    for bad in (key.vkey() + "x", key.vkey().replace("+", " ", 1), "", "a+b+c"):
        with pytest.raises(ValueError):
            read_vkey(bad)
    with pytest.raises(ValueError, match="id is not"):
        read_vkey(key.vkey().replace("w1+", "w2+"))


def test_a_forged_cosignature(log: Log, witness: Witness) -> None:
    note = witness.sign(log.head(), log.keys).note
    blob = note.signatures[-1].blob
    for forged in (blob[:-1], blob[:11] + b"\0" + blob[12:], blob + b"x", blob[:20]):
        bad = replace(note, signatures=(Signature("psd.example/w1", forged),))
        with pytest.raises(AuditBroken, match="does not hold"):
            witness.key.time_of(bad)
    assert witness.key.time_of(log.head()) is None


def test_the_folder_of_a_witness(tmp_path: Path, witness: Witness) -> None:
    assert stat.S_IMODE((tmp_path / "witness" / KEY).stat().st_mode) == 0o600
    assert Witness.open(tmp_path / "witness").key == witness.key
    with pytest.raises(ConfigurationError, match="already"):
        Witness.create(tmp_path / "witness", "again")
    assert Witness.open(tmp_path / "witness").key == witness.key
    with pytest.raises(UsageProblem):
        Witness.create(tmp_path / "other", "a name with spaces")
    with pytest.raises(ConfigurationError, match="not the folder of a witness"):
        Witness.open(tmp_path)
    Witness.create(tmp_path / "second", "b.example/w2")
    vkey = (tmp_path / "witness" / "witness.vkey").read_text()
    (tmp_path / "witness" / "witness.vkey").write_text(
        (tmp_path / "second/witness.vkey").read_text()
    )
    with pytest.raises(ConfigurationError, match="not the key that"):
        Witness.open(tmp_path / "witness")
    (tmp_path / "witness" / "witness.vkey").write_text(vkey)
    (tmp_path / "witness" / KEY).chmod(0o644)
    with pytest.raises(ConfigurationError, match="other accounts"):
        Witness.open(tmp_path / "witness")
