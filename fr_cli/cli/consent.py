"""Options of acts that may need a second person: to ask, to bring the approval, to override.

with session.bench() as bench, seconded(session, bench, given(request, approved, …)):
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fr_cli.cli.output import plain
from fr_cli.errors import ConfigurationError, UsageProblem

if TYPE_CHECKING:
    from fr_cli.authority.approval import Request
    from fr_cli.cli.wiring import Session
    from fr_cli.operations.approvals import Consent
    from fr_cli.operations.bench import Bench

Ask = Annotated[
    Path | None,
    typer.Option(
        "--request", metavar="FILE", help="Only write a request for a second person here."
    ),
]
Approved = Annotated[
    Path | None,
    typer.Option(
        "--approved", metavar="FILE", help="The request, as a second person has signed it."
    ),
]
Signature = Annotated[
    Path | None,
    typer.Option("--signature", metavar="FILE", help="Its signature; by default FILE.sig."),
]
Override = Annotated[
    str,
    typer.Option(
        "--override",
        metavar="TEXT",
        help="Go on without the second person, and say why; flagged until one approves.",
    ),
]


@dataclass(frozen=True)
class Given:
    """What the options say: a consent, and where a request is to be written."""

    consent: Consent
    target: Path | None = None


def given(
    request: Path | None, approved: Path | None, signature: Path | None, override: str = ""
) -> Given:
    """The consent of these options; UsageProblem for two of them at once."""
    from fr_cli.operations.approvals import Consent

    if sum((request is not None, approved is not None, bool(override))) > 1:
        raise UsageProblem(
            "--request, --approved and --override exclude each other.", hint="Give one of them."
        )
    if signature and not approved:
        raise UsageProblem("--signature goes with --approved.", hint="Give the request too.")
    if request is not None:
        return Given(Consent(asking=True), request)
    if approved is None:
        return Given(Consent(override=override))
    try:
        return Given(read(approved, signature or signature_of(approved)))
    except UsageProblem as trouble:  # raised by the act, so that the attempt is in the log
        return Given(Consent(trouble=trouble))


def signature_of(request: Path) -> Path:
    """Where ssh-keygen writes the signature of a file."""
    return request.with_name(f"{request.name}.sig")


def read(request: Path, signature: Path) -> Consent:
    """An approved request; UsageProblem for what is no plain small file."""
    from fr_cli.authority import approval, ssh
    from fr_cli.operations.approvals import Consent

    return Consent(
        request=small(request, "request", approval.LONGEST),
        signature=small(signature, "signature", ssh.LONGEST),
    )


def small(path: Path, name: str, longest: int) -> bytes:
    """The bytes of a plain file, read once; UsageProblem for a link, a pipe, or a longer one."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags)
        with os.fdopen(handle, "rb") as file:
            plain_file = stat.S_ISREG(os.fstat(handle).st_mode)
            data = file.read(longest + 1) if plain_file else b""
    except OSError as trouble:
        link = " It is a symbolic link." if path.is_symlink() else ""
        raise UsageProblem(
            f"The {name} {path} cannot be read: {trouble.strerror}.{link}",
            hint=f"Give the {name} as a file of its own.",
        ) from None
    if not plain_file or len(data) > longest:
        raise UsageProblem(
            f"The {name} {path} is no file of at most {longest:,} bytes.",
            hint=f"Give the {name} as it was written.",
        )
    return data


def write(path: Path, data: bytes) -> None:
    """Write a new file; ConfigurationError if it is there, or cannot be made."""
    try:
        with path.open("xb") as file:
            file.write(data)
    except OSError as trouble:
        raise ConfigurationError(
            f"{path} cannot be written: {trouble.strerror}.",
            hint="Name a new file in a folder that you may write to.",
        ) from trouble


@contextmanager
def seconded(session: Session, bench: Bench, brought: Given) -> Iterator[None]:
    """Run an act with this consent; where a request is asked for, write it, and end the command."""
    from fr_cli.operations.approvals import Requested

    target = brought.target
    bench.site.refuse_inside(target)
    if target is not None and target.exists():
        raise UsageProblem(f"{target} is there already.", hint="Name a new file.")
    bench.consent = brought.consent
    try:
        yield
    except Requested as asked:
        assert target is not None
        write(target, asked.request.data)
        show(session, asked.request, target)
        raise typer.Exit from None
    if target is not None:
        raise UsageProblem(
            "Nothing came to pass that would need a second person.", hint="Leave out --request."
        )


def show(session: Session, request: Request, file: Path) -> None:
    """What is asked, and what comes next."""
    session.output.show(
        {
            "schema": "fr/requested/1",
            "file": str(file),
            "sha256": request.sha256,
            "kind": request.kind,
            "expires": request.expires,
        },
        *(plain(line) for line in request.words()),
        plain(f"Nothing is done yet. The request is in {file}; it counts until {request.expires}."),
        plain(f"Another operator signs it: fr approve {file}"),
        plain(f"Then run the same command with: --approved {file}"),
    )
