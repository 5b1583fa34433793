"""What verification reports of a log that is right, and how it reads."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import pytest

from fr_cli.audit.line import MAX_LINE
from fr_cli.audit.verify import verify_log
from fr_cli.errors import AuditBroken
from fr_cli.keys import SigningKey, load_public_key

from .conftest import ORIGIN, Bench

T = TypeVar("T")


class Ear:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.counted = 0
        self.heard: list[str] = []

    def track(self, items: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:
        for item in items:
            self.counted += 1
            yield item

    def say(self, text: str) -> None:
        self.heard.append(text)


@pytest.mark.parametrize("full", [False, True])
def test_what_is_reported(bench: Bench, full: bool) -> None:
    bench.some_act(result="no_candidate", text="Zoë")
    running = bench.log.act("enroll", "collection")
    found = bench.verify(full=full)
    assert (found.entries, found.erased, found.abandoned, found.recovered) == (4, 0, 0, 0)
    assert found.open_intents == (running.id,)
    assert found.root == bench.log.head().root
    assert found.full is full
    assert verify_log(bench.log.path, bench.signer.public, ORIGIN).full is False
    assert found.first_time == bench.entries()[0]["t"]
    assert found.last_time == bench.entries()[-1]["t"]


def test_the_origin_is_read_from_the_genesis_entry(bench: Bench) -> None:
    bench.some_act()
    assert verify_log(bench.log.path, bench.signer.public, None, full=True).entries == 3
    with pytest.raises(AuditBroken, match="another origin"):
        verify_log(bench.log.path, bench.signer.public, "fr.local/other")


def test_the_published_key_is_enough(bench: Bench) -> None:
    public = load_public_key(bench.home / "audit.pub").public_bytes_raw()
    assert verify_log(bench.log.path, public, ORIGIN, full=True).entries == 1


def test_another_key_does_not_verify(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "k").mkdir()
    with pytest.raises(AuditBroken):
        verify_log(bench.log.path, SigningKey.create(tmp_path / "k").public, ORIGIN)


@pytest.mark.parametrize("content", [None, b"", b"\n", b"{}\n", b"\0" * 100])
def test_a_missing_or_empty_log_does_not_verify(bench: Bench, content: bytes | None) -> None:
    bench.log.path.unlink() if content is None else bench.log.path.write_bytes(content)
    for origin in (ORIGIN, None):
        with pytest.raises(AuditBroken):
            verify_log(bench.log.path, bench.signer.public, origin)


@pytest.mark.parametrize("full", [False, True])
def test_only_what_is_wrong_is_named(bench: Bench, full: bool) -> None:
    """Each later line differs from what it should be too: that says nothing new."""
    with bench.log.act("enroll", "collection") as act:
        act.batch(references=["1"])
    bench.some_act()
    whole = bench.log.path.read_bytes()
    lines = whole.splitlines(keepends=True)
    at = lines[-1].index(b'"sig":"') + 20
    other_signature = lines[-1][:at] + (b"B" if lines[-1][at] == 65 else b"A") + lines[-1][at + 1 :]
    wrong = {
        "line 3 does not have the form of a log line": whole.replace(
            lines[2], lines[2].replace(b'"cp"', b'"cq"')
        ),
        "line 3 states the size 4 in the place of 3": whole.replace(lines[2], b""),
        f"line {len(lines)} is not signed by this key": whole.replace(lines[-1], other_signature),
    }
    for what, changed in wrong.items():
        bench.log.path.write_bytes(changed)
        with pytest.raises(AuditBroken) as caught:
            verify_log(bench.log.path, bench.signer.public, ORIGIN, full=full)
        assert caught.value.message == f"audit.jsonl does not verify: {what}."


def test_an_empty_log_is_only_empty(bench: Bench) -> None:
    bench.log.path.write_bytes(b"")
    with pytest.raises(AuditBroken) as caught:
        verify_log(bench.log.path, bench.signer.public, ORIGIN)
    assert caught.value.message == "audit.jsonl does not verify: it holds no entry."


def test_the_listener_counts_lines_and_hears_of_a_clock_that_went_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([("2001-01-01T00:00:01.000000Z", 1), ("2001-01-01T00:00:02.000000Z", 2)])
    monkeypatch.setattr("fr_cli.audit.entry.clock", lambda: next(times))
    bench.some_act()
    ear = Ear()
    verify_log(bench.log.path, bench.signer.public, ORIGIN, listener=ear)
    assert ear.counted == 3
    assert ear.heard == ["The clock went back 1 times, first at line 2."]


def test_nothing_is_said_of_a_clock_that_went_on(bench: Bench) -> None:
    bench.some_act()
    ear = Ear()
    verify_log(bench.log.path, bench.signer.public, ORIGIN, listener=ear)
    assert ear.heard == []


def test_all_problems_are_named_up_to_twenty(bench: Bench) -> None:
    for _ in range(15):
        bench.some_act()
    lines = bench.log.path.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b"CR/26/1", b"CR/26/2")
    bench.log.path.write_bytes(b"".join(lines))
    with pytest.raises(AuditBroken) as caught:
        bench.verify()
    assert "line 5" not in caught.value.message  # all later roots are wrong for the same reason
    lines[7] = b"garbage\n"
    bench.log.path.write_bytes(b"".join(lines))
    with pytest.raises(AuditBroken, match=r"line 4 .*line 8 "):
        bench.verify()
    bench.log.path.write_bytes(b"garbage\n" * 500)
    with pytest.raises(AuditBroken) as caught:
        bench.verify()
    assert caught.value.message.count("; line ") == 19
    ear = Ear()
    with pytest.raises(AuditBroken):
        verify_log(bench.log.path, bench.signer.public, ORIGIN, listener=ear)
    assert ear.counted == 20  # and the rest is not read


def test_verifying_writes_nothing_and_needs_no_right_to(bench: Bench) -> None:
    bench.some_act()
    before = {path: path.stat().st_mtime_ns for path in bench.folder.iterdir()}
    os.chmod(bench.log.path, 0o400)
    bench.verify()
    assert {path: path.stat().st_mtime_ns for path in bench.folder.iterdir()} == before


def test_a_line_without_end_is_not_read_into_memory(bench: Bench) -> None:
    with bench.log.path.open("ab") as file:
        file.truncate(200_000_000)  # a sparse file: zeros without a newline
    with pytest.raises(AuditBroken, match="longer than"):
        bench.verify()


def test_the_longest_line_is_one_as_any_other(bench: Bench) -> None:
    first = bench.log.act("identify", "consultation", pad="")
    spare = MAX_LINE - len(bench.log.path.read_bytes().splitlines(keepends=True)[1])
    second = bench.log.act("identify", "consultation", pad="x" * spare)
    lines = bench.log.path.read_bytes().splitlines(keepends=True)
    assert len(lines[2]) == MAX_LINE
    assert bench.verify(full=False).open_intents == (first.id, second.id)
    forged = lines[2][:90] + lines[2][100:110] + lines[2][100:]  # behind its key id
    bench.log.path.write_bytes(b"".join([*lines[:2], forged]))
    with pytest.raises(AuditBroken, match="line 3"):
        bench.verify(full=False)
