"""The certificate of a purge: what went, why and when, how well, and what it cannot reach."""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fr_cli.audit.canonical import JSON, canonical
from fr_cli.errors import ConfigurationError, OutputFailed
from fr_cli.keys import SigningKey
from fr_cli.records import Head, utc

SCHEMA = "fr/erasure-certificate/1"
#: Keys are destroyed, but the key file lies on ordinary storage, so its old bytes may survive
#: below the file system; full-disk encryption is what covers those.
GRADE = "crypto-soft"
REMAINS: tuple[str, ...] = (
    "Backups of keys/ made before this purge: until they expire, the templates and kept photos in "
    "backups of the gallery can be read with them and the site key.",
    "Backups of gallery/ made before this purge: ids and metadata in clear; templates and kept "
    "photos without their keys.",
    "Old bytes of the key slots below the file system: covered by encryption of the disk.",
    "The photos and the feed at their source, and what was exported: candidate sheets, too.",
)


#: What complete_after is about, where there are such backups.
IN_BACKUPS = (
    "Backups by fr made before this purge: their keys open them until {}; a restore leaves out "
    "who was purged."
)


def certify(
    what: Mapping[str, JSON],
    origin: str,
    head: Head,
    signer: SigningKey,
    complete_after: str | None,
) -> dict[str, Any]:
    """`certificate`, and an Ed25519 `signature` (base64) by the audit key over its JCS bytes.

    `signer` is the key that signed the head; the certificate names it, for it may be a later one
    than audit.pub. `complete_after` is when the last key expires that opens a backup from before
    the purge, None if there is none. Random ids only. The schema within keeps it apart from all
    else that this key
    signs.
    """
    certificate: dict[str, JSON] = {
        "schema": SCHEMA,
        "origin": origin,
        "at": utc(datetime.now(UTC)),
        **what,
        "grade": GRADE,
        "complete_after": complete_after,
        "remains": [*([IN_BACKUPS.format(complete_after)] if complete_after else []), *REMAINS],
        "audit": {"size": head.size, "root": head.root},
        "key": base64.b64encode(signer.public).decode(),
    }
    body = canonical(certificate)
    signature = base64.b64encode(signer.sign(body)).decode()
    return {"certificate": json.loads(body), "signature": signature}


class CertificateFile:
    """The file of `--certificate`, opened before anything is deleted, so that it cannot fail after.

    It must be a new one: a certificate is not written over another.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._written = False

    def __enter__(self) -> CertificateFile:
        if self._path:
            try:
                self._file = self._path.open("xb")
            except OSError as trouble:
                raise ConfigurationError(
                    f"The certificate {self._path} cannot be written: {trouble.strerror}.",
                    hint="Choose the path of a new file for --certificate.",
                ) from trouble
        return self

    def write(self, certificate: Mapping[str, Any]) -> None:
        """Write it, synced; OutputFailed if the disk does not take it."""
        if self._path is None:
            return
        try:
            self._file.write(canonical(certificate) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as trouble:
            raise OutputFailed(
                f"The certificate {self._path} cannot be written: {trouble.strerror}.",
                hint="The purge is done, and is in the audit log with the same ids.",
            ) from trouble
        self._written = True

    def __exit__(self, *exception: object) -> None:
        if self._path:
            with contextlib.suppress(OSError):  # what is left in its buffer, on a full disk
                self._file.close()
            if not self._written:  # nothing was certified
                with contextlib.suppress(OSError):
                    self._path.unlink()
