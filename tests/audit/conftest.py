"""A home's audit folder with a log in it, and how the tests read it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fr_cli.audit import lease
from fr_cli.audit.lease import Leases
from fr_cli.audit.log import AuditLog
from fr_cli.audit.verify import Verification, verify_log
from fr_cli.keys import SigningKey

ORIGIN = "fr.local/test"


@dataclass
class Bench:
    """A log, its key, and short ways to look at it."""

    home: Path
    signer: SigningKey
    log: AuditLog

    @property
    def folder(self) -> Path:
        return self.log.path.parent

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line)["e"] for line in self.log.path.read_bytes().splitlines()]

    def phases(self) -> list[str]:
        return [entry["ph"] for entry in self.entries()]

    def verify(self, *, full: bool = True) -> Verification:
        return verify_log(self.log.path, self.signer.public, ORIGIN, full=full)

    def leases(self) -> list[str]:
        """The acts that leases name."""
        return Leases(self.folder).open()

    def die(self) -> None:
        """Unlock all leases that this process holds, as the kernel does when it dies."""
        everything = struct.pack("hhqqi4x", fcntl.F_UNLCK, os.SEEK_SET, 0, 0, 0)
        for entry in Path("/proc/self/fd").iterdir():
            if entry.is_symlink() and Path(os.readlink(entry)) == self.folder / lease.FILE:
                fcntl.fcntl(int(entry.name), fcntl.F_OFD_SETLK, everything)

    def some_act(self, **decision: str) -> str:
        with self.log.act("identify", "consultation", why={"case": "CR/26/1"}) as act:
            act.decide(**decision)
        return act.id


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    signer = SigningKey.create(tmp_path)
    folder = tmp_path / "audit"
    folder.mkdir(mode=0o700)
    return Bench(tmp_path, signer, AuditLog.create(folder, signer, ORIGIN))


class Disk:
    """Counts the syncs of the log, and fails those that are asked to."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.syncs = 0
        self.failing = False
        patch.setattr(os, "fdatasync", self._sync)

    def _sync(self, handle: int) -> None:
        self.syncs += 1
        if self.failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)
