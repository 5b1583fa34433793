"""The report as an overseer reads it at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fr_cli.cli.output import plain, table
from fr_cli.cli.oversight.tables import (
    COLUMNS,
    SHARES,
    breakdowns,
    cells,
    clock,
    notes,
    other_acts,
    period,
    refusals,
    sentence,
    share,
    sums,
)
from fr_cli.records import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fr_cli.operations.oversight import Oversight


def pictures(result: Oversight) -> list[RenderableType]:
    """Numbers first, then what is owed, then what else was done."""
    counts = vars(result.counts.all)
    whole = table("", "")
    whole.add_row("Searches", f"{counts['asked']:,}")
    for name, (label, of) in SHARES.items():
        whole.add_row(label, share(counts[name], counts[of]))
    whole.add_row("False, of all searches", share(counts["false"], counts["asked"]))
    whole.add_row("False, of candidate lists", share(counts["false"], counts["lists"]))
    people = result.counts.candidates
    said = ", ".join(f"{number:,} {verdict}" for verdict, number in sorted(people.items()))
    whole.add_row("People shown", f"{people.total():,}" + (f" ({said})" if said else ""))
    lines: list[RenderableType] = [plain(f"Searches {period(result)}", "bold"), whole]
    for breakdown in breakdowns(result):
        rows = table(f"By {breakdown.by}", *COLUMNS, right=COLUMNS[:6])
        for value, one in breakdown.rows:
            rows.add_row(plain(value), *cells(one))
        lines.append(rows)
    lines += _owed(result)
    lines += _acts(result)
    lines += [plain(sentence(result))]
    lines += [plain(note, "dim") for note in notes(result)]
    lines.append(plain("There is no live use yet; its table of deployments is empty.", "dim"))
    lines.append(plain(f"Entry {result.head.size} of the audit log.", "dim"))
    return lines


def _owed(result: Oversight) -> list[RenderableType]:
    counts = result.counts
    lines: list[RenderableType] = []
    if result.overdue:
        late = counted(len(result.overdue), "decision")
        lines.append(plain(f"{late} overdue ({result.due_days} days):", "bold red"))
        rows = table("Search", "Answered (UTC)", "Due", "Searched by")
        for one in result.overdue:
            rows.add_row(one.search_id[:12], clock(one.answered), one.due[:10], plain(one.operator))
        lines.append(rows)
    if counts.second or counts.late or counts.corrections:
        lines.append(
            plain(
                f"Decisions: {counts.late:,} late, {counts.second:,} second, {counts.third:,} "
                f"third (two disagreed), {counts.corrections:,} corrections."
            )
        )
    return lines


def _acts(result: Oversight) -> list[RenderableType]:
    rows = table("Acts", "Done", "Refused", right=("Done", "Refused"))
    for command, done, refused in other_acts(result):
        rows.add_row(plain(command), f"{done:,}", f"{refused:,}")
    lines: list[RenderableType] = [rows] if result.other.done or result.other.refused else []
    if result.other.refused:
        rows = table("Refused", "Exit", "Error", "Times", right=("Exit", "Times"))
        for command, code, error, number in refusals(result):
            rows.add_row(plain(command), str(code), plain(error), f"{number:,}")
        lines.append(rows)
    for override in result.other.overrides.values():
        state = "approved since" if override.approved else "NOT approved"
        lines.append(
            plain(
                f"Override: {override.command} by {override.operator} at "
                f"{clock(override.at)}, {state}.",
                "" if override.approved else "bold red",
            )
        )
    said = ", ".join(f"{number:,} {name}" for name, number in sums(result).items() if number)
    return [*lines, *([plain(f"In it: {said}.")] if said else [])]
