"""The evaluation in force: a file, `evaluation/in-force.json` in the home, and who vouches for it.

It is what the last evaluation left that reached all of its targets: for which model, fusion, engine
and threshold, up to how many references, until when.

    {"evaluation":{…RFC 8785…},"signature":"<base64>"}

The SHA-256 of the statement, which is the text between `"evaluation":` and `,"signature"`, stands
in the outcome of that evaluation and in each search that it covers. The key of the log signs the
statement; a change of that key signs it anew and leaves the statement, and so its name, as it is.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from fr_cli.audit.entry import JSON, canonical, parse
from fr_cli.disk import sync_folder
from fr_cli.errors import ConfigurationError, FrError, OutputFailed
from fr_cli.keys import SigningKey
from fr_cli.operations.bench import Bench

SCHEMA = "fr/evaluation-in-force/1"
FILE = "in-force.json"
HINT = "Put an evaluation in force again: fr evaluate MANIFEST --require TARGETS"


@dataclass(frozen=True)
class InForce:
    """What an evaluation approved.

    It covers searches with the model of `fingerprint`, this `fusion` and `engine`, at `cosine` or
    above, among at most `references`, up to and including the day `until`; there, by its data,
    FPIR is at most `fpir`. `act` is the evaluation's id in the log, `measured_on` says of what it
    was made, `sha256` is that of the statement.
    """

    fingerprint: str
    model: str
    fusion: str
    engine: str
    score: float
    cosine: float
    references: int
    fpir: float
    act: str
    made: str
    until: date
    data: str
    targets: str
    measured_on: Mapping[str, int]
    sha256: str

    @property
    def over(self) -> bool:
        """Whether its last day has passed."""
        return datetime.now(UTC).date() > self.until


def in_force(bench: Bench) -> InForce | None:
    """The evaluation in force, None if there is none; ConfigurationError if it was altered."""
    path = _path(bench)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as trouble:
        raise ConfigurationError(f"{path} cannot be read: {trouble.strerror}.") from trouble
    try:
        document = json.loads(data)
        body, signature = canonical(document["evaluation"]), document["signature"]
        if sealed(body, signature) != data:
            raise ValueError("it is not written as it was signed")
        evaluation = _read(document["evaluation"], hashlib.sha256(body).hexdigest())
        genuine = _verifies(bench.signer.public, body, base64.b64decode(signature, validate=True))
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as trouble:
        raise ConfigurationError(
            f"{path} is no evaluation in force: {trouble}.", hint=HINT
        ) from trouble
    # The key was changed, and it was not signed anew: the log still names it.
    if not genuine and not _named_by_the_log(bench, evaluation.sha256):
        raise ConfigurationError(
            f"The signature of {path} is not that of this home: it was altered.", hint=HINT
        )
    return evaluation


def sealed(body: bytes, signature: str) -> bytes:
    """The bytes of the file: the canonical evaluation, and its signature in base64."""
    return b'{"evaluation":' + body + b',"signature":"' + signature.encode() + b'"}\n'


def sign(what: Mapping[str, JSON], bench: Bench, days: int) -> bytes:
    """The file that puts an evaluation in force from today, for so many days."""
    today = datetime.now(UTC)
    body = canonical(
        {
            "schema": SCHEMA,
            "origin": bench.site.origin,
            "made": today.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "until": (today.date() + timedelta(days=days)).isoformat(),
            **what,
        }
    )
    return sealed(body, base64.b64encode(bench.signer.sign(body)).decode())


def statement(data: bytes) -> bytes:
    """What is signed in a file, and whose SHA-256 the log names; the file must be one."""
    return data[len(b'{"evaluation":') : data.rindex(b',"signature":')]


def renew(bench: Bench, key: SigningKey) -> None:
    """Sign what is in force with the log's new key; only if the log names it, so read whole.

    Where that fails nothing is lost: each search then asks the log, which takes longer.
    """
    with suppress(OSError, ValueError, FrError):
        body = statement(_path(bench).read_bytes())
        if _named_by_the_log(bench, hashlib.sha256(body).hexdigest()):
            _write(sealed(body, base64.b64encode(key.sign(body)).decode()), _path(bench))


def put_in_force(data: bytes, bench: Bench) -> InForce:
    """Write the file whole, in the place of the one before; OutputFailed if it cannot be."""
    try:
        _write(data, _path(bench))
    except OSError as trouble:
        raise OutputFailed(
            f"The evaluation passed, but cannot be put in force: {trouble.strerror}.",
            hint="Make room for it in the home, and evaluate again.",
        ) from trouble
    found = in_force(bench)
    assert found is not None
    return found


def _write(data: bytes, path: Path) -> None:
    draft = path.with_name(f"{FILE}.new")
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def _path(bench: Bench) -> Path:
    return bench.site.evaluation / FILE


def _read(document: Mapping[str, Any], sha256: str) -> InForce:
    if document["schema"] != SCHEMA:
        raise ValueError(f"its schema is {document['schema']!r}, not {SCHEMA!r}")
    return InForce(
        fingerprint=str(document["fingerprint"]),
        model=str(document["model"]),
        fusion=str(document["fusion"]),
        engine=str(document["engine"]),
        score=float(document["score"]),
        cosine=float(document["cosine"]),
        references=int(document["references"]),
        fpir=float(document["fpir"]),
        act=str(document["act"]),
        made=str(document["made"]),
        until=date.fromisoformat(document["until"]),
        data=str(document["data"]),
        targets=str(document["targets"]),
        measured_on={str(name): int(count) for name, count in document["measured_on"].items()},
        sha256=sha256,
    )


def _verifies(public: bytes, body: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, body)
    except InvalidSignature:
        return False
    return True


def _named_by_the_log(bench: Bench, sha256: str) -> bool:
    """Whether the outcome of an evaluation names the statement; the log is read whole."""
    from fr_cli.audit.reader import Log
    from fr_cli.audit.writer import LOG
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
