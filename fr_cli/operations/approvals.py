"""Acts that need a second person, as the policy lists them.

An operation calls `approved(bench, kind, what)` in the one place where the act is about to happen,
with exactly what it is about to do. What the operator brought for it (a request to be made, an
approved one, an override) is in `bench.consent`, and is judged when the act begins (`seconded`).
"""

from __future__ import annotations

import pwd
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fr_cli.audit.canonical import JSON
from fr_cli.audit.log import Act
from fr_cli.authority.approval import Request, approvers, make, parse
from fr_cli.authority.identity import Person
from fr_cli.authority.ssh import signed_by
from fr_cli.errors import FrError, NotAllowed, UsageProblem
from fr_cli.operations.grounds import reasoned
from fr_cli.operations.owed import MOST, Owed, owed
from fr_cli.operations.policy_in_force import guard
from fr_cli.operations.used import refuse_used
from fr_cli.records import utc

if TYPE_CHECKING:
    from fr_cli.operations.bench import Bench

ASK = "Ask with --request FILE; another operator signs: fr approve FILE; then --approved FILE."


@dataclass(frozen=True)
class Consent:
    """What an operator brings: `asking` for a request, an approved one with its signature, or words
    why it cannot wait. `trouble` is why their files could not be read.
    """

    asking: bool = False
    request: bytes = b""
    signature: bytes = b""
    override: str = ""
    trouble: FrError | None = None


class Requested(Exception):
    """Nothing was done: this is the request, which the log knows now."""

    def __init__(self, request: Request) -> None:
        super().__init__(request.sha256)
        self.request = request


@dataclass
class Second:
    """What stands behind the act that runs: the request, once it is found good, and who signed."""

    owed: Owed
    consent: Consent
    person: Person
    act: Act | None = None
    request: Request | None = None
    approver: str = ""
    told: dict[str, JSON] = field(default_factory=dict)
    trouble: FrError | None = None


@contextmanager
def seconded(bench: Bench, command: str, kind: str, **intent: JSON) -> Iterator[Act]:
    """An act of the log, with what it says of a second person.

    With `asking` it is the act `request`, of that command: it ends where consent would be needed,
    with the request in the outcome's place, and raises Requested.
    """
    second = _judged(bench)
    fields = intent | second.told | _repeated(bench, second.owed)
    wanted = command
    if bench.consent.asking:
        command, kind, fields = "request", "administration", {"of": wanted, **fields}
    made: Requested | None = None
    with bench.audit.act(command, kind, **fields) as act:
        second.act = act
        bench.second = second
        if second.owed.overrides:
            hours = bench.policy.approvals.valid_hours
            bench.notices = [one.sentence(hours) for one in second.owed.overrides]
        guard(bench, second.owed, wanted)
        if second.trouble:
            raise second.trouble
        if second.request:
            refuse_used(bench.audit.path, act.id, second.request)
        try:
            yield act
        except Requested as asked:
            made = asked
    if made:
        raise made


def approved(
    bench: Bench, kind: str, what: Mapping[str, Any], *, of: Person | None = None
) -> dict[str, JSON]:
    """What allows this very act: a request, an override, or nothing if the policy asks for none.

    `what` is all that is about to be done. `of` is who needs the approval, if that is another than
    who asks now. NotAllowed (4) without a second person where the policy lists this kind of act;
    UsageProblem for a consent that is not needed. Requested if one is asked for.
    """
    second, consent = bench.second, bench.consent
    assert second is not None
    assert second.act is not None
    if not _listed(kind, bench, second.owed):
        if consent != Consent():
            raise UsageProblem(
                "The policy asks for no second person here.",
                hint="Leave out --request, --approved and --override.",
            )
        return {}
    if consent.asking:
        raise Requested(_request(bench, kind, what, of or second.person, second.act))
    if consent.override and kind == "policy" and second.owed.policy in ("", bench.policy_digest):
        raise NotAllowed(
            "A change of the policy has no override: it could name the one who approves it later.",
            hint=ASK,
        )
    if consent.override and kind != "override":
        if len(second.owed.overrides) >= MOST:
            raise NotAllowed(
                f"{MOST} acts without a second person are not approved yet.",
                hint="Have them approved first: fr approve --override ACT",
            )
        second.act.batch(overridden=kind)
        return {"override": second.act.id}
    if second.request is None:
        raise NotAllowed(f"The policy asks for a second person: {kind}.", hint=ASK)
    if second.request.kind != kind:
        raise NotAllowed(
            f"The request is for another kind of act: {second.request.kind}, not {kind}.", hint=ASK
        )
    if second.request.what != what:
        raise NotAllowed(
            "What was approved is not what is about to be done: "
            f"{_differences(second.request.what, what)}.",
            hint="If it changed since, ask anew with --request.",
        )
    return {"request": second.request.sha256, "approver": second.approver}


def _listed(kind: str, bench: Bench, found: Owed) -> bool:
    acts = bench.policy.approvals.acts
    if kind == "policy" and found.policy:  # whatever the file at hand says
        return True
    return kind == "override" or kind in acts or (kind == "bulk-delete" and "purge" in acts)


def _differences(asked: Mapping[str, Any], done: Mapping[str, Any]) -> str:
    """The names of what differs; the values may be personal."""
    names = sorted(asked.keys() | done.keys())
    return ", ".join(name for name in names if asked.get(name) != done.get(name))


def _request(bench: Bench, kind: str, what: Mapping[str, Any], person: Person, act: Act) -> Request:
    request = make(
        kind,
        what,
        origin=bench.site.origin,
        policy=bench.policy_digest,
        requester=person,
        at=datetime.now(UTC),
        hours=bench.policy.approvals.valid_hours,
    )
    act.decide(requested=request.sha256, of=kind, expires=request.expires)
    return request


def _repeated(bench: Bench, found: Owed) -> dict[str, JSON]:
    """What the intent repeats of what stands open; nothing where the policy lists no such acts."""
    try:
        listed = bench.policy.approvals.acts
    except FrError:  # which the act says itself, when it is in the log
        return found.repeated() if found.policy or found.overrides else {}
    if "policy" in listed and not found.policy:
        found = replace(found, policy=bench.policy_digest)
    return found.repeated() if listed or found.policy or found.overrides else {}


def _judged(bench: Bench) -> Second:
    """Hold what the operator brings against everything but the act itself and the log's past."""
    consent, person = bench.consent, bench.person
    second = Second(owed(bench.audit.path), consent, person, trouble=consent.trouble)
    if consent.override:
        second.told["override"] = reasoned(consent.override)["reason"]
    if not consent.request:
        return second
    try:
        request = parse(consent.request)
        second.told["approval"] = {"request": request.sha256}
        _hold(request, bench, person)
        signers = approvers(bench.policy)
        name = signed_by(request.data, consent.signature, signers)
        _refuse_same(request.requester, name, bench)
        key = signers[name].fingerprint
        second.told["approval"] = {"request": request.sha256, "approver": name, "key": key}
        second.request, second.approver = request, name
    except FrError as trouble:  # said by the act, so that the attempt is in the log
        second.trouble = trouble
    return second


def _hold(request: Request, bench: Bench, person: Person) -> None:
    now, asker = utc(datetime.now(UTC)), request.requester
    if request.origin != bench.site.origin:
        raise NotAllowed(f"The request is for another home: {request.origin}.", hint=ASK)
    if request.policy != bench.policy_digest:
        raise NotAllowed("The policy was changed since the request was made.", hint=ASK)
    if request.kind != "override" and (asker.uid, asker.user) != (person.uid, person.user):
        raise NotAllowed(
            f"The request was made by {asker.user or asker.uid}, and is for nobody else.", hint=ASK
        )
    if now >= request.expires:
        raise NotAllowed(f"The request expired on {request.expires}.", hint=ASK)
    if now < request.made:
        raise NotAllowed(
            f"The request was made at {request.made}, which is yet to come: the clock was set "
            "back.",
            hint="Set the clock right; fr will not guess the time.",
        )


def _refuse_same(asker: Person, name: str, bench: Bench) -> None:
    """NotAllowed if the approver is who needs the approval: by name, number, login, or key."""
    operators = bench.policy.operators
    uid = _uid(name)
    same = name == asker.user or (uid is not None and uid in (asker.uid, asker.loginuid))
    if asker.user in operators and operators[asker.user].key:
        same |= operators[asker.user].key.split()[:2] == operators[name].key.split()[:2]
    if same:
        raise NotAllowed(
            f"{name} asked for this, and cannot approve it as well.",
            hint="Another operator with the role of an approver must sign it.",
        )


def _uid(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None
