"""The rates of each group of people, by columns that the manifest's author recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fr_cli.operations.labelled import Sample

if TYPE_CHECKING:
    from fr_cli.evaluation.intervals import Rate
    from fr_cli.evaluation.rates import Probes


@dataclass(frozen=True)
class GroupRates:
    """One group's rates at the policy's floor score."""

    columns: tuple[str, ...]
    values: tuple[str, ...]
    tpir: Rate
    fpir: Rate
    fta: int


def groups(
    columns: tuple[str, ...], samples: Sequence[Sample], probes: Probes, cosine: float | None
) -> Iterator[GroupRates]:
    """The rates of each group that the columns make together; `samples` are the probes' photos."""
    import numpy as np

    from fr_cli.evaluation import protocol, rates

    if not columns or cosine is None:
        return
    labels = [tuple(s.columns.get(name, "") for name in columns) for s in samples]
    for values in sorted(set(labels)):
        part = protocol.part(probes, np.array([label == values for label in labels]))
        yield GroupRates(
            columns, values, rates.tpir(part, cosine), rates.fpir(part, cosine),
            part.failures_to_acquire,
        )  # fmt: skip
