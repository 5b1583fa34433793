"""Two evaluations of the same photos, as JSON and as a tester reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fr_cli.cli.output import plain, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fr_cli.evaluation.paired import Paired
    from fr_cli.operations.compare import Compared


def document(result: Compared) -> dict[str, Any]:
    """The JSON document `fr/evaluate-compare/1`."""
    assert result.head is not None
    return {
        "schema": "fr/evaluate-compare/1",
        "a": result.a,
        "b": result.b,
        "probes": result.probes,
        "left_out": result.left_out,
        "rates": [{**asdict(row), "sentence": row.sentence} for row in result.rows],
        "warnings": result.warnings,
        "audit": asdict(result.head),
    }


def pictures(result: Compared) -> Iterator[RenderableType]:
    """Both rates side by side, and what the difference shows."""
    yield plain(f"A is {result.a}, B is {result.b}; {result.probes:,} probes in common.")
    for at in dict.fromkeys(row.at for row in result.rows):
        rows = [row for row in result.rows if row.at == at]
        yield plain(f"{at[0].upper()}{at[1:]}:")
        drawn = table("", "Of", "A", "B", "B − A, 95 %", "Better", right=("A", "B", "B − A, 95 %"))
        for row in rows:
            drawn.add_row(*_cells(row))
        yield drawn
    better = {row.better for row in result.rows} - {"neither"}
    if not better:
        yield plain(
            "Neither is shown to be better. How much better one may still be, the intervals say."
        )
    yield from (plain(f"Note: {text}", "yellow") for text in result.warnings)
    if result.left_out:
        yield plain(f"Note: {result.left_out:,} probes are in one of the two only.", "yellow")


def _share(value: float, of: int) -> str:
    """A share; never a bare 0 % or 100 %, but of how many."""
    return f"{value:.2%}" if 0.0 < value < 1.0 else f"{value * of:,.0f} of {of:,}"


def _cells(row: Paired) -> list[RenderableType]:
    better = "not shown" if row.better == "neither" else row.better.upper()
    low, high = 100 * row.low, 100 * row.high
    return [
        plain(row.rate.upper() + (f", {row.group}" if row.group else "")),
        plain(f"{row.of:,}"),
        plain(_share(row.a, row.of)),
        plain(_share(row.b, row.of)),
        plain(f"{100 * row.difference:+.2f} ({low:+.2f} … {high:+.2f}) points"),
        plain(better, "bold" if row.better != "neither" else "dim"),
    ]
