"""`fr approve`: be the second person of an act."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fr_cli.cli import consent
from fr_cli.cli.options import Yes
from fr_cli.cli.output import plain
from fr_cli.cli.wiring import Session, session_of
from fr_cli.errors import UsageProblem

if TYPE_CHECKING:
    from fr_cli.authority.approval import Request

#: What ssh-keygen and ssh themselves take first.
OWN = ("id_ed25519", "id_ed25519_sk", "id_ecdsa", "id_ecdsa_sk", "id_rsa")


def approve(
    context: typer.Context,
    request: Annotated[
        Path | None, typer.Argument(help="The request, as --request wrote it.")
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="Your SSH key; by default that in ~/.ssh.", metavar="KEY"),
    ] = None,
    override: Annotated[
        str,
        typer.Option(
            "--override", metavar="ACT", help="Approve this act, which was done without you."
        ),
    ] = "",
    ask: consent.Ask = None,
    approved: consent.Approved = None,
    signature: consent.Signature = None,
    yes: Yes = False,
) -> None:
    """Sign what another operator asks for, as the second person, with your own SSH key.

    Needs no home: the request says all of it. With --override the home is needed, for the approval
    enters its log.
    """
    session = session_of(context)
    if bool(override) == (request is not None):
        raise UsageProblem(
            "Either a request is approved, or an act after the fact.",
            hint="fr approve REQUEST, or fr approve --override ACT",
        )
    if override:
        given = consent.given(ask, approved, signature)
        _after(session, override, given, key, yes=yes, alone=not (ask or approved))
        return
    if ask or approved or signature:
        raise UsageProblem("These options go with --override.", hint="fr approve REQUEST")
    assert request is not None
    _sign_file(session, request, key, yes=yes)


def _sign_file(session: Session, file: Path, key: Path | None, *, yes: bool) -> None:
    from fr_cli.authority.approval import LONGEST, parse

    request = parse(consent.small(file, "request", LONGEST))
    place = consent.signature_of(file)
    if place.exists():
        raise UsageProblem(f"{place} is there already.", hint="It was signed before.")
    consent.write(place, _signed(session, request, key, yes=yes))
    session.output.show(
        {
            "schema": "fr/approve/1",
            "request": request.sha256,
            "kind": request.kind,
            "what": dict(request.what),
            "by": request.requester.user,
            "expires": request.expires,
            "signature": str(place),
        },
        plain(f"Signed: {place}. Hand both files to {request.requester.user or 'who asks'}."),
    )


def _signed(session: Session, request: Request, key: Path | None, *, yes: bool) -> bytes:
    """Tell what is asked, ask for a yes, and sign the very bytes that were told."""
    from fr_cli.authority.ssh import sign

    asker = request.requester
    session.output.note(
        plain(f"{asker.user or 'somebody'} (user {asker.uid}) asks, on {request.made}:"),
        *(plain(line) for line in request.words()),
        plain(f"Home {request.origin}, under the policy {request.policy[:12]}…"),
        plain(f"It counts once, until {request.expires}."),
    )
    if not yes:
        session.confirm("Do you approve exactly this?", "An approval is given knowingly.")
    return sign(request.data, key or _own())


def _own() -> Path:
    folder = Path.home() / ".ssh"
    return next((folder / name for name in OWN if (folder / name).exists()), folder / OWN[0])


def _after(
    session: Session, act: str, given: consent.Given, key: Path | None, *, yes: bool, alone: bool
) -> None:
    from fr_cli.operations.approvals import Consent, Requested
    from fr_cli.operations.approve import approve_after

    if alone and session.maker is not None:
        raise UsageProblem(
            "The station has no key of yours to sign with.",
            hint="Ask with --request FILE, sign it: fr approve FILE; then --approved FILE.",
        )
    if alone:  # all three steps at once: the home and the key are both here
        try:
            with session.bench() as bench:
                bench.consent = Consent(asking=True)
                approve_after(act, bench)
        except Requested as asked:
            request = asked.request
            given = consent.Given(
                Consent(request=request.data, signature=_signed(session, request, key, yes=yes))
            )
    with session.bench() as bench, consent.seconded(session, bench, given):
        head = approve_after(act, bench)
        assert bench.second is not None
        approver = bench.second.approver
        bench.notices = [one for one in bench.notices if act not in one]
    session.output.show(
        {
            "schema": "fr/approve-override/1",
            "act": act,
            "approver": approver,
            "audit": asdict(head),
        },
        plain(f"The act {act} is approved by {approver}, after the fact."),
        plain(f"Entry {head.size} of the audit log.", "dim"),
    )
