"""What stood behind each search, kept for whoever asks later: policy, calibration, evaluation.

The log names each by the SHA-256 of its file. The files change; so a search leaves a copy of those
that it rests on in `audit/in-force/`, one file for each SHA-256, before its outcome is written.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from importlib import resources

from fr_cli.disk import sync_folder, write_whole
from fr_cli.errors import AuditUnwritable
from fr_cli.operations.in_force import FILE as IN_FORCE
from fr_cli.site import Site

FOLDER = "in-force"


def keep(site: Site, *digests: str) -> None:
    """Keep the files of these SHA-256 (hex; empty ones are passed over), durable.

    AuditUnwritable if one cannot be kept: then nothing may be shown that rests on it.
    """
    folder = site.audit / FOLDER
    missing = {digest for digest in digests if digest and not (folder / digest).exists()}
    if not missing:
        return
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        for digest, data in _current(site):
            if digest in missing:
                write_whole(folder / digest, [data], mode=0o600)
        sync_folder(site.audit)
    except OSError as trouble:
        raise AuditUnwritable(
            f"What this search rests on cannot be kept in {folder}: {trouble.strerror}.",
            hint="See whether the disk is full and who owns the folder.",
        ) from trouble


def find(site: Site, digest: str) -> bytes | None:
    """The file of this SHA-256, kept or still in force; None if it is gone or was altered."""
    with contextlib.suppress(OSError):
        data = (site.audit / FOLDER / digest).read_bytes()
        if hashlib.sha256(data).hexdigest() == digest:
            return data
    return next((data for known, data in _current(site) if known == digest), None)


def _current(site: Site) -> Iterator[tuple[str, bytes]]:
    """The files in force now, with their SHA-256."""
    shipped = resources.files("fr_cli.decision").joinpath("shipped").iterdir()
    own = sorted(site.calibration.glob("*.json"))
    for file in (site.policy, site.evaluation / IN_FORCE, *own, *shipped):
        with contextlib.suppress(FileNotFoundError):
            data = file.read_bytes()
            yield hashlib.sha256(data).hexdigest(), data
