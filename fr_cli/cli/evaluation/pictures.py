"""An evaluation as a tester reads it on a terminal: the checks first, then the rates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fr_cli.cli.evaluation import groups
from fr_cli.cli.evaluation.words import share, target, words
from fr_cli.cli.output import plain, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fr_cli.evaluation.holdout import HeldOut
    from fr_cli.evaluation.repeated import Repeated
    from fr_cli.evaluation.verification import Verification
    from fr_cli.operations.evaluate import Evaluation
    from fr_cli.operations.measures import Measures
    from fr_cli.operations.search_loss import SearchLoss

#: Pairs that are named here; all are in the JSON document, and in the page of --pairs.
FIRST = 5
_FACES = {
    "central": "Of photos with several faces the one nearest to the middle was taken (--faces).",
    "largest": "Of photos with several faces the largest one was taken (--faces).",
    "single": "Photos with several faces were refused, as a search does.",
}


def pictures(result: Evaluation) -> Iterator[RenderableType]:
    """The lines and tables, in the order in which they should be read."""
    trial, rates = result.trial, result.measures
    probes = rates.probes
    if trial.protocol == "verification":
        yield plain(f"{trial.references:,} photos of {trial.subjects:,} subjects, 1:1.")
    else:
        yield plain(
            f"{trial.references:,} references of {trial.subjects:,} subjects, "
            f"{probes.mated_count:,} mated and {probes.nonmated_count:,} non-mated probes."
        )
    if len(trial.draws) > 1:
        yield plain(
            f"{len(trial.draws)} galleries of {result.study.gallery_size:,} subjects were drawn; "
            "each probe counts once in each."
        )
    yield plain(
        f"Failures to enrol: {trial.fte}, to acquire: {probes.failures_to_acquire} "
        "(both count as misses)."
    )
    if trial.cosines:
        yield plain(_FACES[str(result.study.face)])
    yield from _doubts(result)
    if probes.mated.size:
        yield from _identification(rates)
        yield from groups.pictures(result.groups)
    if rates.verification:
        yield from _verification(rates.verification)
    yield from _meaning(rates)
    if rates.draws:
        yield from _drawn(rates.draws)
    if result.search_loss:
        yield from _loss(result.search_loss)
    yield from (plain(f"Note: {text}", "yellow") for text in result.warnings)
    yield from groups.gate(result)
    if result.holdout:
        yield from _holdout(result.holdout)
    if result.fitted:
        fitted = result.fitted
        yield plain(
            f"Calibration fitted to {fitted.data.comparisons:,} comparisons: score 0.60 at "
            f"cosine {fitted.cosine(0.60):.3f}, measured down to FMR {fitted.smallest_fmr:.1e}."
        )


def _doubts(result: Evaluation) -> Iterator[RenderableType]:
    found = result.doubts
    if not found.total:
        return
    yield plain(f"Labels that look wrong: {found.total}. Look at them before you trust a rate.")
    rows = table("", "Subject", "Photo", "Subject", "Photo", "Cosine", right=("Cosine",))
    for one in found.pairs[:FIRST]:
        words = (one.reason, one.subject_a, one.image_a, one.subject_b, one.image_b)
        rows.add_row(*(plain(word) for word in words), f"{one.cosine:.3f}")
    yield rows
    if found.total > FIRST:
        yield plain("The others: --json, or side by side: --pairs FILE.html", "dim")


def _identification(rates: Measures) -> Iterator[RenderableType]:
    from fr_cli.decision.answer import one_in

    yield plain(f"Rank 1: {words(rates.rank1)}")
    numbers = ("FPIR", "TPIR", "95 % interval", "Threshold (score)")
    rows = table(*numbers, "How", right=numbers)
    for point in rates.points:
        rows.add_row(
            target(point["fpir"]),
            share(point["tpir"], point["tpir_low"], point["tpir_high"]),
            _interval(point["tpir_low"], point["tpir_high"]),
            _threshold(point["threshold_cosine"], point["threshold_score"]),
            point["method"].replace("_", " "),
        )
    yield rows
    if rates.at_floor:
        yield plain(
            f"At score {rates.floor_score:.2f}: TPIR {words(rates.at_floor.tpir)}; "
            f"FPIR {words(rates.at_floor.fpir)}"
        )
    for row in rates.at_scores:
        if row.score == rates.floor_score and row.method == "extrapolated":
            yield plain(
                f"  Expected there of so many references: FPIR {one_in(row.forecast)} "
                f"({one_in(row.forecast_high)} … {one_in(row.forecast_low)}), extrapolated."
            )
    gate = rates.gate
    if gate and (gate.refused_references or gate.refused_probes):
        yield plain(
            f"Without the quality gate ({gate.refused_references} references and "
            f"{gate.refused_probes} probes were below it): TPIR {words(gate.off.tpir)}; "
            f"FPIR {words(gate.off.fpir)}"
        )
    kin = rates.without_kin
    if kin:
        without = ", ".join(
            f"{share(point['tpir'], point['tpir_low'], point['tpir_high'])} at FPIR "
            f"{target(point['fpir'])}"
            for point in kin.points
            if point["method"] == "empirical"
        )
        yield plain(
            f"Without comparing kin ({kin.pairs} pairs): TPIR {without or 'not measurable'}; "
            f"at the floor, FPIR {words(kin.at_floor.fpir)}"
        )


def _verification(pairs: Verification) -> Iterator[RenderableType]:
    yield plain(
        f"1:1, {pairs.mated:,} mated and {pairs.nonmated:,} non-mated comparisons of "
        f"{pairs.subject_pairs:,} pairs of people:"
    )
    if all(point.method == "not_measurable" for point in pairs.points):
        yield plain("  too few for any rate.")
        return
    numbers = ("FMR", "FNMR", "95 % interval", "Threshold (score)")
    rows = table(*numbers, "How", right=numbers)
    for point in pairs.points:
        found = point.fnmr
        rows.add_row(
            target(point.fmr),
            share(found.value, found.low, found.high) if found else "–",
            _interval(found.low, found.high) if found else "–",
            _threshold(point.threshold_cosine, point.threshold_score),
            point.method.replace("_", " "),
        )
    yield rows
    if pairs.eer:
        yield plain(
            f"Equal error rate: {pairs.eer.value:.2%} at {pairs.eer.threshold_cosine:.3f}. No "
            "threshold of use lies there."
        )


def _meaning(rates: Measures) -> Iterator[RenderableType]:
    """What the other measures say in a sentence each; their numbers are in the document."""
    ratio = rates.likelihood_ratio
    if ratio:
        yield plain(
            f"Cllr {_bits(ratio.cllr)} bits, least {_bits(ratio.cllr_min)} "
            "(0 tells all, 1 nothing)."
        )
    if rates.growth:
        held = sum(row.holds for row in rates.growth)
        ratios = [row.ratio for row in rates.growth]
        yield plain(
            f"FPIR forecast from a tenth of the gallery, measured in the whole: {min(ratios):.2f} "
            f"to {max(ratios):.2f} times the forecast ({held} of {len(ratios)} within 1.5 ×)."
        )
    for curve in rates.quality[:1]:
        start, end = curve.points[0], curve.points[-1]
        if not start.fnir.cases:
            continue  # nothing that quality could explain
        yield plain(
            f"Refusing the {end.share:.0%} of mated probes of lowest quality: FNIR "
            f"{words(start.fnir)} → {words(end.fnir)}"
        )
    for band in rates.ageing:
        span = f"{band.years:.0f} years or more"
        if band.to is not None:
            span = f"{band.years:.0f} to {band.to:.0f} years"
        yield plain(
            f"{span} between photos: FNMR {words(band.fnmr)}, median {band.median_cosine:.3f}"
        )


def _drawn(draws: Repeated) -> Iterator[RenderableType]:
    """How much the rates hang on who is in the gallery."""
    spreads = [("Rank 1", draws.rank1), ("TPIR at the floor", draws.tpir_at_floor),
               ("FPIR at the floor", draws.fpir_at_floor)]  # fmt: skip
    spreads += [(f"TPIR at FPIR {target(row.fpir)}", row.tpir) for row in draws.targets]
    numbers = ("Mean", "Standard deviation", "Least", "Most")
    rows = table(f"In {draws.galleries} galleries", *numbers, right=numbers)
    for name, spread in spreads:
        if spread is not None:
            values = (spread.mean, spread.sd, spread.lowest, spread.highest)
            # Not a bare 0 %: what was never seen has no spread to show.
            cells = ["none seen"] if not spread.highest else [
                "–" if one is None else f"{one:.2%}" for one in values
            ]  # fmt: skip
            rows.add_row(name, *cells)
    yield rows
    yield plain("This spread is no confidence interval: the galleries share people.")


def _loss(loss: SearchLoss) -> Iterator[RenderableType]:
    recall = ", ".join(f"{one.share:.4f} at {one.k}" for one in loss.recall)
    times = "; ".join(
        f"{name} {fast.p50_ms:.2f} ms at the median, {fast.p99_ms:.2f} at p99"
        for name, fast in ((loss.engine, loss.approximate), ("exact", loss.exact))
    )
    yield plain(
        f"Engine {loss.engine} beside exact, {loss.searches:,} searches of {loss.references:,} "
        f"references: recall {recall}; {times}."
    )
    for row in loss.lost:
        yield plain(
            f"  At cosine {row.threshold_cosine:.3f}: {row.missed - row.missed_exact} more of "
            f"{row.mated:,} mates missed."
        )


def _holdout(held: list[HeldOut]) -> Iterator[RenderableType]:
    yield plain("Fitted to half of the people, counted on the other half:")
    numbers = ("Predicted FMR", "Observed FMR", "95 % interval", "Observed / predicted")
    rows = table(*numbers, "", right=numbers)
    for row in held:
        seen = row.observed
        if seen is None or row.ratio is None:
            low, high = f"{row.predicted_low:.1e}", f"{row.predicted_high:.1e}"
            rows.add_row(f"{row.predicted:.2e}", "–", f"{low} … {high}", "–", "extrapolated")
            continue
        rows.add_row(
            f"{row.predicted:.2e}",
            f"{seen.value:.2e}",
            f"{seen.low:.1e} … {seen.high:.1e}",
            f"{row.ratio:.2f} ({row.ratio_low:.2f} … {row.ratio_high:.2f})",
            "holds" if row.holds else "does not hold",
        )
    yield rows


def _bits(cost: float) -> str:
    return f"{cost:.3f}" if cost >= 0.001 else "< 0.001"


def _interval(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{low:.1%} … {high:.1%}"


def _threshold(cosine: float | None, score: float | None) -> str:
    if cosine is None:
        return "–"
    return f"{cosine:.3f}" + (f" ({score:.2f})" if score is not None else "")
