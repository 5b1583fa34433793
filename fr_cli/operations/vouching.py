"""Who vouches for a statement of the home: the key of its log, or the log itself."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from fr_cli.audit.canonical import parse
from fr_cli.operations.bench import Bench


def signed(public: bytes, statement: bytes, signature: bytes) -> bool:
    """Whether a signature (Ed25519, in base64) is of this key and over these bytes."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        sig = base64.b64decode(signature.strip(), validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(sig, statement)
    except (InvalidSignature, binascii.Error):
        return False
    return True


def named_by_the_log(bench: Bench, sha256: str) -> bool:
    """Whether the outcome of an evaluation put the statement of this SHA-256 in force.

    The log is read whole, and only as far as it is what was signed: AuditBroken if it is not.
    """
    from fr_cli.audit.reader import Log
    from fr_cli.audit.storage import LOG
    from fr_cli.keys import AUDIT_PUBLIC, load_public_key

    public = load_public_key(bench.site.keys / AUDIT_PUBLIC).public_bytes_raw()
    named = False
    for line in Log(bench.site.audit / LOG, public).read():
        if line.body and sha256.encode() in line.body:
            entry = parse(line.body)
            decided = entry.get("dec")
            named |= (
                (entry["cmd"], entry["ph"]) == ("evaluate", "outcome")
                and isinstance(decided, Mapping)
                and decided.get("in_force") == sha256
            )
    return named
