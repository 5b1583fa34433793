"""Attack: what is given as request or signature is a link, a pipe, a folder, or endless."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fr_cli.cli.consent import given
from fr_cli.errors import UsageProblem

from .two_people import Station, rotate


@pytest.fixture
def files(pair: Station, tmp_path: Path) -> tuple[Path, Path]:
    """A good request with its signature."""
    request, signature = tmp_path / "r.json", tmp_path / "r.json.sig"
    request.write_bytes(pair.ask().data)
    signature.write_bytes(pair.sign(request.read_bytes()))
    return request, signature


def refused(pair: Station, request: Path, signature: Path | None = None) -> str:
    before = len(pair.log())
    consent = given(None, request, signature).consent
    with pair.bench(consent=consent) as bench, pytest.raises(UsageProblem) as trouble:
        rotate(bench)
    outcome = pair.log()[-1]
    assert (outcome["exit"], outcome["error"]) == (2, "UsageProblem")
    assert len(pair.log()) == before + 2, "the attempt is in the log, and nothing else"
    return trouble.value.message


def test_a_link(pair: Station, files: tuple[Path, Path], tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(files[0])
    assert "It is a symbolic link." in refused(pair, link, files[1])
    sig = tmp_path / "link.sig"
    sig.symlink_to(files[1])
    assert "It is a symbolic link." in refused(pair, files[0], sig)


def test_a_pipe_a_device_and_a_folder(pair: Station, files: tuple[Path, Path]) -> None:
    pipe = files[0].with_name("pipe")
    os.mkfifo(pipe)
    for odd in (pipe, Path("/dev/zero"), files[0].parent):
        assert str(odd) in refused(pair, odd, files[1])
        assert str(odd) in refused(pair, files[0], odd)


def test_a_huge_file(pair: Station, files: tuple[Path, Path]) -> None:
    huge = files[0].with_name("huge")
    with huge.open("wb") as file:
        file.truncate(2**40)
    assert "is no file of at most 65,536 bytes" in refused(pair, huge, files[1])
    assert "is no file of at most 16,384 bytes" in refused(pair, files[0], huge)


def test_a_missing_one(pair: Station, files: tuple[Path, Path]) -> None:
    assert "No such file" in refused(pair, files[0].with_name("none"))
    files[1].unlink()
    assert "r.json.sig" in refused(pair, files[0])


def test_the_good_ones_are_taken(pair: Station, files: tuple[Path, Path]) -> None:
    with pair.bench() as bench:
        bench.consent = given(None, files[0], None).consent
        rotate(bench)
    assert pair.log()[-1]["exit"] == 0
