"""Tampering with a log: by whoever can write the file, and by whoever has the key as well."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import rfc8785

from fr_cli.audit.line import read_line, signed_line
from fr_cli.audit.log import AuditLog
from fr_cli.audit.merkle import Frontier, leaf_hash
from fr_cli.audit.verify import Verification, verify_log
from fr_cli.errors import AuditBroken
from fr_cli.keys import SigningKey
from fr_cli.records import Head

ORIGIN = "fr.local/attacked"


@dataclass
class SmallLog:
    """A log on disk, its key, and what verification says after its lines were changed."""

    log: AuditLog
    signer: SigningKey

    @property
    def lines(self) -> list[bytes]:
        return self.log.path.read_bytes().splitlines(keepends=True)

    @property
    def bodies(self) -> list[bytes]:
        return [body for line in self.lines if (body := read_line(line).body) is not None]

    def passes(
        self, lines: list[bytes], *, full: bool = True, witnessed: Head | None = None
    ) -> Verification:
        self.log.path.write_bytes(b"".join(lines))
        seen = [witnessed] if witnessed else []
        return verify_log(self.log.path, self.signer.public, ORIGIN, full=full, witnessed=seen)

    def detected(self, lines: list[bytes], match: str, *, witnessed: Head | None = None) -> None:
        """With and without `full`, and with the origin known or read from the log."""
        for full in (False, True):
            with pytest.raises(AuditBroken, match=match):
                self.passes(lines, full=full, witnessed=witnessed)
        with pytest.raises(AuditBroken):
            verify_log(
                self.log.path, self.signer.public, None, witnessed=[witnessed] if witnessed else []
            )

    def signed(self, bodies: list[bytes], signer: SigningKey | None = None) -> list[bytes]:
        """A whole log of these bodies, every head rightly computed and signed."""
        frontier, lines = Frontier(), list[bytes]()
        for body in bodies:
            frontier.append(leaf_hash(body))
            root = base64.b64encode(frontier.root()).decode()
            lines.append(signed_line(body, frontier.size, root, signer or self.signer, ORIGIN))
        return lines

    def rewritten(self, index: int, change: Callable[[dict[str, Any]], Any]) -> list[bytes]:
        """The log as one with the key would forge it, one entry changed canonically."""
        bodies = self.bodies
        entry = json.loads(bodies[index])
        change(entry)
        bodies[index] = rfc8785.dumps(entry)
        return self.signed(bodies)

    def respelled(self, index: int, old: bytes, new: bytes) -> list[bytes]:
        """The log as one with the key would forge it, the bytes of one entry changed."""
        bodies = self.bodies
        assert old in bodies[index]
        bodies[index] = bodies[index].replace(old, new, 1)
        return self.signed(bodies)
