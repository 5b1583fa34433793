"""`fr evaluate`: how often is the answer wrong?"""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fr_cli.cli import consent, options
from fr_cli.cli.draft import draft
from fr_cli.cli.output import plain
from fr_cli.cli.wiring import Session, session_of
from fr_cli.errors import TargetMissed

HINT = "The evaluation stands above and is in the log. It approves nothing."


class Choice(StrEnum):
    """How a face is chosen in a labelled photo; `single` refuses photos of several."""

    CENTRAL = "central"
    LARGEST = "largest"
    SINGLE = "single"


class Protocol(StrEnum):
    """How photos are compared; docs/how-to/evaluate.md explains each."""

    OPEN_SET = "open-set"
    CLOSED_SET = "closed-set"
    VERIFICATION = "verification"
    LEAVE_ONE_OUT = "leave-one-out"


class Fusion(StrEnum):
    """How several references of a subject count."""

    BEST = "best"
    MEAN = "mean"


def evaluate(
    context: typer.Context,
    manifest: Annotated[
        Path | None,
        typer.Argument(
            help="CSV or JSONL with image, subject_id and role (reference or probe), or a folder "
            "with one folder a subject."
        ),
    ] = None,
    protocol: Annotated[
        Protocol | None,
        typer.Option(
            "--protocol",
            help="open-set by default; leave-one-out for a folder: each photo in turn is asked "
            "about. verification compares every photo with every other, 1:1.",
        ),
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option("--scores", help="Another system's scores, instead of photos."),
    ] = None,
    gallery: Annotated[
        bool,
        typer.Option("--gallery", help="Ask about the probes in this home's own gallery."),
    ] = False,
    fusion: Annotated[
        Fusion, typer.Option("--fusion", help="How several references of a subject count.")
    ] = Fusion.BEST,
    random_galleries: Annotated[
        int,
        typer.Option("--random-galleries", min=0, help="Draw so many galleries of the subjects."),
    ] = 0,
    gallery_size: Annotated[
        int, typer.Option("--gallery-size", min=0, help="Subjects of each drawn gallery.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what is drawn.")] = 0,
    exclude: Annotated[
        Path | None,
        typer.Option("--exclude", help="CSV of pairs subject_a, subject_b not to be compared."),
    ] = None,
    group_by: Annotated[
        str, typer.Option("--group-by", help="Columns of the manifest, separated by commas.")
    ] = "",
    calibrate: Annotated[
        Path | None,
        typer.Option("--calibrate", help="Fit a calibration to these photos and write it here."),
    ] = None,
    face: Annotated[
        Choice,
        typer.Option("--faces", help="Which face of a photo with several carries its label."),
    ] = Choice.CENTRAL,
    site_data: Annotated[
        bool,
        typer.Option(
            "--site-data",
            help="With --calibrate: these photos are this site's own. Searches of a larger "
            "gallery than this one are warned of.",
        ),
    ] = False,
    holdout: Annotated[
        bool,
        typer.Option(
            "--holdout", help="Fit on half of the people; count on the other half what it predicts."
        ),
    ] = False,
    eer: Annotated[bool, typer.Option("--eer", help="Give the equal error rate too.")] = False,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", help="Write the curves as tables to this folder.", metavar="DIR"),
    ] = None,
    plots: Annotated[
        Path | None,
        typer.Option(
            "--plots", help="Draw the curves to this folder, as PNG and SVG.", metavar="DIR"
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs",
            help="Write a page here with the faces of pairs that look wrongly labelled.",
            metavar="FILE",
        ),
    ] = None,
    require: Annotated[
        Path | None,
        typer.Option(
            "--require",
            help="Targets (YAML) to be reached: exit 40 if one is not, in force if all are.",
            metavar="FILE",
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write a report here: one page, for people.", metavar="FILE"),
    ] = None,
    faces_allowed: Annotated[
        bool,
        typer.Option(
            "--faces-allowed",
            help="The photos' owner allows faces in the report: show the worst errors.",
        ),
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            help="Write here what became of each probe, to be compared later.",
            metavar="FILE",
        ),
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--compare", help="Only compare two records of the same photos, A and B."),
    ] = None,
    workers: options.Workers = None,
    search_loss: Annotated[
        bool,
        typer.Option("--search-loss", help="Measure what the engine annoy misses, and how fast."),
    ] = False,
    no_cache: Annotated[
        bool,
        typer.Option("--no-cache", help="Neither use nor keep templates of earlier evaluations."),
    ] = False,
    forget_cache: Annotated[
        bool, typer.Option("--forget-cache", help="Only destroy the kept templates.")
    ] = False,
    ask: consent.Ask = None,
    approved: consent.Approved = None,
    signature: consent.Signature = None,
    override: consent.Override = "",
) -> None:
    """Measure error rates on labelled photos. Nothing of them enters the gallery."""
    from fr_cli.cli.evaluation import curves, document, folder, groups, pictures, report
    from fr_cli.cli.evaluation import pairs as page
    from fr_cli.cli.evaluation import plots as drawing
    from fr_cli.operations.evaluate import evaluate as measure
    from fr_cli.operations.record import BEGINS, write_record
    from fr_cli.operations.study import Study

    session = session_of(context)
    if forget_cache:
        _forget(session)
        return
    if compare:
        _compare(session, *compare)
        return
    given = consent.given(ask, approved, signature, override)
    columns = tuple(name.strip() for name in group_by.split(",") if name.strip())
    study = Study(
        manifest=manifest, exclude=exclude, group_by=columns, face=face.value,
        calibrate=calibrate, workers=workers, protocol=protocol.value if protocol else None,
        fusion=fusion.value, random_galleries=random_galleries, gallery_size=gallery_size,
        seed=seed, site_data=site_data, holdout=holdout, eer=eer, pairs=pairs is not None,
        scores=scores, gallery=gallery, cache=not no_cache, search_loss=search_loss,
        require=require, record=record is not None,
        worst=faces_allowed and html is not None,
    )  # fmt: skip
    if plots:
        drawing.require()
    with (
        session.bench() as bench,
        draft(pairs, bench.site) as sheet,
        draft(record, bench.site, begins=BEGINS) as kept,
        draft(html, bench.site) as told,
    ):
        for place in (csv, plots):
            folder.prepare(place, bench.site)
        with consent.seconded(session, bench, given):
            result = measure(study, bench, session.listener)
        whole = document.document(result)
        session.output.show(whole, *pictures.pictures(result))
        if csv:
            folder.fill(csv, curves.tables(whole))
        if plots:
            folder.fill(plots, drawing.plots(whole))
        if sheet:
            sheet.publish(page.page(result))
        if told:
            told.publish(report.page(result))
        if kept:
            kept.publish(write_record(result))
        for place in (csv, plots, pairs, html, record):
            if place:
                session.output.note(plain(f"Written: {place}", "dim"))
    if result.required and not result.required.passed:
        raise TargetMissed(groups.missed(result.required), hint=HINT)
    raise typer.Exit(result.exit_code)


def _forget(session: Session) -> None:
    from fr_cli.operations.cache import forget_by_act

    with session.bench() as bench:
        count, head = forget_by_act(bench)
    session.output.show(
        {"schema": "fr/evaluate-forget-cache/1", "forgotten": count, "audit": asdict(head)},
        plain(f"{count:,} templates of evaluation photos are forgotten: their keys are destroyed."),
    )


def _compare(session: Session, first: Path, second: Path) -> None:
    from fr_cli.cli.evaluation.comparison import document, pictures
    from fr_cli.operations.compare import compare

    with session.bench() as bench:
        result = compare(first, second, bench)
    session.output.show(document(result), *pictures(result))
