"""`fr policy`: the rules of this home."""

from __future__ import annotations

from collections.abc import Mapping

import typer

from fr_cli.cli.output import plain, table
from fr_cli.cli.put import put
from fr_cli.cli.wiring import session_of

app = typer.Typer(
    help="Show, check and change the policy.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("show")
def show(context: typer.Context) -> None:
    """Show the reasons, floors and targets in force."""
    session = session_of(context)
    with session.bench() as bench:
        policy, digest = bench.policy, bench.policy_digest
    rows = table("Reason", "For", "Legal basis")
    for name, reason in policy.reasons.items():
        rows.add_row(plain(name), plain(reason.description), plain(reason.legal_basis))
    session.output.show(
        {"schema": "fr/policy-show/1", **policy.model_dump(mode="json"), "sha256": digest},
        rows,
        plain(f"Least score of a candidate: {policy.identify.floor_score:.2f}"),
        plain(f"FPIR target: 1 in {1 / policy.identify.fpir_target:,.0f}"),
        plain(f"Longest candidate list: {policy.identify.max_candidates}"),
        plain(f"Without an evaluation in force: {policy.evaluation}"),
        plain(f"References are kept: {_days(policy.retention)}"),
        plain(f"Entries of the log are kept: {_days(policy.audit_retention)}"),
        plain(f"SHA-256 {digest}", "dim"),
    )


def _days(rules: Mapping[str, int | None]) -> str:
    return ", ".join(
        f"{name}: {f'{days:,} days' if days else 'no limit'}" for name, days in rules.items()
    )


@app.command("check")
def check(context: typer.Context) -> None:
    """Say whether policy.yaml is valid."""
    session = session_of(context)
    with session.bench() as bench:
        digest = bench.policy_digest
    session.output.show(
        {"schema": "fr/policy-check/1", "valid": True, "sha256": digest},
        plain("The policy is valid."),
    )


app.command("put")(put)
