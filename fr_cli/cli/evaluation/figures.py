"""The charts of a report: DET with its band, CMC, scores, FPIR by N, quality, and groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fr_cli.cli.evaluation.chart import Axis, Chart, Forest, Row
from fr_cli.cli.evaluation.words import words

if TYPE_CHECKING:
    from fr_cli.evaluation.groups import GroupStudy
    from fr_cli.evaluation.intervals import Rate
    from fr_cli.operations.evaluate import Evaluation
    from fr_cli.operations.measures import Measures

#: Points of the DET whose band is worked out.
DET_POINTS = 24
#: More groups than this do not fit a page.
MOST_GROUPS = 40


def figures(result: Evaluation) -> list[tuple[str, Chart]]:
    """Every chart that the data gives, with its caption."""
    rates = result.measures
    drawn = (_det(rates), _cmc(rates), _scores(rates), _by_n(rates), _quality(rates))
    return [one for one in drawn if one is not None]


def forests(study: GroupStudy, title: str) -> list[Forest]:
    """FPIR and FNIR of each group below each other."""
    drawn = []
    for name, rates in (
        ("False candidates (FPIR)", [(row.group, row.fpir) for row in study.rows]),
        ("Missed (FNIR)", [(row.group, _complement(row.tpir)) for row in study.rows]),
    ):
        seen = [(group, rate) for group, rate in rates if rate.value is not None][:MOST_GROUPS]
        if len(seen) < 2:
            continue
        highest = max(rate.high for _, rate in seen)
        axis = Axis(name, 0.0, min(max(highest * 1.02, 0.001), 1.0))
        rows = [
            Row(
                " · ".join(group), rate.value, rate.low, rate.high, f"{rate.cases:,} of {rate.of:,}"
            )
            for group, rate in seen
        ]
        said = "; ".join(
            f"{row.name} {words(rate)}" for row, (_, rate) in zip(rows, seen, strict=True)
        )
        drawn.append(Forest(rows, axis, f"{name} {title}: {said}"))
    return drawn


def _complement(rate: Rate) -> Rate:
    from fr_cli.evaluation.intervals import Rate

    value = None if rate.value is None else 1.0 - rate.value
    return Rate(
        value, 1.0 - rate.high, 1.0 - rate.low, rate.of - rate.cases, rate.of, rate.interval
    )


def _det(rates: Measures) -> tuple[str, Chart] | None:
    from fr_cli.evaluation.rates import tpir

    curve = [point for point in rates.det if point.fpir > 0 and point.fnir > 0]
    if len(curve) < 2:
        return None
    step = max(1, len(curve) // DET_POINTS)
    band = [(point.fpir, _complement(tpir(rates.probes, point.threshold_cosine)))
            for point in [*curve[::step], curve[-1]]]  # fmt: skip
    least = 0.5 / max(rates.probes.mated_count, 1)
    chart = Chart(
        Axis(f"FPIR ({rates.probes.nonmated_count:,} non-mated probes)",
             _down(min(1e-4, curve[0].fpir)), 1.0, log=True),
        Axis("FNIR", _down(max(least, min(rate.low for _, rate in band) or least)), 1.0, log=True),
        "Detection error trade-off: " + "; ".join(
            f"at FPIR {fpir:.3%} FNIR {rate.value:.2%}"
            for fpir, rate in band[:: max(1, len(band) // 5)]
        ),
    )  # fmt: skip
    chart.band([(x, rate.low) for x, rate in band], [(x, rate.high) for x, rate in band], "blue",
               "95 %, threshold fixed")  # fmt: skip
    chart.line([(p.fpir, p.fnir) for p in curve], "blue", "counted", steps=True)
    for point in rates.points:
        low, high, value = point["tpir_low"], point["tpir_high"], point["tpir"]
        if point["method"] == "extrapolated" and None not in (low, high, value):
            assert low is not None
            assert high is not None
            assert value is not None
            chart.dot(point["fpir"], 1 - value, "red", (1 - high, 1 - low), hollow=True)
    caption = (
        "Detection error trade-off: missed people against false candidates, as the threshold "
        "moves. Hollow red: extrapolated, with the interval of the threshold."
    )
    return caption, chart


def _cmc(rates: Measures) -> tuple[str, Chart] | None:
    if not rates.cmc:
        return None
    low = max(0.0, min(rates.cmc) - 0.05)
    chart = Chart(
        Axis("rank", 1, max(len(rates.cmc), 2), percent=False),
        Axis("mated probes found up to it", low, 1.0),
        f"Cumulative match: {rates.cmc[0]:.2%} at rank 1, {rates.cmc[-1]:.2%} at rank "
        f"{len(rates.cmc)}.",
    )
    chart.line([(rank + 1.0, share) for rank, share in enumerate(rates.cmc)], "blue", "found")
    return (
        "Cumulative match: how many are found among the first candidates, at no threshold.",
        chart,
    )


def _scores(rates: Measures) -> tuple[str, Chart] | None:
    counts = rates.histograms
    if counts is None or not sum(counts.mated) or not sum(counts.nonmated):
        return None
    bins = len(counts.mated)
    width = (counts.high - counts.low) / bins
    edges = [counts.low + place * width for place in range(bins + 1)]
    used = [k for k in range(bins) if counts.mated[k] or counts.nonmated[k]]
    density = [[c / sum(kind) / width for c in kind] for kind in (counts.nonmated, counts.mated)]
    chart = Chart(
        Axis("comparison score (cosine)", edges[used[0]], edges[used[-1] + 1], percent=False),
        Axis("density", 0.0, max(max(kind) for kind in density) * 1.05, percent=False),
        f"Scores of {sum(counts.nonmated):,} comparisons of different people and of "
        f"{sum(counts.mated):,} of one person.",
    )
    chart.bars(edges, density[0], "red", f"different people ({sum(counts.nonmated):,})")
    chart.bars(edges, density[1], "blue", f"one person ({sum(counts.mated):,})")
    if rates.calibration:
        cosine = rates.calibration.cosine(rates.floor_score)
        chart.mark(cosine, f"score {rates.floor_score:.2f}")
    return "Scores, one to one, with the threshold in use.", chart


def _by_n(rates: Measures) -> tuple[str, Chart] | None:
    rows = rates.fpir_by_n
    if not rows:
        return None
    sizes = [row.references for row in rows]
    seen = [r.fpir.value for r in rows if r.fpir and r.fpir.value > 0]
    least = min([row.forecast_low for row in rows if row.forecast_low > 0] + seen)
    chart = Chart(
        Axis("references in the gallery (N)", min(sizes), max(sizes), log=True, percent=False),
        Axis("FPIR", _down(max(least, 1e-8)), 1.0, log=True),
        "FPIR by size of gallery: "
        + "; ".join(f"{r.references:,} references, forecast {r.forecast:.2e}" for r in rows[:7]),
    )
    scores = list(dict.fromkeys(row.threshold_score for row in rows))
    for colour, score in zip(("blue", "red", "grey"), scores, strict=False):
        those = [row for row in rows if row.threshold_score == score]
        chart.band([(r.references, max(r.forecast_low, 1e-12)) for r in those],
                   [(r.references, r.forecast_high) for r in those], colour)  # fmt: skip
        chart.line(
            [(r.references, r.forecast) for r in those], colour, f"forecast, score {score:.2f}"
        )
        for row in those:
            if row.fpir and row.fpir.value > 0:
                rate = row.fpir
                chart.dot(row.references, rate.value, colour, (max(rate.low, 1e-12), rate.high))
    return (
        "False candidates by size of gallery. Dots: measured. Lines: the calibration's forecast.",
        chart,
    )


def _quality(rates: Measures) -> tuple[str, Chart] | None:
    if not rates.quality:
        return None
    curve = rates.quality[0]
    points = [
        (one.share, one.fnir.value, one.fnir.low, one.fnir.high)
        for one in curve.points
        if one.fnir.value is not None
    ]
    if len(points) < 2:
        return None
    if not any(value for _, value, *_ in points):
        return None  # nobody was missed, so there is nothing that quality could explain
    highest = max(high for *_, high in points)
    chart = Chart(
        Axis("share of mated probes refused, poorest first", 0.0, max(x for x, *_ in points)),
        Axis("FNIR of the rest", 0.0, max(highest * 1.1, 0.01)),
        "Error against discarded quality: "
        + "; ".join(f"{x:.0%} refused, FNIR {value:.2%}" for x, value, *_ in points),
    )
    chart.band([(x, low) for x, _, low, _ in points], [(x, high) for x, *_, high in points], "blue",
               "95 %")  # fmt: skip
    chart.line([(x, value) for x, value, *_ in points], "blue", curve.measure)
    return "Misses when the photos of poorest quality are not searched.", chart


def _down(value: float) -> float:
    """The power of ten at or below."""
    import math

    return float(10.0 ** math.floor(math.log10(value) + 1e-9))
