"""`fr audit show`: who did what, when and why. An act of its own."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fr_cli.cli.audit import options
from fr_cli.cli.output import plain, table
from fr_cli.cli.wiring import session_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fr_cli.audit.show import ActRecord
    from fr_cli.operations.extract import Shown


def show(
    context: typer.Context,
    since: options.Since = "",
    until: options.Until = "",
    operator: Annotated[
        str, typer.Option("--operator", help="Account: its name, uid or login uid.")
    ] = "",
    case: Annotated[str, typer.Option("--case", help="The case, letter by letter.")] = "",
    command: Annotated[str, typer.Option("--command", help="The command, as 'identify'.")] = "",
    search: Annotated[
        str, typer.Option("--search", help="A search by its id, and what names it.")
    ] = "",
    subject: Annotated[
        str, typer.Option("--subject", help="A subject by id, or by its random id in the log.")
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="Show no more than the newest; 0 for all.")
    ] = 1000,
    reason: options.Reason = "",
) -> None:
    """Show who did what. Looking into the log is an act, and is written down in it."""
    from fr_cli.operations.extract import Query
    from fr_cli.operations.extract import show as look

    session = session_of(context)
    query = Query(since, until, operator, case, command, search, subject)
    with session.bench() as bench:
        result = look(query, bench, session.listener, limit=limit, reason=reason)
    session.output.show(document(result), *pictures(result))


def document(result: Shown) -> dict[str, Any]:
    """The JSON document `fr/audit-show/1`."""
    return {
        "schema": "fr/audit-show/1",
        "acts": [_act(one) for one in result.acts],
        "left_out": result.left_out,
        "head": asdict(result.note.head),
        "audit": asdict(result.head),
    }


def _act(one: ActRecord) -> dict[str, Any]:
    return {
        "id": one.req,
        "command": one.command,
        "operation": one.kind,
        "start": one.start,
        "end": one.end or None,
        "state": one.state,
        "operator": one.operator,
        "why": one.why,
        "decision": one.decision,
        "entries": one.entries,
    }


def pictures(result: Shown) -> list[RenderableType]:
    """What an auditor reads."""
    rows = table("Entries", "Start (UTC)", "Operator", "Command", "Case", "Reason", "Result")
    for one in result.acts:
        rows.add_row(
            plain("-".join(map(str, dict.fromkeys((one.seqs[0], one.seqs[-1]))))),
            plain(one.start[:19]),
            plain(one.operator.get("user") or one.operator.get("uid")),
            plain(one.command),
            plain(one.why.get("case", "")),
            plain(one.why.get("reason", "")),
            plain(_result(one)),
        )
    lines: list[RenderableType] = [rows] if result.acts else [plain("No act of that kind.")]
    if result.left_out:
        lines.append(plain(f"{result.left_out:,} older ones are left out; see --limit.", "yellow"))
    read, written = result.note.head.size, result.head.size
    lines.append(plain(f"Of {read:,} entries, as signed. Looked up: entry {written}.", "dim"))
    return lines


def _result(one: ActRecord) -> str:
    if one.state != "done":
        return f"{one.state} {one.last.get('error', '')}".strip()
    return str(one.decision.get("outcome", "done"))
