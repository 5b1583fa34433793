"""The report's plots, as SVG; needs the extra `plots` (matplotlib)."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from fr_cli.cli.evaluation.plots import require
from fr_cli.cli.oversight.tables import breakdowns

if TYPE_CHECKING:
    from fr_cli.operations.oversight import Oversight

__all__ = ["Plot", "plots", "require"]

_KINDS = {
    "confirmed": "#33658a",
    "rejected": "#b3261e",
    "unresolved": "#c98a1b",
    "undecided": "#8a9099",
}
#: Up to so many days a bar is a day; beyond, a week that begins on a Monday.
_DAYS = 62
#: Bars of one plot; what is rarer stands in the table.
_MOST = 15


@dataclass(frozen=True)
class Plot:
    """A picture with its words: what it shows, for those who cannot see it too."""

    title: str
    words: str
    svg: bytes


def plots(result: Oversight) -> Iterator[Plot]:
    """Searches over time, and what became of candidate lists by reason and by operator."""
    if result.counts.all.asked:
        yield _drawn("Searches over time", _over_time(result.counts.days))
    for breakdown in breakdowns(result):
        rows = [row for row in breakdown.rows if row[1].lists][:_MOST]
        if breakdown.by in ("reason", "operator") and rows:
            title = f"What became of candidate lists, by {breakdown.by}"
            yield _drawn(title, _fates([(name, vars(tally)) for name, tally in rows]))


def _drawn(title: str, drawn: tuple[str, Callable[[Any], None], float]) -> Plot:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    words, draw, height = drawn
    # Text stays text: it can be read aloud and searched; ids that do not change by themselves.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "fr", "font.family": "sans-serif"}):
        figure = Figure(figsize=(7.2, height), layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        axes.spines[["top", "right"]].set_visible(False)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return Plot(title, words, file.getvalue())


def _over_time(days: Counter[str]) -> tuple[str, Callable[[Any], None], float]:
    found = {date.fromisoformat(day): number for day, number in days.items()}
    weekly = (max(found) - min(found)).days > _DAYS
    bars: Counter[date] = Counter()
    for day, number in found.items():
        bars[day - timedelta(days=day.weekday()) if weekly else day] += number
    unit = "week" if weekly else "day"
    most = max(bars, key=lambda day: (bars[day], day))
    words = (
        f"{bars.total():,} searches from {min(found)} to {max(found)}; most in a {unit}: "
        f"{bars[most]:,} ({most})."
    )

    def draw(axes: Any) -> None:
        import matplotlib.dates

        dates: Any = matplotlib.dates  # which has no types

        axes.bar(list(bars), list(bars.values()), width=6 if weekly else 0.8, color="#33658a")
        # Days are told apart by their dates, also where there is one only.
        axes.set_xlim(min(bars) - timedelta(days=4), max(bars) + timedelta(days=8 if weekly else 4))
        axes.xaxis.set_major_locator(dates.AutoDateLocator(minticks=3, maxticks=9))
        axes.xaxis.set_major_formatter(dates.DateFormatter("%Y-%m-%d"))
        axes.set_ylabel(f"searches in a {unit}")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.tick_params(axis="x", rotation=30)

    return words, draw, 2.6


def _fates(rows: list[tuple[str, dict[str, int]]]) -> tuple[str, Callable[[Any], None], float]:
    words = "; ".join(
        f"{name}: " + ", ".join(f"{counts[kind]:,} {kind}" for kind in _KINDS if counts[kind])
        for name, counts in rows
    )

    def draw(axes: Any) -> None:
        names = [_short(name) for name, _ in reversed(rows)]
        left = [0] * len(rows)
        for kind, colour in _KINDS.items():
            widths = [counts[kind] for _, counts in reversed(rows)]
            axes.barh(range(len(rows)), widths, left=left, color=colour, label=kind)
            left = [before + width for before, width in zip(left, widths, strict=True)]
        axes.set_yticks(range(len(rows)), names, parse_math=False)
        axes.set_xlabel("candidate lists")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False, fontsize=8, ncols=4, loc="lower right", bbox_to_anchor=(1, 1))

    return words, draw, 1.4 + 0.32 * len(rows)


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"
