"""Finding lines by their bytes gives what reading all of them would give."""

from __future__ import annotations

from pathlib import Path

import pytest

from fr_cli.audit import finding
from fr_cli.audit.finding import lines_of, lines_with
from fr_cli.audit.log import AuditLog
from fr_cli.audit.show import acts
from fr_cli.errors import AuditBroken
from fr_cli.keys import SigningKey


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    for name in ("audit", "keys"):
        (tmp_path / name).mkdir()
    made = AuditLog.create(tmp_path / "audit", SigningKey.create(tmp_path / "keys"), "test/log")
    for number in range(12):
        command = ("identify", "decide", "report")[number % 3]
        with made.act(command, "consultation", why={"case": f"C{number}"}) as act:
            act.decide(outcome="candidates" if number % 2 else "no_candidate")
    return made


@pytest.fixture(params=[700, 1500, 1 << 24], ids=["a line a block", "some", "all"])
def _block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "_BLOCK", request.param)


@pytest.mark.usefixtures("_block")
@pytest.mark.parametrize(
    "marks", [(b'"cmd":"decide"',), (b'"cmd":"decide"', b'"outcome":"candidates"'), (b"absent",)]
)
def test_the_same_lines_as_by_reading_all(log: AuditLog, marks: tuple[bytes, ...]) -> None:
    whole = log.path.read_bytes().splitlines(keepends=True)
    expected = [n for n, text in enumerate(whole, 1) if any(mark in text for mark in marks)]
    assert [line.size for line in lines_with(log.path, *marks)] == expected


@pytest.mark.usefixtures("_block")
def test_the_lines_of_acts(log: AuditLog) -> None:
    every = [*acts(lines_with(log.path, b'"req":"'))]
    wanted = {one.req: one.seqs for one in every if one.command == "report"}
    assert {one.req: one.seqs for one in acts(lines_of(log.path, wanted))} == wanted
    assert len(wanted) == 4


def test_what_was_typed_cannot_pass_for_a_mark(log: AuditLog) -> None:
    before = len([*lines_with(log.path, b'"cmd":"decide"')])
    with log.act("identify", "consultation", why={"case": 'x"cmd":"decide"'}):
        pass
    assert len([*lines_with(log.path, b'"cmd":"decide"')]) == before


def test_a_line_that_is_being_written_is_left_out(log: AuditLog) -> None:
    before = [*lines_with(log.path, b'"cmd":"decide"')]
    with log.path.open("ab") as file:
        file.write(b'{"cp":{"root":"x","cmd":"decide"')
    assert [*lines_with(log.path, b'"cmd":"decide"')] == before


def test_a_line_that_is_none_is_not_passed_over(log: AuditLog) -> None:
    text = log.path.read_bytes().splitlines(keepends=True)
    text.insert(3, b'{"cmd":"decide"}\n')
    log.path.write_bytes(b"".join(text))
    with pytest.raises(AuditBroken):
        [*lines_with(log.path, b'"cmd":"decide"')]
    log.path.unlink()
    with pytest.raises(AuditBroken):
        [*lines_of(log.path, {"a"})]
