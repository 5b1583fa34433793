"""A sheet is refused before the search, appears whole, and is left nowhere when all fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fr_cli.audit.log import Act
from fr_cli.errors import AuditUnwritable
from tests.conftest import GROUNDS, MATED, Fr, jpeg, photo, small


def left(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def refused(fr: Fr, target: Path) -> dict[str, Any]:
    """The error of a sheet that cannot be; nothing was searched."""
    before = len(fr.log())
    error = fr.identify(photo(MATED), "--html", str(target), code=3)
    assert error["error"] == "ConfigurationError"
    assert error["hint"]
    assert len(fr.log()) == before
    return error


def test_no_sheet_lies_in_the_home(enrolled: Fr, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(enrolled.home / "audit")
    for target in (enrolled.home / "sheet.html", tmp_path / "link" / "sheet.html"):
        assert "home" in refused(enrolled, target)["message"]
        assert not target.exists()


def test_what_cannot_be_written_is_said_before_the_search(enrolled: Fr, tmp_path: Path) -> None:
    assert "No such file" in refused(enrolled, tmp_path / "nowhere" / "sheet.html")["message"]
    refused(enrolled, tmp_path)
    refused(enrolled, Path("/dev/null"))
    assert left(tmp_path) == []


def test_a_file_that_is_no_page_is_not_replaced(enrolled: Fr, tmp_path: Path) -> None:
    probe = tmp_path / "probe.jpg"
    probe.write_bytes(jpeg(small(MATED)))
    refused(enrolled, probe)
    assert probe.read_bytes() == jpeg(small(MATED))
    assert left(tmp_path) == ["probe.jpg"]


def test_an_earlier_page_or_an_empty_file_is_replaced(enrolled: Fr, tmp_path: Path) -> None:
    page = tmp_path / "sheet.html"
    page.touch(mode=0o644)
    for _ in range(2):
        document = enrolled.identify(photo(MATED), "--html", str(page))
        assert document["search_id"] in page.read_text(encoding="utf-8")
        assert page.stat().st_mode & 0o777 == 0o600


def test_a_photo_that_is_refused_leaves_no_sheet(enrolled: Fr, tmp_path: Path) -> None:
    enrolled.identify(b"no photo", "--html", str(tmp_path / "sheet.html"), code=20)
    assert left(tmp_path) == []


def test_an_answer_that_cannot_be_logged_leaves_no_sheet(
    enrolled: Fr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise AuditUnwritable("No space.")

    with monkeypatch.context() as patched:
        patched.setattr(Act, "_draft", full)
        enrolled.identify(photo(MATED), "--html", str(tmp_path / "sheet.html"), code=30)
    assert left(tmp_path) == []


def test_a_disk_that_fails_later_keeps_the_answer_and_leaves_no_sheet(
    enrolled: Fr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, real = tmp_path / "sheet.html", Path.replace

    def failing(self: Path, target: Path) -> Path:
        if target == page:
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    result = enrolled("identify", photo(MATED), *GROUNDS, "--html", page)
    assert result.code == 1
    assert MATED in result.stdout
    assert "Input/output error" in result.stderr
    assert "is in the audit log" in result.stderr
    assert left(tmp_path) == []
