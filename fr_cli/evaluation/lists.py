"""The most alike other subjects of each non-mated probe: who would stand on a candidate list.

Two measures come from them without another search: how long a list of false candidates is
(`selectivity`), and how FPIR grows with the gallery (`growth`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fr_cli.evaluation.impostors import Fusion
from fr_cli.evaluation.protocol import People, Vector, blocks

#: Subjects that are kept of each probe.
LONGEST = 50
#: Slabs of the gallery for each of them.
_SLABS = 2

Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Lists:
    """The best subjects of each non-mated probe, all rows falling; −inf and −1 past the end.

    scores      (n, k) float: of the k most alike subjects; −inf for probes not acquired
    subjects    (n, k) int: their numbers, 0 … `enrolled` − 1
    people      (n,) int64: whose the probe is
    enrolled    subjects in the gallery
    references  references in the gallery
    """

    scores: NDArray[np.float64]
    subjects: NDArray[np.int64]
    people: NDArray[np.int64]
    enrolled: int
    references: int

    def reaching(self, threshold: float) -> NDArray[np.int64]:
        """How many subjects reach the threshold, of each probe; at most k are known of; (n,)."""
        found: NDArray[np.int64] = (self.scores >= threshold).sum(axis=1)
        return found


def candidate_lists(
    references: NDArray[np.float32],
    reference_subjects: Sequence[str],
    probes: Sequence[Vector | None],
    probe_subjects: Sequence[str],
    *,
    excluded: Collection[frozenset[str]] = (),
    fusion: Fusion = "best",
) -> Lists:
    """Search each probe among all subjects but its own.

    `references` (n, d) and probes (d,) are unit vectors, a probe None where no template could be
    made. Raises ValueError without references.
    """
    if not reference_subjects:
        raise ValueError("there is no reference to compare with")
    people = People(references, reference_subjects)
    aliases = people.aliases(excluded)
    kept = min(LONGEST, len(people.place))
    scores = np.full((len(probes), kept), -np.inf)
    subjects = np.full((len(probes), kept), -1, np.int64)
    usable = [place for place, probe in enumerate(probes) if probe is not None]
    for block in blocks(usable, len(references)):
        templates = np.stack([probe for place in block if (probe := probes[place]) is not None])
        found = people.scores(people.cosines(templates), fusion)
        for column, place in enumerate(block):
            name = probe_subjects[place]
            own = [people.place[name]] if name in people.place else []
            found[[*own, *aliases.get(name, [])], column] = -np.inf
        scores[block], best = _best(found, kept)
        subjects[block] = np.where(np.isfinite(scores[block]), best, -1)
    _, numbers = np.unique(np.array(probe_subjects), return_inverse=True)
    return Lists(
        scores, subjects, numbers.astype(np.int64), len(people.place), len(reference_subjects)
    )


def _best(scores: NDArray[np.floating], kept: int) -> tuple[NDArray[np.floating], Places]:
    """The `kept` highest cosines of each column (S, b), falling, and their rows: (b, kept) both."""
    # What is kept is not below the lowest of the `kept` highest slabs of rows: all but some dozen
    # rows are only compared with that, and these are put in order, column by column, in one sort.
    step = max(1, len(scores) // (_SLABS * kept))
    tops = np.stack([scores[at : at + step].max(axis=0) for at in range(0, len(scores), step)])
    reaching = np.flatnonzero(scores >= np.partition(tops, -kept, axis=0)[-kept])
    rows, columns = np.divmod(reaching, scores.shape[1])
    values = scores[rows, columns]
    order = np.argsort(4.0 * columns - np.maximum(values, -2), kind="stable")
    starts = np.searchsorted(columns[order], np.arange(scores.shape[1]))
    first = order[starts[:, None] + np.arange(kept)]
    return values[first], rows[first]
