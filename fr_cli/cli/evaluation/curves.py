"""The curves of an evaluation as CSV tables, one file a curve."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def tables(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The name and the text of each file, made of the JSON document; only of what was measured."""
    yield from _table("points.csv", document["points"])
    yield from _table("det.csv", document["det"])
    ranks = [{"rank": rank, "tpir": share} for rank, share in enumerate(document["cmc"], start=1)]
    yield from _table("cmc.csv", ranks)
    if document["verification"]:
        yield from _table("fmr.csv", document["verification"]["curve"])
    if document["histograms"]:
        yield from _table("histogram.csv", _bins(document["histograms"]))
    quality = [
        {"measure": curve["measure"], "share": point["share"], "below": point["below"],
         **_rate("fnir", point["fnir"])}
        for curve in document["quality"] for point in curve["points"]
    ]  # fmt: skip
    yield from _table("quality.csv", quality)
    sizes = [{**row, "fpir": None, **_rate("fpir", row["fpir"])} for row in document["fpir_by_n"]]
    yield from _table("fpir-by-n.csv", sizes)


def _rate(name: str, rate: Mapping[str, Any] | None) -> dict[str, Any]:
    if rate is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: rate["value"], f"{name}_low": rate["low"], f"{name}_high": rate["high"]}


def _bins(counts: Mapping[str, Any]) -> list[dict[str, Any]]:
    low, width = counts["low"], (counts["high"] - counts["low"]) / len(counts["mated"])
    both = zip(counts["mated"], counts["nonmated"], strict=True)
    return [
        {"from": low + place * width, "mated": mated, "nonmated": nonmated}
        for place, (mated, nonmated) in enumerate(both)
    ]


def _table(name: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    if rows:
        file = io.StringIO()
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        yield name, file.getvalue()
