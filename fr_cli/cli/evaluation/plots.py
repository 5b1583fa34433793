"""The curves of an evaluation as pictures, PNG and SVG; needs the extra `plots` (matplotlib)."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fr_cli.errors import ConfigurationError

_BLUE, _RED, _GREY = "#33658a", "#b3261e", "#8a9099"


def require() -> None:
    """ConfigurationError, before any work, if there is no matplotlib."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            "Plots need matplotlib.", hint="Install it: pip install 'fr-cli[plots]'"
        ) from None


def plots(document: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """The name and the bytes of each file, made of the JSON document; only of what was measured."""
    from matplotlib.figure import Figure

    draw: dict[str, Callable[[Any, Mapping[str, Any]], bool]] = {
        "det": _det, "cmc": _cmc, "histogram": _histogram, "quality": _quality,
        "fpir-by-n": _by_n,
    }  # fmt: skip
    for name, drawn in draw.items():
        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        axes = figure.add_subplot()
        if not drawn(axes, document):
            continue
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        for form in ("png", "svg"):
            file = io.BytesIO()
            undated = {"Date": None} if form == "svg" else {}
            figure.savefig(file, format=form, dpi=150, metadata=undated)
            yield f"{name}.{form}", file.getvalue()


def _det(axes: Any, document: Mapping[str, Any]) -> bool:
    """FNIR against FPIR where something was searched, else FNMR against FMR; log-log."""
    curve = [(p["fpir"], p["fnir"]) for p in document["det"] if p["fpir"] > 0]
    names, of = ("FPIR", "FNIR"), document["counts"]["probes_nonmated"]
    if not curve and document["verification"]:
        curve = [(p["fmr"], p["fnmr"]) for p in document["verification"]["curve"] if p["fmr"] > 0]
        names, of = ("FMR", "FNMR"), document["verification"]["nonmated"]
    if len(curve) < 2 or not any(miss for _, miss in curve):
        return False  # nothing that a logarithm could show
    least = 1.0 / max(document["counts"]["probes_mated"], 1)
    axes.step(*zip(*curve, strict=True), where="post", color=_BLUE, label="counted")
    for point in document["points"] if names[0] == "FPIR" else ():
        if point["tpir"] is None:
            continue
        miss, low, high = (1.0 - point[key] for key in ("tpir", "tpir_high", "tpir_low"))
        far = point["method"] == "extrapolated"
        axes.errorbar(
            point["fpir"], max(miss, least / 2), [[max(miss - low, 0.0)], [high - miss]],
            fmt="o", mfc="white" if far else _BLUE, color=_RED if far else _BLUE, capsize=3,
            label="extrapolated, 95 %" if far else "at a target, 95 %",
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel=f"{names[0]} ({of:,} non-mated)", ylabel=names[1],
             title="Detection error trade-off")  # fmt: skip
    _legend(axes)
    return True


def _cmc(axes: Any, document: Mapping[str, Any]) -> bool:
    shares = document["cmc"]
    if not shares:
        return False
    axes.plot(range(1, len(shares) + 1), shares, color=_BLUE, marker="o", markersize=3)
    low = min(shares)
    axes.set(xlabel="rank", ylabel="mated probes found up to it", ylim=(max(0.0, low - 0.05), 1.01),
             title=f"Cumulative match, {document['counts']['subjects']:,} subjects")  # fmt: skip
    return True


def _histogram(axes: Any, document: Mapping[str, Any]) -> bool:
    counts = document["histograms"]
    if not counts:
        return False
    width = (counts["high"] - counts["low"]) / len(counts["mated"])
    edges = [counts["low"] + place * width for place in range(len(counts["mated"]) + 1)]
    kinds = ("nonmated", _RED, "different people"), ("mated", _BLUE, "one person")
    for name, colour, label in kinds:
        total = sum(counts[name])
        if total:
            density = [count / total / width for count in counts[name]]
            axes.stairs(density, edges, fill=True, color=colour, alpha=0.45,
                        label=f"{label} ({total:,})")  # fmt: skip
    floor = _floor_cosine(document)
    if floor is not None:
        axes.axvline(floor, color=_GREY, linestyle="--", linewidth=1)
        axes.annotate(f"score {document['at_floor']['score']:.2f}", (floor, axes.get_ylim()[1]),
                      xytext=(4, -4), textcoords="offset points", va="top", fontsize=8)  # fmt: skip
    axes.set(xlabel="comparison score (cosine)", ylabel="density", title="Scores, 1:1",
             xlim=_used(counts, edges))  # fmt: skip
    axes.legend(fontsize=8, frameon=False, loc="upper left")
    return True


def _quality(axes: Any, document: Mapping[str, Any]) -> bool:
    curves = document["quality"]
    if not curves:
        return False
    whole, *others = curves
    shares = [point["share"] for point in whole["points"]]
    ends = [[point["fnir"][end] for point in whole["points"]] for end in ("low", "high")]
    axes.fill_between(shares, *ends, color=_BLUE, alpha=0.15, linewidth=0)
    # The measures that gain most by name; of the others only that they are there.
    others.sort(key=lambda curve: curve["points"][-1]["fnir"]["value"])
    for place, curve in enumerate(others):
        colour, label = (f"C{place + 1}", curve["measure"]) if place < 3 else (_GREY, "others")
        rates = [point["fnir"]["value"] for point in curve["points"]]
        axes.plot(shares, rates, color=colour, label=label, linewidth=1.2 if place < 3 else 0.5)
    rates = [point["fnir"]["value"] for point in whole["points"]]
    axes.plot(shares, rates, color=_BLUE, marker="o", label=whole["measure"], linewidth=2)
    axes.set(xlabel="share of mated probes refused, poorest first", ylabel="FNIR of the rest",
             title="Error against discarded quality", ylim=(0, None))  # fmt: skip
    _legend(axes)
    return True


def _by_n(axes: Any, document: Mapping[str, Any]) -> bool:
    rows = document["fpir_by_n"]
    if not rows:
        return False
    scores = list(dict.fromkeys(row["threshold_score"] for row in rows))
    for colour, score in zip((_RED, _BLUE, _GREY), scores, strict=False):
        those = [row for row in rows if row["threshold_score"] == score]
        sizes = [row["references"] for row in those]
        axes.plot(sizes, [row["forecast"] for row in those], color=colour, linewidth=1,
                  label=f"forecast at score {score:.2f}")  # fmt: skip
        axes.fill_between(sizes, [row["forecast_low"] for row in those],
                          [row["forecast_high"] for row in those],
                          color=colour, alpha=0.12, linewidth=0)  # fmt: skip
        seen = [row for row in those if row["fpir"] and row["fpir"]["value"] > 0]
        for row in seen:
            rate = row["fpir"]
            spread = [[rate["value"] - rate["low"]], [rate["high"] - rate["value"]]]
            axes.errorbar(row["references"], rate["value"], spread, fmt="o", color=colour,
                          markersize=4, capsize=3)  # fmt: skip
    least = min(row["forecast_low"] for row in rows)
    axes.set(xscale="log", yscale="log", xlabel="references in the gallery (N)", ylabel="FPIR",
             ylim=(least / 3, 1.5),
             title="False positives by size of gallery (dots: measured)")  # fmt: skip
    axes.legend(fontsize=8, frameon=False)
    return True


def _floor_cosine(document: Mapping[str, Any]) -> float | None:
    score = document["at_floor"]["score"]
    rows = [row["threshold_cosine"] for row in document["at_scores"] if row["score"] == score]
    return rows[0] if rows else None


def _used(counts: Mapping[str, Any], edges: list[float]) -> tuple[float, float]:
    both = zip(counts["mated"], counts["nonmated"], strict=True)
    some = [place for place, pair in enumerate(both) if any(pair)]
    return edges[some[0]], edges[some[-1] + 1]


def _legend(axes: Any) -> None:
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    axes.legend(once.values(), once.keys(), fontsize=8, frameon=False)
