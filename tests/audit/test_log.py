"""An act in the log: what is written when, and what is on disk when."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from base64 import b64decode
from pathlib import Path

import pytest

from fr_cli.audit.act import MAX_DECISION
from fr_cli.audit.line import MAX_LINE, checkpoint, read_line
from fr_cli.audit.log import AuditLog
from fr_cli.audit.verify import verify_log
from fr_cli.errors import AuditBroken, AuditUnwritable, QualityTooLow
from fr_cli.keys import AUDIT_PUBLIC, SigningKey
from fr_cli.records import Head

from .conftest import ORIGIN, Bench


def test_genesis_names_the_key_and_the_origin(bench: Bench) -> None:
    (entry,) = bench.entries()
    assert entry["ph"] == "genesis"
    assert entry["origin"] == ORIGIN
    assert b64decode(entry["key"]) == bench.signer.public
    assert stat.S_IMODE(bench.log.path.stat().st_mode) == 0o600


def test_the_name_of_a_new_log_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = list[Path]()
    monkeypatch.setattr("fr_cli.audit.writer.sync_folder", synced.append)
    AuditLog.create(tmp_path, SigningKey.create(tmp_path), ORIGIN)
    assert synced == [tmp_path]


def test_an_emptied_log_is_said_to_be_empty(bench: Bench) -> None:
    bench.log.path.write_bytes(b"")
    for use in (bench.log.head, bench.some_act):
        with pytest.raises(AuditBroken, match="no entry, not even its first"):
            use()


def test_a_log_is_never_begun_twice(bench: Bench) -> None:
    before = bench.log.path.read_bytes()
    with pytest.raises(AuditUnwritable):
        AuditLog.create(bench.folder, bench.signer, ORIGIN)
    assert bench.log.path.read_bytes() == before
    bench.log.path.unlink()  # the cache still knows that there was one
    with pytest.raises(AuditUnwritable):
        AuditLog.create(bench.folder, bench.signer, ORIGIN)


def test_an_empty_file_of_an_interrupted_beginning_may_be_taken(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").touch(0o600)
    signer = SigningKey.create(tmp_path)
    log = AuditLog.create(tmp_path, signer, ORIGIN)
    assert verify_log(log.path, signer.public, None).entries == 1


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\nb", "é"])
def test_an_origin_must_be_a_key_name(origin: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        AuditLog.create(tmp_path, SigningKey.create(tmp_path), origin)


def test_the_intent_is_written_before_the_body_and_the_outcome_before_it_is_left(
    bench: Bench,
) -> None:
    with bench.log.act("identify", "consultation", why={"case": "CR/1", "reason": "x"}) as act:
        assert bench.phases() == ["genesis", "intent"]
        assert bench.leases() == [act.id]
        with pytest.raises(RuntimeError, match="before its block is left"):
            _ = act.head
        act.decide(result="no_candidate")
        act.decide(cands=[])
    assert bench.phases() == ["genesis", "intent", "outcome"]
    intent, outcome = bench.entries()[1:]
    assert intent["req"] == outcome["req"] == act.id
    assert intent["why"] == {"case": "CR/1", "reason": "x"}
    assert intent["cmd"] == outcome["cmd"] == "identify"
    assert outcome["exit"] == 0
    assert outcome["dec"] == {"result": "no_candidate", "cands": []}
    assert act.head == bench.log.head() == Head(3, bench.verify().root)
    assert bench.leases() == []


def test_batches_are_durable_one_by_one(bench: Bench) -> None:
    with bench.log.act("enroll", "collection") as act:
        for number in range(3):
            act.batch(references=[str(number)])
            assert bench.entries()[-1]["references"] == [str(number)]
        act.exit_code = 100
    assert bench.phases() == ["genesis", "intent", "batch", "batch", "batch", "outcome"]
    assert bench.entries()[-1]["exit"] == 100
    bench.verify()


@pytest.mark.parametrize(
    ("trouble", "code", "name"),
    [
        (QualityTooLow("secret name"), 23, "QualityTooLow"),
        (KeyboardInterrupt("secret name"), 130, "KeyboardInterrupt"),
        (RuntimeError("secret name"), 1, "RuntimeError"),
    ],
)
def test_a_failure_is_recorded_without_its_message(
    bench: Bench, trouble: BaseException, code: int, name: str
) -> None:
    with pytest.raises(type(trouble)), bench.log.act("identify", "consultation"):
        raise trouble
    outcome = bench.entries()[-1]
    assert (outcome["ph"], outcome["exit"], outcome["error"]) == ("outcome", code, name)
    assert "dec" not in outcome
    assert b"secret" not in bench.log.path.read_bytes()
    assert bench.leases() == []


def test_what_was_decided_before_a_failure_is_kept(bench: Bench) -> None:
    act = bench.log.act("purge", "erasure")
    act.decide(slots=2)
    with pytest.raises(RuntimeError), act:
        raise RuntimeError
    assert bench.entries()[-1]["dec"] == {"slots": 2}


def test_what_keeps_an_outcome_from_the_disk_is_told_as_it_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    act = bench.log.act("purge", "erasure")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(AuditUnwritable, match=r"^The audit log .* cannot be written"), act:
            pass


def test_an_interrupt_while_an_outcome_is_written_stays_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(handle: int) -> None:
        raise KeyboardInterrupt

    act = bench.log.act("purge", "erasure")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", interrupted)
        with pytest.raises(KeyboardInterrupt), act:
            pass


def test_two_acts_may_be_open_at_once(bench: Bench) -> None:
    with bench.log.act("enroll", "collection"), bench.log.act("identify", "consultation"):
        assert len(bench.leases()) == 2
    assert bench.phases() == ["genesis", "intent", "intent", "outcome", "outcome"]
    assert bench.verify().abandoned == 0


def test_the_policy_of_an_act_stands_in_each_of_its_entries(bench: Bench) -> None:
    with bench.log.act("enroll", "collection", policy="p1") as act:
        act.batch(added=1)
    bench.log.act("purge", "erasure", policy="p2")._lease.drop()  # as when its process dies
    with bench.log.act("identify", "consultation", policy="p3"):
        pass
    found = [(entry["ph"], entry.get("policy")) for entry in bench.entries()[1:]]
    assert found == [
        ("intent", "p1"), ("batch", "p1"), ("outcome", "p1"), ("intent", "p2"),
        ("abandoned", "p2"), ("intent", "p3"), ("outcome", "p3"),
    ]  # fmt: skip


def test_a_float_is_refused_where_it_is_given(bench: Bench) -> None:
    with pytest.raises(TypeError):
        bench.log.act("identify", "consultation", score=0.5)  # type: ignore[arg-type]
    assert bench.phases() == ["genesis"]
    with pytest.raises(TypeError), bench.log.act("identify", "consultation") as act:
        act.decide(score=0.5)  # type: ignore[arg-type]
    assert bench.entries()[-1]["error"] == "TypeError"
    bench.verify()


def test_no_caller_can_set_who_or_when(bench: Bench) -> None:
    for name in ("op", "t", "seq", "req", "ph"):
        with pytest.raises(TypeError):
            bench.log.act("identify", "consultation", **{name: "x"})
    assert bench.phases() == ["genesis"]
    bench.some_act()
    assert bench.leases() == []
    assert bench.verify().abandoned == 0


def test_an_unknown_kind_is_refused(bench: Bench) -> None:
    with pytest.raises(ValueError):
        bench.log.act("identify", "search")


def test_too_large_a_decision_is_refused_and_the_largest_fits(bench: Bench) -> None:
    with pytest.raises(ValueError), bench.log.act("identify", "consultation") as act:
        act.decide(text="x" * MAX_DECISION)
    assert bench.entries()[-1]["error"] == "ValueError"
    bench.some_act(text="x" * (MAX_DECISION - 20))
    with pytest.raises(ValueError):
        bench.log.act("identify", "consultation", text="x" * 70_000)
    bench.some_act()
    assert bench.verify().abandoned == 0


def test_the_longest_line_is_written_and_read_and_a_longer_one_is_not(bench: Bench) -> None:
    def intent(length: int) -> int:
        act = bench.log.act("identify", "consultation", text="x" * length)
        act._lease.end()
        return len(bench.log.path.read_bytes().splitlines(keepends=True)[-1])

    longest = 1000 + MAX_LINE - intent(1000)
    assert intent(longest) == MAX_LINE
    with pytest.raises(ValueError, match="and not more"):
        intent(longest + 1)
    assert bench.verify().entries == 3


def test_a_missing_log_is_not_begun_anew(bench: Bench) -> None:
    bench.log.path.unlink()
    with pytest.raises(AuditUnwritable, match="jsonl is missing"):
        bench.some_act()
    assert not bench.log.path.exists()
    with pytest.raises(AuditBroken):
        bench.log.head()


def test_a_link_in_the_place_of_the_log_is_not_followed(bench: Bench) -> None:
    other = bench.home / "other"
    bench.log.path.rename(other)
    bench.log.path.symlink_to(other)
    with pytest.raises(AuditUnwritable):
        bench.some_act()


def test_an_outcome_that_cannot_be_written_hides_the_result(bench: Bench) -> None:
    def body() -> None:
        with bench.log.act("identify", "consultation"):
            bench.log.path.rename(bench.home / "away")
            raise RuntimeError("on the way")

    with pytest.raises(AuditUnwritable) as caught:
        body()
    chain = list[type[BaseException]]()
    trouble: BaseException | None = caught.value
    while trouble:
        chain.append(type(trouble))
        trouble = trouble.__cause__ or trouble.__context__
    assert RuntimeError in chain
    (bench.home / "away").rename(bench.log.path)
    bench.some_act()
    assert bench.phases() == ["genesis", "intent", "abandoned", "intent", "outcome"]


def test_a_log_broken_during_the_act_hides_the_result(bench: Bench) -> None:
    act = bench.log.act("identify", "consultation")
    data = bench.log.path.read_bytes()
    bench.log.path.write_bytes(data.replace(b'"intent"', b'"intend"'))
    with pytest.raises(AuditUnwritable) as caught, act:
        pass
    assert isinstance(caught.value.__cause__, AuditBroken)


def test_another_key_cannot_go_on_with_the_log(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "k").mkdir()
    stranger = AuditLog(bench.folder, SigningKey.create(tmp_path / "k"), ORIGIN)
    with pytest.raises(AuditBroken):
        stranger.act("identify", "consultation")
    with pytest.raises(AuditBroken):
        stranger.head()
    assert bench.phases() == ["genesis"]


def test_openssl_verifies_a_line(bench: Bench, tmp_path: Path) -> None:
    bench.some_act()
    line = read_line(bench.log.path.read_bytes().splitlines(keepends=True)[-1])
    note, signature = tmp_path / "note", tmp_path / "signature"
    note.write_bytes(checkpoint(ORIGIN, line.size, line.root))
    assert note.read_text() == f"{ORIGIN}\n3\n{line.root}\n"
    signature.write_bytes(b64decode(line.signature)[4:])
    command = [
        "openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(bench.home / AUDIT_PUBLIC),
        "-rawin", "-in", str(note), "-sigfile", str(signature),
    ]  # fmt: skip
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    note.write_bytes(checkpoint(ORIGIN, line.size + 1, line.root))
    assert subprocess.run(command, check=False, capture_output=True).returncode != 0


def test_reading_the_head_writes_nothing(bench: Bench) -> None:
    bench.some_act()
    with bench.log.path.open("ab") as file:
        file.write(b"torn")
    before = {path: path.read_bytes() for path in bench.folder.iterdir() if path.is_file()}
    os.chmod(bench.log.path, 0o400)
    assert bench.log.head().size == 3
    assert {path: path.read_bytes() for path in bench.folder.iterdir() if path.is_file()} == before
