"""What every entry says, and who is written down."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fr_cli.audit.canonical import parse
from fr_cli.audit.entry import Draft, check_fields, operator


def whole(**fields: object) -> dict[str, object]:
    given = {"cmd": "identify", "act": "consultation", "ph": "intent", "req": "0" * 32}
    return parse(Draft(**given).body(3)) | fields


def test_a_stamped_entry_is_complete() -> None:
    entry = whole()
    check_fields(entry, 3)  # type: ignore[arg-type]
    assert set(entry) == {
        "v", "seq", "n", "t", "boot", "mono", "host", "tool", "op", "cmd", "act", "ph", "req",
    }  # fmt: skip
    assert len({str(whole()["n"]) for _ in range(50)}) == 50


@pytest.mark.parametrize(
    "wrong",
    [
        {"v": 2}, {"v": True}, {"seq": 4}, {"n": "x"}, {"n": "A" * 21 + "B"}, {"t": "2026-01-01"},
        {"t": "2026-13-01T00:00:00.000000Z"}, {"req": "0" * 31}, {"req": "F" * 32},
        {"act": "search"}, {"ph": "end"}, {"op": None}, {"boot": None}, {"mono": "1"}, {"cmd": 1},
    ],
)  # fmt: skip
def test_a_wrong_field_is_found(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        check_fields(whole(**wrong), 3)  # type: ignore[arg-type]


def test_the_operator_is_who_the_kernel_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "somebody-else")
    monkeypatch.setenv("LOGNAME", "somebody-else")
    monkeypatch.delenv("SUDO_UID", raising=False)
    who = operator()
    assert who["uid"] == os.getuid()
    assert who["user"] != "somebody-else"
    assert "sudo_uid" not in who
    monkeypatch.setenv("SUDO_UID", "1207")
    assert operator()["sudo_uid"] == 1207
    monkeypatch.setenv("SUDO_UID", "x")
    assert "sudo_uid" not in operator()


def test_an_account_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_001)
    assert operator()["user"] == ""


def test_the_room_is_light_to_import() -> None:
    code = "import sys, fr_cli.audit.log, fr_cli.audit.verify; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"numpy", "pydantic", "yaml", "cv2", "typer", "rich"} & set(loaded)
