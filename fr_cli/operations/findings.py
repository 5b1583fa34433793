"""What the reviewers of a dip sample found: recorded in the log, and made a rate from it alone."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fr_cli.audit.canonical import JSON
from fr_cli.audit.log import Act
from fr_cli.casework.samples import CORRECT, FINDINGS, UNCLEAR
from fr_cli.casework.watchlists import named
from fr_cli.errors import UsageProblem
from fr_cli.gallery.lock import Turn, locked
from fr_cli.operations.bench import Bench
from fr_cli.operations.drawn import RECORD, Drawn, of_log, safe_id
from fr_cli.operations.samples import BATCH
from fr_cli.records import Head, Listener

if TYPE_CHECKING:
    from fr_cli.evaluation.finite_population import Share

#: The columns of the table that a reviewer fills in; `remark` is theirs, and is not recorded.
COLUMNS = ("sample", "number", "reference", "finding", "remark")
#: Bytes of such a table.
MAX_FILE = 20_000_000


@dataclass(frozen=True)
class Part:
    """What was found in one stratum: how many of each finding, and the share that is wrong."""

    name: str
    population: int
    drawn: int
    findings: Mapping[str, int]
    wrong: Share


@dataclass(frozen=True)
class Outcome:
    """What a sample says: of each stratum, and of all together, each weighing as much as it has."""

    sample: str
    drawn_at: str
    parts: tuple[Part, ...]
    findings: Mapping[str, int]
    wrong: Share
    head: Head

    @property
    def population(self) -> int:
        """How many references it was drawn from."""
        return sum(part.population for part in self.parts)

    @property
    def drawn(self) -> int:
        """How many were looked at."""
        return sum(part.drawn for part in self.parts)


def record(table: Path, bench: Bench, listener: Listener) -> tuple[Drawn, Head]:
    """Record what reviewers found, once for each sample.

    UsageProblem unless the table has every reference of one sample of this home, in its place,
    with a finding of the closed list.
    """
    with (
        locked(bench.site.gallery, Turn(RECORD, bench.wait)),  # two could record it at once
        bench.act(RECORD, "administration") as act,
    ):
        rows = _rows(table)
        ids = {row["sample"] for row in rows}
        if len(ids) != 1:
            raise UsageProblem(
                f"{table} has findings of {len(ids)} samples.", hint="Record one after the other."
            )
        sample = of_log(ids.pop(), bench, listener)
        if sample.recorded:
            raise UsageProblem(
                "The findings of this sample are recorded already.",
                hint=f"See them with: fr sample result {sample.id}",
            )
        sample.findings = _checked(rows, sample)
        _write(sample, act)
    return sample, act.head


def result(sample_id: str, bench: Bench, listener: Listener) -> Outcome:
    """The share of references that are wrong; UsageProblem if no finding is recorded yet."""
    with bench.act("sample result", "consultation", sample=safe_id(sample_id)) as act:
        sample = of_log(sample_id, bench, listener)
        if not sample.recorded:
            raise UsageProblem(
                "Nothing is recorded of this sample yet.",
                hint="Fill in its findings.csv, and record it with: fr sample record FILE",
            )
        parts, wrong = _rates(sample)
        found = Counter(sample.findings.values())
        act.decide(drawn=len(sample.order), wrong=_wrong(found), unclear=found[UNCLEAR])
    return Outcome(sample.id, sample.at, parts, _listed(found), wrong, act.head)


def _rows(table: Path) -> list[dict[str, str]]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            text = file.read(MAX_FILE)
    except (OSError, UnicodeDecodeError) as trouble:
        what = trouble.strerror if isinstance(trouble, OSError) else "it is not UTF-8"
        raise UsageProblem(f"The table {table} cannot be read: {what}.") from trouble
    # A spreadsheet may write semicolons where it read commas.
    comma = ";" if ";" in text.partition("\n")[0] else ","
    try:
        reader = csv.DictReader(io.StringIO(text), delimiter=comma, strict=True, restval="")
        rows = [{key: (row[key] or "").strip() for key in COLUMNS[:4]} for row in reader]
    except (csv.Error, KeyError) as trouble:
        raise UsageProblem(
            f"{table} is not a table of findings: {trouble}.",
            hint="Fill in the findings.csv of the sample; its columns are " + ", ".join(COLUMNS),
        ) from trouble
    if not rows:
        raise UsageProblem(f"{table} has no findings.")
    return rows


def _checked(rows: Sequence[Mapping[str, str]], sample: Drawn) -> dict[str, str]:
    """The finding of each reference of the sample; UsageProblem for the first thing that is not
    as it was drawn."""
    due = {str(number): uid for number, uid in enumerate(sample.order, start=1)}
    findings: dict[str, str] = {}
    for row in rows:
        number = row["number"]
        if due.get(number) != row["reference"]:
            raise UsageProblem(
                f"Row {number!r} is not as it was drawn: its reference was edited, or is of "
                "another sample.",
                hint="Fill in the columns finding and remark only.",
            )
        if number in findings:
            raise UsageProblem(f"Row {number} is there twice.", hint="Keep one of them.")
        if row["finding"] not in FINDINGS:
            raise UsageProblem(
                f"Row {number} has no finding of the list, but {row['finding']!r}.",
                hint=f"Write one of: {', '.join(FINDINGS)}.",
            )
        findings[number] = row["finding"]
    missing = [number for number in due if number not in findings]
    if missing:
        raise UsageProblem(
            f"{len(missing):,} of {len(due):,} rows are missing: {named(missing)}.",
            hint=f"What cannot be established is {UNCLEAR!r}; no row may be left out.",
        )
    return {due[number]: finding for number, finding in findings.items()}


def _write(sample: Drawn, act: Act) -> None:
    for finding in FINDINGS:
        uids: list[JSON] = [u for u in sample.order if sample.findings[u] == finding]
        for first in range(0, len(uids), BATCH):
            act.batch(sample=sample.id, finding=finding, references=uids[first : first + BATCH])
    counts: dict[str, JSON] = {**_listed(Counter(sample.findings.values()))}
    act.decide(sample=sample.id, findings=counts)


def _rates(sample: Drawn) -> tuple[tuple[Part, ...], Share]:
    from fr_cli.evaluation.finite_population import Stratum, of_all, of_stratum

    parts, strata = [], []
    for name, population in sample.population.items():
        found = Counter(sample.findings[u] for u in sample.order if sample.stratum[u] == name)
        stratum = Stratum(population, found.total(), _wrong(found), found[UNCLEAR])
        strata.append(stratum)
        parts.append(Part(name, population, found.total(), _listed(found), of_stratum(stratum)))
    return tuple(parts), of_all(strata)


def _wrong(found: Counter[str]) -> int:
    return found.total() - found[CORRECT] - found[UNCLEAR]


def _listed(found: Counter[str]) -> dict[str, int]:
    """In the order of the list, without what was not found."""
    return {name: found[name] for name in FINDINGS if found[name]}
