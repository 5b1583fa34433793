"""What an approximate search loses: the same probes through the gallery's engines, side by side.

The engines are those of a search (gallery/search.py), over the references of the evaluation. Both
give exact cosines, so that they differ only in whom they find.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fr_cli.errors import UsageProblem
from fr_cli.operations.labelled import Enrolled
from fr_cli.operations.trial import Trial
from fr_cli.records import Listener

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fr_cli.gallery.search import Engine

#: Subjects asked for of each engine, as a search does.
COUNT = 50
RANKS = (1, 10, 50)


@dataclass(frozen=True)
class Lost:
    """Mated probes whose mate the engines missed at a threshold, out of `mated`.

    `missed_exact` and `missed` count mates that were not among COUNT subjects at or above the
    threshold (failures to acquire or to enrol among them); `fnir_loss` is their difference as
    a share: FNIR by the approximate engine less FNIR by the exact one.
    """

    threshold_cosine: float
    mated: int
    missed_exact: int
    missed: int
    fnir_loss: float


@dataclass(frozen=True)
class Recall:
    """The mean share of the exact engine's first k subjects that the approximate one gives too."""

    k: int
    share: float


@dataclass(frozen=True)
class Latency:
    """Wall time of one search in this process, without loading the engine, in milliseconds."""

    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class SearchLoss:
    """Two engines on the same references.

    Latencies are of this machine: read them against each other.
    """

    engine: str
    references: int
    searches: int
    recall: tuple[Recall, ...]
    lost: tuple[Lost, ...]
    exact: Latency
    approximate: Latency


def search_loss(trial: Trial, thresholds: Sequence[float], listener: Listener) -> SearchLoss:
    """Search every acquired probe of a trial by `exact` and by `annoy`.

    `thresholds` are cosines, those at which the trial's rates are stated. Raises UsageProblem
    for a trial that has no one gallery of the home's model, or a fusion that no search has.
    """
    enrolled = trial.enrolled
    if enrolled is None or len(trial.draws) != 1 or trial.fusion != "best":
        raise UsageProblem(
            "What a search loses shows under the protocols open-set and closed-set, with one "
            "gallery and --fusion best.",
            hint="Leave --search-loss out, or evaluate with references and probes.",
        )
    people = sorted(set(enrolled.subjects))
    place = {name: number for number, name in enumerate(people)}
    whose = [place[name] for name in enrolled.subjects]
    exact, approximate = _engines(enrolled, whose)
    probes = [
        (place.get(sample.subject, -1), sample.template.vector)
        for sample in trial.samples
        if sample.template is not None
    ]
    if not probes:
        raise UsageProblem("No probe could be used for a search.")
    runs = [
        [_search(engine, probe, enrolled.vectors, whose) for _, probe in
         listener.track(probes, f"Searching ({engine.name})", len(probes))]
        for engine in (exact, approximate)
    ]  # fmt: skip
    mated = trial.probes.mated_count
    found = [
        [one.hits.get(own, -1.0) for (own, _), one in zip(probes, run, strict=True) if own >= 0]
        for run in runs
    ]
    return SearchLoss(
        engine=approximate.name,
        references=len(whose),
        searches=len(probes),
        recall=tuple(Recall(k, _recall(runs[0], runs[1], k)) for k in RANKS),
        lost=tuple(_lost(at, mated, *found) for at in sorted(set(thresholds)) if mated),
        exact=_latency(runs[0]),
        approximate=_latency(runs[1]),
    )


def _lost(
    threshold: float, mated: int, exact: Sequence[float], approximate: Sequence[float]
) -> Lost:
    """From the mates' cosines by each engine, −1 where it did not find them."""
    missed_exact, missed = (
        mated - sum(cosine >= threshold for cosine in found) for found in (exact, approximate)
    )
    return Lost(threshold, mated, missed_exact, missed, (missed - missed_exact) / mated)


def _engines(enrolled: Enrolled, whose: Sequence[int]) -> tuple[Engine, Engine]:
    import numpy as np

    from fr_cli.gallery.approximate import with_index
    from fr_cli.gallery.generation import Packed
    from fr_cli.gallery.search import engine_for

    rows, subjects = np.arange(len(whose), dtype=np.int64), np.array(whose, np.int64)
    packed = with_index(Packed(rows, subjects, np.ascontiguousarray(enrolled.vectors)))
    return engine_for(packed, "exact"), engine_for(packed, "annoy")


@dataclass(frozen=True)
class _Found:
    """One search: the best cosine of each subject found, most alike first; and how long it took."""

    hits: dict[int, float]
    seconds: float


def _search(
    engine: Engine, probe: NDArray[np.float32], vectors: NDArray[np.float32], whose: Sequence[int]
) -> _Found:
    """As a search of the gallery does: a shortlist, exact cosines, the best of each subject."""
    began = time.perf_counter()
    near = engine.nearest(probe, COUNT, None)
    cosines = vectors[near] @ probe
    hits: dict[int, float] = {}
    for row in (-cosines).argsort(kind="stable").tolist():
        hits.setdefault(whose[near[row]], float(cosines[row]))
    first = dict(list(hits.items())[:COUNT])
    return _Found(first, time.perf_counter() - began)


def _recall(exact: Sequence[_Found], approximate: Sequence[_Found], k: int) -> float:
    shares = []
    for one, other in zip(exact, approximate, strict=True):
        wanted = list(one.hits)[:k]
        shares.append(len(set(wanted) & set(list(other.hits)[:k])) / len(wanted))
    return sum(shares) / len(shares)


def _latency(run: Sequence[_Found]) -> Latency:
    import numpy as np

    p50, p99 = np.quantile([1000 * one.seconds for one in run], [0.5, 0.99])
    return Latency(float(p50), float(p99))
