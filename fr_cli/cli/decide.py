"""`fr decide`: a person decides on the candidates of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fr_cli.cli.output import Output, plain, table
from fr_cli.cli.wiring import Session, session_of
from fr_cli.errors import UsageProblem
from fr_cli.records import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fr_cli.casework.decisions import Verdict
    from fr_cli.operations.decide import Decided, Pending, Shown

_KEYS: dict[str, Verdict] = {"c": "confirmed", "r": "rejected", "u": "unresolved"}


def decide(
    context: typer.Context,
    search: Annotated[
        str, typer.Argument(metavar="SEARCH", help="The search's id, or its first six or more.")
    ] = "",
    confirm: Annotated[
        list[str] | None,
        typer.Option("--confirm", metavar="SUBJECT", help="This is the person in the photo."),
    ] = None,
    reject: Annotated[
        list[str] | None,
        typer.Option("--reject", metavar="SUBJECT", help="This is not the person; repeat."),
    ] = None,
    unresolved: Annotated[
        list[str] | None,
        typer.Option("--unresolved", metavar="SUBJECT", help="It cannot be said; repeat."),
    ] = None,
    reject_all: Annotated[
        bool, typer.Option("--reject-all", help="Reject all candidates not named otherwise.")
    ] = False,
    reason: Annotated[
        str, typer.Option("--reason", help="Why, in words, for the log; no name of a person.")
    ] = "",
    correct: Annotated[
        bool, typer.Option("--correct", help="Decide anew what is decided; both stay in the log.")
    ] = False,
    pending: Annotated[
        bool, typer.Option("--pending", help="List what is undecided, and what is overdue.")
    ] = False,
) -> None:
    """Confirm, reject or leave unresolved each candidate of a search. You decide, not the machine.

    Without options the candidates are asked about one by one, at a terminal.
    """
    from fr_cli.operations.decide import Order
    from fr_cli.operations.decide import decide as record
    from fr_cli.operations.decide import pending as list_pending

    session = session_of(context)
    if pending == bool(search):
        raise UsageProblem("Give the id of one search, or --pending.")
    if pending:
        with session.bench() as bench:
            owed = list_pending(bench)
        session.output.show(pending_document(owed), *pending_pictures(owed))
        return
    verdicts = _verdicts(confirm or [], reject or [], unresolved or [])
    words = reason or (typer.prompt("Why (for the log, no names)") if session.asks else "")
    order = Order(search, words, verdicts, "rejected" if reject_all else None, correct)
    with session.bench() as bench:
        result = record(order, bench, _asking(session) if session.asks else None)
    session.output.show(document(result), *pictures(result))


def _verdicts(
    confirm: Sequence[str], reject: Sequence[str], unresolved: Sequence[str]
) -> dict[str, Verdict]:
    verdicts: dict[str, Verdict] = {}
    named: tuple[tuple[Verdict, Sequence[str]], ...] = (
        ("confirmed", confirm), ("rejected", reject), ("unresolved", unresolved),
    )  # fmt: skip
    for verdict, subjects in named:
        for subject in subjects:
            if verdicts.setdefault(subject, verdict) != verdict:
                raise UsageProblem(f"{subject} is decided on in two ways.")
    return verdicts


def _asking(session: Session) -> Any:
    """Asks at the terminal for the verdict on each candidate."""

    def ask(candidates: Sequence[Shown]) -> Mapping[str, Verdict]:
        return {one.subject_id: _one(one, session.output) for one in candidates}

    return ask


def _one(candidate: Shown, output: Output) -> Verdict:
    output.note(plain(f"{candidate.rank}. {candidate.subject_id}  score {candidate.score}", "bold"))
    while True:
        answer = typer.prompt("   confirm, reject or unresolved [c/r/u]").strip().lower()[:1]
        if answer in _KEYS:
            return _KEYS[answer]


def document(result: Decided) -> dict[str, Any]:
    """The JSON document `fr/decide/1`."""
    return {
        "schema": "fr/decide/1",
        "search_id": result.search_id,
        "decisions": [
            {"subject_id": subject, "decision": verdict}
            for subject, verdict in result.verdicts.items()
        ],
        "correction": result.stage == "correction",
        "final": result.final,
        "late": result.late,
        "purged": result.purged,
        "audit": asdict(result.head),
    }


def pictures(result: Decided) -> list[RenderableType]:
    """What who decided reads."""
    rows = table("Subject", "Decision")
    for subject, verdict in result.verdicts.items():
        rows.add_row(plain(subject), verdict)
    lines: list[RenderableType] = [rows]
    if result.final:
        lines.append(plain("This is final."))
    else:
        lines.append(plain("Recorded. It is final when another operator has decided too."))
    if result.late:
        lines.append(plain("It came late, by the policy; the log says so.", "yellow"))
    if result.purged:
        lines.append(plain(f"{counted(result.purged, 'candidate')} purged since.", "yellow"))
    lines.append(plain(f"Entry {result.head.size} of the audit log.", "dim"))
    return lines


def pending_document(result: Pending) -> dict[str, Any]:
    """The JSON document `fr/decide-pending/1`."""
    return {
        "schema": "fr/decide-pending/1",
        "pending": [
            {
                "search_id": one.search_id,
                "answered": one.answered,
                "due": one.due,
                "overdue": one.overdue,
                "case": one.case,
                "reason": one.reason,
                "candidates": one.candidates,
                "owes": list(one.owes),
                "yours": one.yours,
                "correction": one.correction,
            }
            for one in result.rows
        ],
        "purged": result.purged,
        "audit": asdict(result.head),
    }


def pending_pictures(result: Pending) -> list[RenderableType]:
    """What is owed, overdue first in sight."""
    rows = table("Search", "Answered (UTC)", "Case", "Candidates", "Owed by", "Due", "")
    for one in result.rows:
        rows.add_row(
            plain(one.search_id[:12]),
            plain(one.answered[:16].replace("T", " ")),
            plain(one.case),
            str(one.candidates),
            plain(", ".join(one.owes)),
            plain(one.due[:10], "bold red" if one.overdue else ""),
            plain(_remark(one), "bold red" if one.overdue else "dim"),
        )
    late = sum(one.overdue for one in result.rows)
    lines: list[RenderableType] = [rows] if result.rows else []
    lines.append(
        plain(f"{counted(len(result.rows), 'search', 'searches')} undecided, {late} overdue.")
    )
    if result.purged:
        lists = counted(result.purged, "list")
        lines.append(plain(f"{lists} more of candidates who were all purged since.", "dim"))
    lines.append(plain(f"Entry {result.head.size} of the audit log.", "dim"))
    return lines


def _remark(one: Any) -> str:
    words = ["overdue"] * one.overdue + ["a correction"] * one.correction
    return ", ".join([*words, *([] if one.yours else ["you have decided"])])
