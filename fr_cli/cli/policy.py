"""`fr policy`: the rules of this home."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fr_cli.cli.options import group
from fr_cli.cli.output import plain, table
from fr_cli.cli.put import put
from fr_cli.cli.wiring import session_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from fr_cli.authority.parsing import Place
    from fr_cli.authority.policy import Policy, Reading

app = group("Show, check and change the policy.")
#: Have tables of their own.
_TABLES = ("reasons", "operators")


@app.command("show")
def show(context: typer.Context) -> None:
    """Show the policy in force, and where each value comes from."""
    from fr_cli.authority.policy import read_policy

    session = session_of(context)
    with session.bench() as bench:
        policy, reading = bench.policy, read_policy(bench.site.policy)
    session.output.show(document(policy, reading), *pictures(policy, reading))


def document(policy: Policy, reading: Reading) -> dict[str, Any]:
    """The JSON document `fr/policy-show/1`."""
    from fr_cli.authority.checking import document_of
    from fr_cli.authority.parsing import dotted
    from fr_cli.authority.roles import ACTS

    said = document_of(policy)
    return {
        "schema": "fr/policy-show/1",
        **said,
        "roles": {role: sorted(acts) for role, acts in ACTS.items()},
        "origins": {dotted(place): reading.lines.get(place) for place, _ in _leaves(said)},
        "sha256": reading.sha256,
    }


def _leaves(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*place, name))
    else:
        yield place, value


def pictures(policy: Policy, reading: Reading) -> list[RenderableType]:
    """What an operator reads."""
    return [
        _reasons(policy),
        plain(""),
        *(_operators(policy) if policy.operators else [plain(ALONE)]),
        plain(""),
        _values(policy, reading),
        plain(f"SHA-256 {reading.sha256}", "dim"),
    ]


ALONE = "No operators are named: whoever runs fr may do everything."


def _reasons(policy: Policy) -> Table:
    rows = table("Reason", "For", "Legal basis", "Searches")
    for name, reason in policy.reasons.items():
        lists = "everything" if reason.watchlists is None else ", ".join(reason.watchlists)
        wants = ", with its necessity" if reason.necessity else ""
        rows.add_row(
            plain(name), plain(reason.description), plain(reason.legal_basis), plain(lists + wants)
        )
    return rows


def _operators(policy: Policy) -> list[RenderableType]:
    from fr_cli.authority.roles import ACTS

    people = table("Operator", "Roles", "Trained until", "Key to approve")
    for name, one in policy.operators.items():
        until = str(one.trained_until or "not said")
        key = one.key.partition(" ")[0] or "none"
        people.add_row(plain(name), ", ".join(one.roles), until, plain(key))
    held = {role for one in policy.operators.values() for role in one.roles}
    roles = table("Role", "May do", "")
    for role, acts in ACTS.items():
        roles.add_row(role, ", ".join(sorted(acts)), "" if role in held else "nobody has it")
    return [people, plain(""), roles]


def _values(policy: Policy, reading: Reading) -> Table:
    from fr_cli.authority.checking import document_of
    from fr_cli.authority.parsing import dotted

    rows = table("Key", "Value", "From")
    for place, value in _leaves(document_of(policy)):
        if place[0] not in _TABLES:
            line = reading.lines.get(place)
            rows.add_row(
                plain(dotted(place)), plain(_said(value)), f"line {line}" if line else "default"
            )
    return rows


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and 0 < value < 0.01:
        return f"{value:g} (1 in {1 / value:,.0f})"
    return {"": "empty", "None": "no limit", "{}": "none"}.get(str(value), str(value))


@app.command("check")
def check(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="A policy that is not in force yet; the home's by default."
        ),
    ] = None,
) -> None:
    """Check a policy: each fault with its line, its key and what mends it."""
    from fr_cli.authority.policy import read_policy
    from fr_cli.errors import ConfigurationError
    from fr_cli.records import counted

    session = session_of(context)
    if file is None:
        with session.bench() as bench:
            file = bench.site.policy
    reading = read_policy(file)
    if reading.policy is None:
        for one in reading.problems:
            session.output.note(
                plain(f"{file}:{one.line}: {one.key or 'the file'} {one.message}.", "yellow"),
                plain(f"    {one.hint}"),
            )
        faults = "; ".join(f"{one} ({one.hint})" for one in reading.problems)
        told = faults if session.output.as_json else counted(len(reading.problems), "fault")
        raise ConfigurationError(
            f"The policy {file} is not valid: {told}.",
            hint="Mend these lines, and check it again before it is put in force.",
        )
    session.output.show(
        {"schema": "fr/policy-check/1", "valid": True, "sha256": reading.sha256},
        plain("The policy is valid."),
    )


@app.command("clock")
def clock(
    context: typer.Context,
    reason: Annotated[
        str, typer.Option("--reason", help="Why: what was wrong, in words without a name.")
    ],
) -> None:
    """Say that the clock is right, and the time of the log was wrong."""
    from datetime import UTC, datetime

    from fr_cli.operations.clock import correct
    from fr_cli.records import utc

    session = session_of(context)
    with session.bench() as bench:
        head = correct(reason, bench)
    now = utc(datetime.now(UTC))
    session.output.show(
        {
            "schema": "fr/policy-clock/1",
            "clock": now,
            "audit": asdict(head),
        },
        plain(f"From here on the clock is believed: it is {now}."),
        plain(f"Entry {head.size} of the audit log.", "dim"),
    )


app.command("put")(put)
