"""A request for a second person: what exactly is asked, by whom, until when.

A request is one line of canonical JSON (RFC 8785), and what is signed are its very bytes:

    {"schema": "fr/request/1", "origin": "fr.local/…", "kind": "purge", "what": {…},
     "policy": "<sha256>", "requester": {"uid": 1001, "user": "alice", "loginuid": 1001},
     "nonce": "<128 random bits, hex>", "made": "2026-11-23T10:00:00Z", "expires": "…"}

It says in clear what is asked, ids of the feed too, for nobody can consent to a number. The log
keeps its SHA-256 only; the nonce makes that say nothing of who is meant.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import rfc8785

from fr_cli.authority.identity import Person
from fr_cli.authority.roles import acts_of
from fr_cli.authority.ssh import PublicKey
from fr_cli.errors import NotAllowed
from fr_cli.records import utc

if TYPE_CHECKING:
    from fr_cli.authority.policy import Policy

SCHEMA = "fr/request/1"
#: Bytes of a request that is read.
LONGEST = 64 * 1024
#: What a request may ask for, as the second person is told. `override` is after the fact.
KINDS = {
    "purge": "Delete for good, outside of the schedule",
    "bulk-delete": "Delete several people for good",
    "policy": "Put another policy in force",
    "calibration": "Put a calibration in force, which says what scores mean",
    "evaluation": "Put an evaluation in force, which approves searches",
    "key-rotation": "Exchange a key",
    "export": "Hand out entries of the log",
    "lift": "Let a purged person be enrolled again",
    "override": "Approve what was done without a second person",
}
_FIELDS = {
    "schema": str, "origin": str, "kind": str, "what": dict, "policy": str, "requester": dict,
    "nonce": str, "made": str, "expires": str,
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """A request as it was read; `data` are its bytes, times are UTC to the second."""

    data: bytes
    origin: str
    kind: str
    what: Mapping[str, Any]
    policy: str
    requester: Person
    made: str
    expires: str

    @property
    def sha256(self) -> str:
        """By what the log names it."""
        return hashlib.sha256(self.data).hexdigest()

    def words(self) -> list[str]:
        """What is asked, line by line: all of `what`, for all of it is signed."""
        return [f"{KINDS[self.kind]}:", *(f"  {line}" for line in _lines(self.what))]


def _lines(value: Mapping[str, Any]) -> Iterator[str]:
    for name, one in value.items():
        if isinstance(one, list):
            yield f"{name}:"
            yield from (f"  {entry}" for entry in one)
        elif isinstance(one, Mapping):
            yield f"{name}:"
            yield from (f"  {line}" for line in _lines(one))
        else:
            yield f"{name}: {one}"


def make(
    kind: str,
    what: Mapping[str, Any],
    *,
    origin: str,
    policy: str,
    requester: Person,
    at: datetime,
    hours: int,
) -> Request:
    """A new request; `at` is now (UTC), `hours` for how long it counts."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "origin": origin,
        "kind": kind,
        "what": what,
        "policy": policy,
        "requester": {
            "uid": requester.uid,
            "user": requester.user,
            "loginuid": requester.loginuid,
        },
        "nonce": secrets.token_hex(16),
        "made": utc(at),
        "expires": utc(at + timedelta(hours=hours)),
    }
    data = rfc8785.dumps(document) + b"\n"
    if len(data) > LONGEST:
        raise NotAllowed(
            f"What is asked does not fit into a request of {LONGEST:,} bytes.",
            hint="Ask for it in parts.",
        )
    return parse(data)


def parse(data: bytes) -> Request:
    """Take a request apart; NotAllowed if it is not exactly as it was written."""
    try:
        if len(data) > LONGEST:
            raise ValueError(f"is longer than {LONGEST:,} bytes")
        document = json.loads(data)
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise ValueError(f"is not of the schema {SCHEMA}")
        if rfc8785.dumps(document) + b"\n" != data:
            raise ValueError("is not canonical JSON and a line end")
        return _read(document, data)
    except (ValueError, RecursionError) as trouble:
        why = str(trouble) if type(trouble) is ValueError else "is not JSON"
        raise NotAllowed(
            f"The file is no request: it {why}.",
            hint="Use the file as --request wrote it, or ask anew.",
        ) from None


def _read(document: dict[str, Any], data: bytes) -> Request:
    if set(document) != set(_FIELDS):
        raise ValueError("has other fields than a request")
    for name, kind in _FIELDS.items():
        if type(document[name]) is not kind:
            raise ValueError(f"has a {name} of the wrong type")
    if document["kind"] not in KINDS:
        raise ValueError("asks for something unknown")
    who = document["requester"]
    kinds = {"uid": (int,), "user": (str,), "loginuid": (int, type(None))}
    if set(who) != set(kinds) or any(type(who[name]) not in kinds[name] for name in kinds):
        raise ValueError("does not say who asks")
    for name in ("made", "expires"):
        time = datetime.fromisoformat(document[name])
        if time.tzinfo is None or utc(time) != document[name]:
            raise ValueError(f"has a malformed {name}")
    return Request(
        data=data,
        origin=document["origin"],
        kind=document["kind"],
        what=document["what"],
        policy=document["policy"],
        requester=Person(**who),
        made=document["made"],
        expires=document["expires"],
    )


def approvers(policy: Policy) -> dict[str, PublicKey]:
    """Who may approve under a policy, by the name of the account, with their keys."""
    return {
        name: PublicKey.parse(operator.key)
        for name, operator in policy.operators.items()
        if operator.key and "approve" in acts_of(operator.roles)
    }
