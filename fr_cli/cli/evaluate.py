"""`fr evaluate`: how often is the answer wrong?"""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fr_cli.cli import options
from fr_cli.cli.output import plain, table
from fr_cli.cli.wiring import session_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fr_cli.evaluation.intervals import Rate
    from fr_cli.operations.evaluate import Evaluation


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


_FACES = {
    "central": "Of photos with several faces the one nearest to the middle was taken (--faces).",
    "largest": "Of photos with several faces the largest one was taken (--faces).",
    "single": "Photos with several faces were refused, as a search does.",
}


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
    workers: options.Workers = None,
) -> None:
    """Measure error rates on labelled photos. Nothing of them enters the gallery."""
    from fr_cli.operations.evaluate import evaluate as measure
    from fr_cli.operations.trial import Study

    session = session_of(context)
    columns = tuple(name.strip() for name in group_by.split(",") if name.strip())
    with session.bench() as bench:
        study = Study(
            manifest,
            exclude,
            columns,
            face.value,
            calibrate,
            workers,
            protocol.value if protocol else None,
            fusion.value,
            random_galleries,
            gallery_size,
            seed,
            scores,
        )
        result = measure(study, bench, session.listener)
    session.output.show(document(result), *pictures(result))
    raise typer.Exit(result.exit_code)


def document(result: Evaluation) -> dict[str, Any]:
    """The JSON document `fr/evaluate/1`."""
    calibration = result.calibration
    return {
        "schema": "fr/evaluate/1",
        "counts": {
            "references": result.references,
            "subjects": result.subjects,
            "probes_mated": result.probes.mated_count,
            "probes_nonmated": result.probes.nonmated_count,
            "fte": result.fte,
            "fta": result.probes.failures_to_acquire,
            "unusable_rows": result.unusable_rows,
        },
        "faces": result.faces,
        "points": list(result.points),
        "at_floor": {
            "score": result.floor_score,
            "tpir": _rate(result.tpir_at_floor),
            "fpir": _rate(result.fpir_at_floor),
        },
        "rank1": result.rank1.value,
        "rank1_interval": [result.rank1.low, result.rank1.high],
        "cmc": result.cmc,
        "det": [asdict(point) for point in result.det],
        "groups": [
            {
                "group": dict(zip(row.columns, row.values, strict=True)),
                "tpir": _rate(row.tpir),
                "fpir": _rate(row.fpir),
                "fta": row.fta,
            }
            for row in result.groups
        ],
        "search_loss": None,
        "calibration": calibration
        and {
            "model": calibration.model,
            "fingerprint": calibration.fingerprint,
            "data": calibration.data.name,
            "made": calibration.made,
            "smallest_fmr": calibration.smallest_fmr,
        },
        "fitted": result.fitted
        and {
            "comparisons": result.fitted.data.comparisons,
            "smallest_fmr": result.fitted.smallest_fmr,
            "largest_impostor": result.fitted.largest_impostor,
            "cosine_at_0.60": result.fitted.cosine(0.60),
        },
        "failures": [{"image": image, "reason": reason} for image, reason in result.failures],
        "warnings": result.warnings,
        "audit": result.head and {"size": result.head.size, "root": result.head.root},
    }


def _rate(rate: Rate | None) -> dict[str, Any] | None:
    return None if rate is None else asdict(rate)


def pictures(result: Evaluation) -> list[RenderableType]:
    """The table a tester reads."""
    probes = result.probes
    numbers = ("FPIR", "TPIR", "95 % interval", "Threshold (score)")
    rows = table(*numbers, "How", right=numbers)
    for point in result.points:
        value, low, high = point["tpir"], point["tpir_low"], point["tpir_high"]
        cosine, score = point["threshold_cosine"], point["threshold_score"]
        rows.add_row(
            f"{point['fpir']:.2%}" if point["fpir"] >= 0.001 else f"1 in {1 / point['fpir']:,.0f}",
            "–" if value is None else f"{value:.1%}",
            "–" if low is None or high is None else f"{low:.1%} … {high:.1%}",
            "–" if cosine is None else f"{cosine:.3f}" + (f" ({score:.2f})" if score else ""),
            point["method"].replace("_", " "),
        )
    lines: list[RenderableType] = [
        plain(
            f"{result.references:,} references of {result.subjects:,} subjects, "
            f"{probes.mated_count:,} mated and {probes.nonmated_count:,} non-mated probes."
        ),
        plain(
            f"Failures to enrol: {result.fte}, to acquire: {probes.failures_to_acquire} "
            "(both count as misses)."
        ),
        plain(_FACES[str(result.faces)]),
        plain(f"Rank 1: {_words(result.rank1)}"),
        rows,
    ]
    if result.tpir_at_floor and result.fpir_at_floor:
        lines.append(
            plain(
                f"At score {result.floor_score:.2f}: TPIR {_words(result.tpir_at_floor)}; "
                f"FPIR {_words(result.fpir_at_floor)}"
            )
        )
    lines += _groups(result)
    lines += [plain(f"Note: {text}", "yellow") for text in result.warnings]
    if result.fitted:
        fitted = result.fitted
        lines.append(
            plain(
                f"Calibration fitted to {fitted.data.comparisons:,} comparisons: score 0.60 at "
                f"cosine {fitted.cosine(0.60):.3f}, measured down to FMR {fitted.smallest_fmr:.1e}."
            )
        )
    return lines


def _words(rate: Rate) -> str:
    if rate.value is None:
        return "nothing to count"
    # Never a bare 0 % or 100 %: only the bound says what that means with so few cases.
    if rate.cases == 0:
        return f"at most {rate.high:.2%} (0 of {rate.of:,})"
    if rate.cases == rate.of:
        return f"at least {rate.low:.2%} ({rate.cases:,} of {rate.of:,})"
    return f"{rate.value:.2%} ({rate.cases:,} of {rate.of:,}; {rate.low:.2%} … {rate.high:.2%})"


def _groups(result: Evaluation) -> list[RenderableType]:
    if not result.groups:
        return []
    rows = table("Group", "TPIR", "FPIR", "FTA")
    for row in result.groups:
        rows.add_row(
            plain(" · ".join(row.values)), _words(row.tpir), _words(row.fpir), str(row.fta)
        )
    return [
        plain(f"By group, at score {result.floor_score:.2f}:"),
        rows,
        plain("Overlapping intervals are not proof of equal rates: small groups show little."),
    ]
