"""Attack: an officer looks for templates and keys in the memory, core or handles of the service.

Defence: another account; and the processes are not dumpable, so that not even other processes of
the service's own account may look, nor does a crash leave a core.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import MATED, jpeg, small
from tests.service.station import Station


def processes(station: Station) -> list[int]:
    """The door and its workers."""
    children = Path(f"/proc/{station.pid}/task/{station.pid}/children").read_text().split()
    assert children
    return [station.pid, *map(int, children)]


def look(path: Path) -> object:
    if path.name == "fd":
        return list(path.iterdir())
    if path.name == "cwd":
        return os.readlink(path)
    with path.open("rb") as opened:
        return opened.read(1)


@pytest.mark.parametrize("who", ["officer", "stranger", "service"])
@pytest.mark.parametrize("file", ["mem", "maps", "environ", "fd", "cwd"])
def test_nobody_looks_into_a_process(station: Station, who: str, file: str) -> None:
    station.identify("officer", jpeg(small(MATED)))
    for pid in processes(station):
        path = Path(f"/proc/{pid}/{file}")
        os.seteuid(station.desk.accounts[who].uid)
        try:
            with pytest.raises(PermissionError):
                look(path)
        finally:
            os.seteuid(0)


def test_there_are_no_cores(station: Station) -> None:
    for pid in processes(station):
        limits = Path(f"/proc/{pid}/limits").read_text()
        (core,) = [line.split() for line in limits.splitlines() if "core file" in line]
        assert core[4:6] == ["0", "0"]


def test_nothing_of_a_request_is_left_in_files(station: Station) -> None:
    words = ("identify", "-", "--case", "CR/26/1", "--reason", "test", "--html", "/dev/null/x")
    station.fr("officer", *words, stdin=jpeg(small(MATED)))
    station.identify("officer", jpeg(small(MATED)))
    service = station.desk.accounts["service"].uid
    for folder in map(Path, ("/dev/shm", "/tmp", "/var/tmp")):
        left = [one for one in folder.iterdir() if one.lstat().st_uid == service]
        assert left == []
