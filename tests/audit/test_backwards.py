"""The newest lines first are the lines of the file in reverse, whatever falls on a block's edge."""

from __future__ import annotations

from pathlib import Path

import pytest

from fr_cli.audit import backwards
from fr_cli.audit.backwards import newest_first
from fr_cli.errors import AuditBroken


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64, 1 << 16])
def test_every_line_comes_once_from_the_last_to_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(backwards, "_BLOCK", block)
    path = tmp_path / "log"
    for text in (b"", b"a\n", b"\n", b"one\ntwo\r\nthree\n", b"x" * 200 + b"\ny\n\n" + b"z" * 63):
        path.write_bytes(text)
        lines = text[: text.rfind(b"\n") + 1].split(b"\n")[:-1]
        assert list(newest_first(path)) == [line + b"\n" for line in reversed(lines)]


def test_a_log_that_is_not_there_is_broken(tmp_path: Path) -> None:
    with pytest.raises(AuditBroken):
        next(newest_first(tmp_path / "none"))
