"""The report as JSON, and as one long table for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fr_cli.casework.oversight import BY
from fr_cli.cli.oversight.tables import LEAST, LIVE, SHARES, breakdowns, refusals, sums
from fr_cli.records import no_formula

if TYPE_CHECKING:
    from fr_cli.casework.oversight import Tally
    from fr_cli.operations.oversight import Oversight

VERDICTS = ("confirmed", "rejected", "unresolved", "undecided")
CSV_HEAD = ("table", "value", "measure", "count", "of", "share", "low", "high")


def document(result: Oversight) -> dict[str, Any]:
    """The JSON document `fr/report/1`."""
    counts, other, now = result.counts, result.other, result.evaluation
    return {
        "schema": "fr/report/1",
        "since": result.since or None,
        "until": result.until or None,
        "made": result.made,
        "searches": tally(counts.all),
        "by": [
            {"by": name, "rows": [{"value": value} | tally(one) for value, one in rows.items()]}
            for name, rows in ((name, counts.by[name]) for name in BY)
        ],
        "groups_recorded": counts.groups_recorded,
        "candidates": {"shown": counts.candidates.total()}
        | {verdict: counts.candidates[verdict] for verdict in VERDICTS},
        "refusals": [
            {"exit": code, "error": error, "count": number}
            for (code, error), number in sorted(counts.refusals.items())
        ],
        "decisions": {
            "second": counts.second,
            "third": counts.third,
            "late": counts.late,
            "corrections": counts.corrections,
            "due_days": result.due_days,
            "overdue": [asdict(one) for one in result.overdue],
        },
        "overrides": [asdict(one) for one in other.overrides.values()],
        "acts": [
            {"command": command, "done": number} for command, number in sorted(other.done.items())
        ],
        "refused_acts": [
            {"command": command, "exit": code, "error": error, "count": number}
            for command, code, error, number in refusals(result)
        ],
        "sums": {name.replace(" ", "_"): number for name, number in sums(result).items()},
        "evaluation": now
        and {
            "sha256": now.sha256,
            "model": now.model,
            "made": now.made,
            "until": now.until.isoformat(),
            "references": now.references,
            "fpir": now.fpir,
        },
        "live": {"exists": False, "columns": list(LIVE), "rows": []},
        "audit": asdict(result.head),
    }


def tally(one: Tally) -> dict[str, Any]:
    """Counts, and false lists by both denominators; shares as in every other document."""
    from fr_cli.operations.oversight import rate

    return asdict(one) | {
        "false_of_searches": asdict(rate(one.false, one.asked)),
        "false_of_lists": asdict(rate(one.false, one.lists)),
    }


def as_csv(result: Oversight) -> str:
    """One row a number: table, value, measure, count; of what, which share, from, to."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    for row in _rows(result):
        writer.writerow(no_formula(str(cell)) for cell in row)
    return file.getvalue()


def _rows(result: Oversight) -> Iterator[tuple[object, ...]]:
    yield from _counted("searches", "all", result.counts.all)
    for breakdown in breakdowns(result):
        for value, one in breakdown.rows:
            yield from _counted(breakdown.by, value, one)
    for verdict, number in sorted(result.counts.candidates.items()):
        yield ("candidates", verdict, "people shown", number, "", "", "", "")
    for command, code, error, number in refusals(result):
        yield ("refused acts", command, f"{error} ({code})", number, "", "", "", "")
    for name, number in sums(result).items():
        yield ("sums", "all", name, number, "", "", "", "")
    yield ("decisions", "all", "overdue", len(result.overdue), "", "", "", "")
    yield ("overrides", "all", "overrides", len(result.other.overrides), "", "", "", "")


def _counted(table: str, value: str, one: Tally) -> Iterator[tuple[object, ...]]:
    from fr_cli.operations.oversight import rate

    counts = asdict(one)
    yield (table, value, "asked", one.asked, "", "", "", "")
    shares = [(name, counts[name], of) for name, (_, of) in SHARES.items()]
    shares += [("false", one.false, "asked"), ("false", one.false, "lists")]
    for name, number, of in shares:
        found = rate(number, counts[of])
        known = found.value is not None and counts[of] >= LEAST
        said = (f"{found.value:.6f}" if known else "", f"{found.low:.6f}", f"{found.high:.6f}")
        yield (table, value, f"{name} of {of}", number, counts[of], *said)
