"""Groups of people, and the targets of --require, as JSON and as a tester reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fr_cli.cli.evaluation.words import words
from fr_cli.cli.output import plain, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fr_cli.evaluation.equality import Against
    from fr_cli.evaluation.groups import Comparison, GroupRow, GroupStudy
    from fr_cli.operations.evaluate import Evaluation
    from fr_cli.operations.groups import Groups
    from fr_cli.operations.required import Required

#: Rows of a table on a terminal; the document has them all.
MOST_ROWS = 20


def rows(found: Groups) -> list[dict[str, Any]]:
    """The key `groups`: every group at the threshold in use, or else at the loose one."""
    if not found.thresholds:
        return []
    threshold = found.thresholds[0]
    return [
        {
            "group": dict(zip(study.columns, row.group, strict=True)),
            "at": threshold.at,
            "people": row.people,
            "tpir": asdict(row.tpir),
            "fpir": asdict(row.fpir),
            "fta": row.fta.cases,
            "fta_rate": asdict(row.fta),
            "fte_rate": asdict(row.fte),
            "refused_rate": asdict(row.refused),
            "mate_shift": row.mate_shift and asdict(row.mate_shift),
            "nonmate_shift": row.nonmate_shift and asdict(row.nonmate_shift),
        }
        for study in found.at(threshold)
        for row in study.rows
    ]


def studies(found: Groups) -> list[dict[str, Any]]:
    """The key `group_studies`: every way of grouping at every threshold."""
    names = {one.value: one.at for one in found.thresholds}
    return [
        {
            "columns": list(study.columns),
            "at": names.get(study.threshold),
            "threshold_cosine": study.threshold,
            "comparisons": [_comparison(one) for one in study.comparisons],
            "garbe": study.garbe,
            "fdr": study.fdr,
            "problems": list(study.problems),
        }
        for study in found.studies
    ]


def _comparison(one: Comparison) -> dict[str, Any]:
    judged = one.judgement
    return {
        "rate": one.rate,
        "verdict": judged.verdict,
        "sentence": judged.sentence,
        "test": judged.test,
        "detectable_ratio": judged.detectable,
        "against_others": [_against(group) for group in judged.groups],
        "too_small": [{"group": row.name, "people": row.people} for row in judged.too_small],
        "max_min": asdict(one.max_min),
        "max_geomean": asdict(one.max_geomean),
        "gini": one.gini,
        "gini_corrected": one.gini_corrected,
    }


def _against(group: Against) -> dict[str, Any]:
    return {
        "group": group.tally.name,
        "people": group.tally.people,
        "rate": asdict(group.tally.rate),
        "design_effect": group.tally.effect,
        "p": group.p,
        "p_holm": group.p_holm,
        "detectable_ratio": group.detectable,
    }


def matches(found: Groups) -> list[dict[str, Any]]:
    """The key `group_fmr`: false match rates within and across groups."""
    return [
        {
            "columns": list(columns),
            "threshold_cosine": one.cosine,
            "pooled": asdict(one.pooled),
            "cells": [asdict(cell) for cell in one.cells],
        }
        for columns, one in found.matches
    ]


def required(result: Evaluation) -> dict[str, Any] | None:
    """The key `required`: each target with its verdict, and what is in force since."""
    held, force = result.required, result.in_force
    if held is None:
        return None
    return {
        "passed": held.passed,
        "targets": held.sha256,
        "checks": [asdict(check) for check in held.checks],
        "in_force": force
        and {
            "sha256": force.sha256,
            "until": force.until.isoformat(),
            "references": force.references,
            "score": force.score,
            "fpir": force.fpir,
        },
    }


def pictures(found: Groups) -> Iterator[RenderableType]:
    """A table a way of grouping, then what it shows in a sentence a rate and threshold."""
    for place, threshold in enumerate(found.thresholds):
        for study in found.at(threshold):
            by = " and ".join(study.columns)
            if place == 0:
                yield plain(f"By {by}, at {threshold.at}:")
                yield _table(study)
            yield from _said(study, threshold.at, whole=place == 0)
    yield from _matches(found)
    said: set[str] = set()
    for study in found.studies:
        for problem in study.problems:
            if problem not in said:
                said.add(problem)
                yield plain(f"Note: {problem}", "yellow")


def _table(study: GroupStudy) -> RenderableType:
    drawn = table("Group", "People", "TPIR", "FPIR", "FTA", right=("People", "FTA"))
    for row in study.rows:
        drawn.add_row(*_cells(row))
    return drawn


def _cells(row: GroupRow) -> list[RenderableType]:
    return [
        plain(" · ".join(row.group)), plain(f"{row.people:,}"), plain(words(row.tpir)),
        plain(words(row.fpir)), plain(str(row.fta.cases)),
    ]  # fmt: skip


def _said(study: GroupStudy, at: str, *, whole: bool) -> Iterator[RenderableType]:
    """The sentences of FPIR and FNIR; of the failures only where they differ."""
    for one in study.comparisons:
        judged = one.judgement
        failures = one.rate in ("fta", "fte")
        if failures and (not whole or judged.verdict != "differs"):
            continue
        style = "bold red" if judged.verdict == "differs" else ""
        yield plain(f"At {at}: {judged.sentence}", style)
        ratio = one.max_min
        if ratio.value is not None and not failures:
            high = "no upper limit" if ratio.high is None else f"up to {ratio.high:.3g}"
            gini = "" if one.gini is None else f", Gini {one.gini:.2f}"
            mean = one.max_geomean.value or 1.0
            yield plain(
                f"  Highest to lowest: {ratio.value:.3g} ({high}), to the geometric mean "
                f"{mean:.3g}{gini}.",
                "dim",
            )


def _matches(found: Groups) -> Iterator[RenderableType]:
    """False match rates within each group, at the strictest cosine that enough pairs reach."""
    strictest = {columns: one for columns, one in found.matches if one.telling}
    for columns, one in strictest.items():
        within = [cell for cell in one.cells if cell.one == cell.other]
        if len(within) > MOST_ROWS:
            continue
        yield plain(
            f"Comparisons of different people at cosine {one.cosine:.3f} (pooled FMR "
            f"{one.pooled.value:.1e}), by {' and '.join(columns)}:"
        )
        drawn = table("Within", "People", "FMR", "95 % interval", "× pooled",
                      right=("People", "FMR", "× pooled"))  # fmt: skip
        for cell in within:
            rate, pooled = cell.rate, one.pooled.value or 1.0
            if rate.value is None:
                continue
            drawn.add_row(
                plain(cell.one), f"{cell.people:,}",
                f"{rate.value:.1e}" if rate.cases else f"≤ {rate.high:.1e}",
                f"{rate.low:.1e} … {rate.high:.1e}",
                f"{rate.value / pooled:.2g}" if rate.cases else "–",
            )  # fmt: skip
        yield drawn


def gate(result: Evaluation) -> Iterator[RenderableType]:
    """The targets one by one, and what became of the evaluation."""
    held = result.required
    if held is None:
        return
    drawn = table("Target", "", "Found", "Short of it")
    for check in held.checks:
        colour = {"met": "green", "missed": "bold red"}.get(check.verdict, "bold yellow")
        parts = (check.target, check.verdict, check.found, check.short)
        drawn.add_row(*(plain(text, colour * (place == 1)) for place, text in enumerate(parts)))
    yield drawn
    force = result.in_force
    if force:
        yield plain(
            f"In force until {force.until.isoformat()} for up to {force.references:,} references, "
            f"from score {force.score:.2f} on. It is measured, signed and in the log; whether the "
            "system may be used is not for it to say.",
            "bold green",
        )


def missed(held: Required) -> str:
    """What was not reached, for the error of exit 40."""
    missed_, open_ = ([c.target for c in held.short if c.verdict == verdict]
                      for verdict in ("missed", "undecided"))  # fmt: skip
    parts = []
    if missed_:
        parts.append(f"{len(missed_)} missed: {'; '.join(missed_)}")
    if open_:
        parts.append(f"{len(open_)} not decided by the data: {'; '.join(open_)}")
    return f"{len(held.short)} of {len(held.checks)} targets are not reached. {'. '.join(parts)}."
