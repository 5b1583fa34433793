"""Which policy is in force, where a change of it needs a second person.

From the first act under a policy that lists `policy` among its two-person acts, each intent of the
log repeats the SHA-256 of the policy in force, and fr keeps a copy of it. A policy.yaml of other
bytes is then obeyed by no act, until it is put back or `fr policy put` has had it approved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fr_cli.disk import write_whole
from fr_cli.errors import ConfigurationError, FrError, NotAllowed
from fr_cli.operations.owed import Owed, owed
from fr_cli.records import Head

if TYPE_CHECKING:
    from fr_cli.authority.policy import Policy
    from fr_cli.operations.bench import Bench

COPY = "policy.in-force.yaml"


@dataclass(frozen=True)
class Put:
    """A policy that was put in force: its SHA-256, the one before, and what is another now."""

    sha256: str
    before: str
    changes: list[str]
    head: Head


def guard(bench: Bench, found: Owed, command: str) -> None:
    """NotAllowed (4) where policy.yaml is not the policy in force; keeps the copy of that one.

    An override of a change may do without the policy in force: it may be lost.
    """
    if found.policy and found.policy != bench.policy_digest:
        if command == "policy" and bench.consent.override:
            return
        raise NotAllowed(
            "policy.yaml was changed without a second person, so nothing is done under it.",
            hint=f"Keep it elsewhere, put {COPY} back as policy.yaml (SHA-256 "
            f"{found.policy[:12]}…), and have the change approved: fr policy put FILE --request R",
        )
    if "policy" in bench.policy.approvals.acts:
        copy = bench.site.home / COPY
        if _digest(copy) != bench.policy_digest:
            _write(copy, _bytes(bench.site.policy, bench.policy_digest))


def put(file: Path, bench: Bench) -> Put:
    """Put a policy in force in the place of policy.yaml; ConfigurationError if it is not valid."""
    from fr_cli.authority.policy import load_policy
    from fr_cli.gallery.lock import locked
    from fr_cli.operations.approvals import approved

    new, digest = load_policy(file)
    data = _bytes(file, digest)
    _go_back(bench)
    with (
        bench.act("policy", "administration", policy=bench.policy_digest, new=digest) as act,
        locked(bench.site.gallery, bench.turn(act)),
    ):
        if owed(bench.audit.path).policy not in ("", bench.policy_digest) and not (
            bench.consent.override
        ):
            raise NotAllowed("The policy was changed by somebody else meanwhile.", hint="Ask anew.")
        changes = [*_changes(bench.policy, new)]
        approved(bench, "policy", {"sha256": digest, "changes": changes})
        _write(bench.site.policy, data)
        guarded = "policy" in new.approvals.acts
        act.decide(in_force=digest, guarded=digest if guarded else "")
    copy = bench.site.home / COPY
    # After the outcome: until then the one before is in force.
    if guarded:
        _write(copy, data)
    else:
        copy.unlink(missing_ok=True)
    return Put(digest, bench.policy_digest, changes, act.head)


def _go_back(bench: Bench) -> None:
    """Let the bench work under the policy in force, where policy.yaml is another one."""
    from fr_cli.authority.policy import load_policy

    known, copy = owed(bench.audit.path).policy, bench.site.home / COPY
    if known and _digest(bench.site.policy) != known and _digest(copy) == known:
        with suppress(FrError):
            bench.__dict__["_policy"] = load_policy(copy)


def _changes(old: Policy, new: Policy) -> Iterator[str]:
    """Each key that is another, with both values."""
    from fr_cli.authority.checking import document_of

    before, after = (dict(_flat(document_of(one))) for one in (old, new))
    for name in sorted(before.keys() | after.keys()):
        one, other = (str(some.get(name, "not there")) for some in (before, after))
        if one != other:
            yield f"{name}: {one} -> {other}"


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, one in value.items():
        if isinstance(one, Mapping):
            yield from _flat(one, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", one


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _bytes(path: Path, digest: str) -> bytes:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise ConfigurationError(
            f"{path} was changed while it was read.", hint="Run the command again."
        )
    return data


def _write(path: Path, data: bytes) -> None:
    try:
        write_whole(path, [data], mode=0o600)
    except OSError as trouble:
        raise ConfigurationError(
            f"{path} cannot be written: {trouble.strerror}.",
            hint="See whether the disk is full and who owns the home.",
        ) from trouble
