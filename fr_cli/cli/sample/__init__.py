"""`fr sample`: are the data right? Draw some of them, look at them, say how many are wrong."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fr_cli.cli.options import group
from fr_cli.cli.output import plain, table
from fr_cli.cli.sample.sheet import drawn_document, folder
from fr_cli.cli.sample.words import (
    result_document,
    result_pictures,
    search_document,
    search_pictures,
)
from fr_cli.cli.wiring import session_of
from fr_cli.errors import UsageProblem
from fr_cli.records import counted

if TYPE_CHECKING:
    from fr_cli.operations.samples import By

app = group("Draw dip samples of the references, and say how many are wrong.")

WELL = "How well the rate is to be known: 0.02 is ± 2 points."
Expect = Annotated[
    float, typer.Option("--expect", help="The share that may be wrong, for --precision.")
]
SampleId = Annotated[str, typer.Argument(metavar="ID", help="The id of the sample.")]


@app.command("draw")
def draw(
    context: typer.Context,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FOLDER", help="Make this folder for the sheet and tables."),
    ],
    size: Annotated[int | None, typer.Option("--size", help="How many references.")] = None,
    precision: Annotated[float | None, typer.Option("--precision", help=WELL)] = None,
    expect: Expect = 0.05,
    watchlist: Annotated[
        list[str] | None,
        typer.Option("--watchlist", help="Of this watchlist only; several, or all of them."),
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            "--by", help="Stratify by: watchlist, source, lawful_basis, retention; or none."
        ),
    ] = "watchlist,source",
    seed: Annotated[
        str, typer.Option("--seed", help="What the draw depends on; a random one by default.")
    ] = "",
) -> None:
    """Draw references at random, with a sheet to review them by and a table to fill in."""
    from fr_cli.operations import samples as operation

    session = session_of(context)
    order = operation.Order(size, precision, expect, tuple(watchlist or ()), _columns(by), seed)
    with session.bench() as bench, folder(out, bench.site) as desk:
        result = operation.draw(order, bench, session.listener)
        desk.publish(result)
    rows = table("Stratum", "Drawn", "Of", right=("Drawn", "Of"))
    for name, (drawn, references) in result.strata.items():
        rows.add_row(plain(name), f"{drawn:,}", f"{references:,}")
    everything = len(result.items) == result.references
    session.output.show(
        drawn_document(result),
        rows,
        plain(
            f"Drawn: {counted(len(result.items), 'reference')} of {result.references:,}, by the "
            f"seed {result.seed}." + " That is all of them." * everything
        ),
        plain(f"Sample {result.id}, entry {result.head.size} of the audit log.", "dim"),
    )
    session.output.note(plain(f"Sheet and tables: {out}", "dim"))


def _columns(text: str) -> tuple[By, ...]:
    from fr_cli.operations.samples import BY

    words = [word.strip() for word in text.split(",")]
    if words == ["none"]:
        return ()
    unknown = [word for word in words if word not in BY]
    if unknown:
        raise UsageProblem(
            f"A sample is not stratified by {unknown[0]!r}.",
            hint=f"Give some of {', '.join(BY)}, or none.",
        )
    return tuple(column for column in BY if column in words)


@app.command("record")
def record(
    context: typer.Context,
    findings: Annotated[
        Path, typer.Argument(metavar="FILE", help="The findings.csv of a sample, filled in.")
    ],
) -> None:
    """Record what was found. Once for each sample, and for good."""
    from collections import Counter

    from fr_cli.operations import findings as operation

    session = session_of(context)
    with session.bench() as bench:
        sample, head = operation.record(findings, bench, session.listener)
    found = Counter(sample.findings.values())
    session.output.show(
        {
            "schema": "fr/sample-record/1",
            "sample": sample.id,
            "findings": [{"finding": name, "count": n} for name, n in found.most_common()],
            "audit": asdict(head),
        },
        plain(f"Recorded: {counted(len(sample.order), 'finding')}."),
        plain(", ".join(f"{name} {count:,}" for name, count in found.most_common()) + "."),
        plain(f"See what they say with: fr sample result {sample.id}"),
        plain(f"Entry {head.size} of the audit log.", "dim"),
    )


@app.command("result")
def result(context: typer.Context, sample: SampleId) -> None:
    """Say how many references are wrong, by what was found in a sample."""
    from fr_cli.operations import findings as operation

    session = session_of(context)
    with session.bench() as bench:
        outcome = operation.result(sample, bench, session.listener)
    session.output.show(result_document(outcome), *result_pictures(outcome))


@app.command("search")
def search(context: typer.Context, sample: SampleId) -> None:
    """Hold a sample against the gallery: who may be there twice, mixed up, or two in one?"""
    from fr_cli.operations.suspicions import search as look

    session = session_of(context)
    with session.bench() as bench:
        found = look(sample, bench, session.listener)
    session.output.show(search_document(found), *search_pictures(found))


@app.command("size")
def size(
    context: typer.Context,
    precision: Annotated[
        float,
        typer.Option("--precision", help=WELL),
    ],
    expect: Expect = 0.05,
    references: Annotated[
        int | None,
        typer.Option("--references", help="Of so many; of the gallery of the home by default."),
    ] = None,
) -> None:
    """Say how many references must be looked at for a wanted precision."""
    from fr_cli.operations.samples import size_for

    session = session_of(context)
    if references is None:
        with session.bench() as bench:
            needed, references = size_for(precision, expect, None, bench)
    else:
        needed, _ = size_for(precision, expect, references, None)
    worst, _ = size_for(precision, 0.5, references, None)
    session.output.show(
        {
            "schema": "fr/sample-size/1",
            "size": needed,
            "size_at_worst": worst,
            "references": references,
            "precision": precision,
            "expect": expect,
        },
        plain(
            f"Look at {needed:,} of {counted(references or 0, 'reference')}: if about {expect:.1%} "
            f"are wrong, that says so to within ± {precision:.1%} (95 %)."
        ),
        plain(f"Whatever the share that is wrong, {worst:,} would do."),
    )
