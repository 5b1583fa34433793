"""The tables of the report, said once for the terminal, the page and the CSV file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fr_cli.casework.oversight import UNSAID

if TYPE_CHECKING:
    from fr_cli.casework.oversight import Tally
    from fr_cli.operations.oversight import Oversight

#: Of fewer than so many no percentage is shown: one more or less would change it by a twentieth.
LEAST = 20

#: What is counted of each group of searches, and what it is a share of.
SHARES = {
    "refused": ("Refused", "asked"),
    "no_candidate": ("No candidate", "asked"),
    "inconclusive": ("Inconclusive", "asked"),
    "lists": ("With candidates", "asked"),
    "confirmed": ("One confirmed", "lists"),
    "rejected": ("All rejected", "lists"),
    "unresolved": ("Unresolved", "lists"),
    "undecided": ("Undecided", "lists"),
}
COLUMNS = (
    "Searches", "With candidates", "Confirmed", "Rejected", "Unresolved", "Undecided",
    "False, of searches", "False, of lists",
)  # fmt: skip
#: The table of the Met's published annual report on live use, a row a deployment. Groups of those
#: falsely alerted are counted apart there too.
LIVE = (
    "date", "place", "start", "end", "use_case", "watchlist_size", "threshold", "faces_seen",
    "alerts", "true_alerts", "false_alerts", "false_alerts_of_faces", "false_alerts_of_alerts",
    "false_alerts_by_group", "arrests", "other_outcomes",
)  # fmt: skip


@dataclass(frozen=True)
class Breakdown:
    """One way of counting apart: `by` what, and a tally for each value, the most frequent first."""

    by: str
    rows: list[tuple[str, Tally]]


def breakdowns(result: Oversight) -> Iterator[Breakdown]:
    """Every way of counting apart that the log has something for."""
    for name, found in result.counts.by.items():
        silent = UNSAID if name == "perceived group" else "none" if name == "flag" else ""
        if silent and set(found) <= {silent}:
            continue
        yield Breakdown(name, sorted(found.items(), key=lambda row: (-row[1].asked, row[0])))


def cells(tally: Tally) -> list[str]:
    """The row of a tally, in the order of COLUMNS."""
    counts = (
        tally.asked, tally.lists, tally.confirmed, tally.rejected, tally.unresolved,
        tally.undecided,
    )  # fmt: skip
    return [
        *(f"{number:,}" for number in counts),
        share(tally.false, tally.asked),
        share(tally.false, tally.lists),
    ]


def share(cases: int, of: int) -> str:
    """A share in words: the count beside it always, a percentage only of LEAST or more."""
    from fr_cli.operations.oversight import rate

    if of < LEAST:
        return f"{cases:,} of {of:,}"
    found = rate(cases, of)
    return (
        f"{cases:,} of {of:,} ({percent(cases / of)}; {percent(found.low)} to "
        f"{percent(found.high)})"
    )


def percent(value: float) -> str:
    """A percentage with as many digits as it needs to be told from none, and from all."""
    if value in (0.0, 1.0):
        return f"{value:.0%}"
    for digits in (1, 2, 3, 4):
        text = f"{value:.{digits}%}"
        if 0 < float(text[:-1]) < 100:
            return text
    return "under 0.0001%" if value < 0.5 else "over 99.9999%"


def notes(result: Oversight) -> list[str]:
    """What must be said beside the numbers."""
    found = []
    if not result.counts.groups_recorded:
        found.append(
            "No search says what group the person was perceived to be of, so nothing is said of "
            "groups."
        )
    if result.counts.all.undecided:
        found.append(
            "What nobody decided on is counted as neither true nor false; false is what was "
            "rejected, and what a later outcome says."
        )
    found.append(
        f"No percentage of fewer than {LEAST}. In brackets the 95 % interval (Clopper-Pearson), as "
        "if each search were of another person."
    )
    return found


def sentence(result: Oversight) -> str:
    """The evaluation in force, in one sentence."""
    now = result.evaluation
    if now is None:
        return result.evaluation_trouble or "No evaluation is in force."
    return (
        f"An evaluation of {now.made[:10]} is in force until {now.until.isoformat()}: up to "
        f"{now.references:,} references, at most {percent(now.fpir)} of strangers get a candidate "
        "by its data."
    )


def period(result: Oversight) -> str:
    """Since when, until when."""
    since = f"since {clock(result.since)}" if result.since else "since the log began"
    until = f"before {clock(result.until)}" if result.until else "until now"
    return f"{since}, {until} (UTC)"


def clock(time: str) -> str:
    """A time of the log to the minute."""
    return time[:16].replace("T", " ")


def other_acts(result: Oversight) -> list[tuple[str, int, int]]:
    """Command, how often it was done, how often refused; most frequent first."""
    refused: dict[str, int] = {}
    for (command, _, _), number in result.other.refused.items():
        refused[command] = refused.get(command, 0) + number
    names = sorted({*result.other.done, *refused})
    rows = [(name, result.other.done[name], refused.get(name, 0)) for name in names]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def refusals(result: Oversight) -> list[tuple[str, int, str, int]]:
    """Command, exit code, name of the error, how often; most frequent first."""
    rows = [(*key, number) for key, number in result.other.refused.items()]
    return sorted(rows, key=lambda row: (-row[3], row[:3]))


def sums(result: Oversight) -> Mapping[str, int]:
    """What was enrolled and purged, and how often an evaluation was put in force."""
    other = result.other
    return {
        "references enrolled": other.enrolled["added"],
        "references updated": other.enrolled["updated"],
        "photos refused": other.enrolled["rejected"],
        "subjects purged": other.purged["subjects"],
        "references purged": other.purged["references"],
        "evaluations put in force": other.evaluations,
    }
