"""Witnessing the log of somebody else, by files."""

from __future__ import annotations

import os
import re
from pathlib import Path

from fr_cli.audit.receipt import Inclusion, read_proof
from fr_cli.audit.witness import Witness, Witnessed
from fr_cli.errors import UsageProblem
from fr_cli.operations.audit import read_file, trusted


def init(folder: Path, name: str) -> Witness:
    """Make a witness; its name is that of the machine and the folder unless one is given."""
    host, own = (
        re.sub(r"[^A-Za-z0-9.-]", "-", word) for word in (os.uname().nodename, folder.name)
    )
    return Witness.create(folder, name or f"{host}/{own}")


def sign(file: Path, folder: Path, key: Path, changes: list[Path]) -> Witnessed:
    """Sign the head of a file for a log that is trusted by this key; see `Witness.sign`."""
    shown = read_proof(read_file(file))
    if isinstance(shown, Inclusion):
        raise UsageProblem(
            f"{file} is the proof of an entry, not of the growth of a log.",
            hint="Ask the log's owner for: fr audit head, or fr audit prove --from SIZE",
        )
    return Witness.open(folder).sign(shown, trusted(key, changes))
