"""A time stamp on a head of the log, from an authority (RFC 3161), by files.

It proves that the head, and so every entry before it, was there at that time, to whoever trusts the
authority; the log's own times are only what its machine's clock said. What is stamped are the bytes
of the head's file. `openssl ts -verify` checks the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType

from fr_cli.audit.note import Note, read_note
from fr_cli.audit.trust import Keys, check_signed
from fr_cli.errors import AuditBroken, ConfigurationError
from fr_cli.operations.audit import read_file


@dataclass(frozen=True)
class Stamped:
    """A head, and the time (UTC) at which the authority saw it."""

    note: Note
    time: datetime


def request(head: Path, keys: Keys) -> bytes:
    """What is sent to the authority (DER): the SHA-256 of the head's file, nothing else of it.

    AuditBroken unless the head is signed by the log.
    """
    rfc3161, (data, _) = _library(), _head(head, keys)
    # Without a nonce: the answer is kept for years, and counts for the head alone.
    return bytes(
        rfc3161.TimestampRequestBuilder()
        .data(data)
        .hash_algorithm(rfc3161.HashAlgorithm.SHA256)
        .nonce(nonce=False)
        .cert_request(cert_request=True)
        .build()
        .as_bytes()
    )


def check(head: Path, keys: Keys, response: Path, authority: Path) -> Stamped:
    """Check the authority's answer (DER) for a head; `authority` has its root certificate (PEM).

    AuditBroken if the answer is not for this head, or not of this authority.
    """
    from cryptography import x509

    rfc3161, (data, note) = _library(), _head(head, keys)
    try:
        roots = x509.load_pem_x509_certificates(read_file(authority))
    except ValueError as trouble:
        raise ConfigurationError(
            f"{authority} holds no certificate.",
            hint="Give the root certificate of the authority, as PEM, which it publishes.",
        ) from trouble
    verifier = rfc3161.VerifierBuilder()
    for root in roots:
        verifier = verifier.add_root_certificate(root)
    try:
        answer = rfc3161.decode_timestamp_response(read_file(response))
        verifier.build().verify_message(answer, data)
        time: datetime = answer.tst_info.gen_time
    except (rfc3161.VerificationError, ValueError) as trouble:
        raise AuditBroken(
            f"{response} is no time stamp of this authority on {head}: {trouble}."
        ) from trouble
    return Stamped(note, time.replace(tzinfo=UTC))


def _head(file: Path, keys: Keys) -> tuple[bytes, Note]:
    data = read_file(file)
    note = read_note(data)
    check_signed(note, keys)
    return data, note


def _library() -> ModuleType:
    try:
        return import_module("rfc3161_client")
    except ImportError as trouble:
        raise ConfigurationError(
            "Time stamps need a package that is not installed.",
            hint="pip install 'fr-cli[timestamp]'; or openssl ts, as the manual shows.",
        ) from trouble
