"""Two evaluations of the same photos: which system errs less, and for whom."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fr_cli.errors import UsageProblem
from fr_cli.operations.bench import Bench
from fr_cli.operations.record import Record, read_record
from fr_cli.records import Head

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fr_cli.evaluation.labels import Grouping
    from fr_cli.evaluation.paired import Paired
    from fr_cli.evaluation.rates import Probes


@dataclass(frozen=True)
class Compared:
    """Two records by name, their common probes, and every rate that both can show.

    `left_out` are probes that only one of the records has.
    """

    a: str
    b: str
    probes: int
    left_out: int
    rows: list[Paired]
    warnings: list[str]
    head: Head | None = None


def compare(first: Path, second: Path, bench: Bench) -> Compared:
    """Compare two records probe by probe. An act of its own in the log.

    Raises UsageProblem for a file that is no record, or two that have no probe in common or
    contradict each other about one.
    """
    from fr_cli.evaluation import paired
    from fr_cli.evaluation.labels import grouping

    a, b = read_record(first), read_record(second)
    data = hashlib.sha256(first.read_bytes() + second.read_bytes()).hexdigest()
    with bench.act("evaluate", "combination", data=data, compare=True) as act:
        rows_a, rows_b = _common(a, b)
        left, right = _part(a.probes, rows_a), _part(b.probes, rows_b)
        labels = {name: [values[row] for row in rows_a] for name, values in a.labels.items()}
        table = [dict(zip(labels, row, strict=True)) for row in zip(*labels.values(), strict=True)]
        alone: list[Grouping] = [grouping((name,), table) for name in labels]
        own = None if a.threshold is None or b.threshold is None else (a.threshold, b.threshold)
        try:
            rows = paired.compare(left, right, own, alone)
        except ValueError as trouble:
            raise UsageProblem(
                f"{trouble}.".capitalize(),
                hint="Evaluate both on one manifest, with the same references.",
            ) from trouble
        better = {"a": 0, "b": 0, "neither": 0}
        for row in rows:
            better[row.better] += 1
        act.decide(probes=len(rows_a), **better)
    return Compared(
        a=a.name,
        b=b.name,
        probes=len(rows_a),
        left_out=len(a.images) + len(b.images) - 2 * len(rows_a),
        rows=rows,
        warnings=[*_incomparable(a, b), *(text for one in alone for text in one.problems)],
        head=act.head,
    )


def _incomparable(a: Record, b: Record) -> Iterator[str]:
    without = [one.name for one in (a, b) if one.threshold is None]
    if without:
        yield (
            f"{' and '.join(without)}: there is no calibration, so no threshold in use could be "
            "compared."
        )


def _common(a: Record, b: Record) -> tuple[list[int], list[int]]:
    """The rows of the probes that both have, in the order of the first."""
    for one in (a, b):
        if len(set(one.images)) < len(one.images):
            raise UsageProblem(f"{one.name} has a photo twice, so probes cannot be told apart.")
    places = {image: row for row, image in enumerate(b.images)}
    common = [(row, places[image]) for row, image in enumerate(a.images) if image in places]
    if not common:
        raise UsageProblem(
            "The two records have no probe in common.", hint="Evaluate both on one manifest."
        )
    return [row for row, _ in common], [row for _, row in common]


def _part(probes: Probes, rows: list[int]) -> Probes:
    import numpy as np

    from fr_cli.evaluation.rates import Probes

    places: NDArray[np.intp] = np.array(rows, np.intp)
    names = ("mated", "acquired", "nonmate", "mate", "rank", "subjects")
    return Probes(*(getattr(probes, name)[places] for name in names))
