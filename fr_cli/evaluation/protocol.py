"""Templates and labels → what each probe's search found: the open-set protocol, 1:N.

ISO/IEC 19795-1:2021, identification: every probe is compared with every reference; several
references of a subject count as their best; a probe is mated if its subject is in the gallery.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from fr_cli.evaluation.rates import Probes

#: Probes compared at once: bounds the memory at this many rows of the gallery's size.
BLOCK = 512
#: The rank of a mate that is not in the gallery, because its reference failed to enrol.
NO_RANK = np.iinfo(np.int64).max


def search_all(
    references: NDArray[np.float32],
    reference_subjects: Sequence[str],
    probes: Sequence[NDArray[np.float32] | None],
    probe_subjects: Sequence[str],
    *,
    listed: Collection[str],
    excluded: Collection[frozenset[str]] = (),
) -> Probes:
    """Search each probe in the references.

    `references` has shape (n, d), unit rows; a probe is a unit vector (d,), or None where no
    template could be made. `listed` are the subjects that should be in the gallery: a probe of
    one whose reference failed to enrol is a miss at every threshold. Comparisons between the
    two subjects of an excluded pair are left out. Raises ValueError without references.
    """
    if not reference_subjects:
        raise ValueError("there is no reference to compare with")
    order = np.argsort(np.array(reference_subjects), kind="stable")
    subjects, starts = np.unique(np.array(reference_subjects)[order], return_index=True)
    gallery = references[order]
    place = {str(name): index for index, name in enumerate(subjects)}
    aliases = _aliases(excluded, place)
    count = len(probes)
    mated = np.array([name in listed for name in probe_subjects], bool)
    acquired = np.array([probe is not None for probe in probes], bool)
    mate, nonmate = np.full(count, -np.inf), np.full(count, -np.inf)
    rank = np.full(count, NO_RANK, np.int64)
    found = [(i, probe) for i, probe in enumerate(probes) if probe is not None]
    for first in range(0, len(found), BLOCK):
        block = found[first : first + BLOCK]
        cosines = np.stack([probe for _, probe in block]) @ gallery.T
        best = np.maximum.reduceat(cosines, starts, axis=1).astype(np.float64)
        for (i, _), scores in zip(block, best, strict=True):
            name = probe_subjects[i]
            scores[aliases.get(name, [])] = -np.inf
            own = place.get(name)
            if own is not None:
                mate[i], scores[own] = scores[own], -np.inf
                # A tie counts against the mate: a search could list it behind.
                rank[i] = 1 + int(np.count_nonzero(scores >= mate[i]))
            nonmate[i] = scores.max()
    return Probes(mated, acquired, nonmate, mate, rank, np.array(probe_subjects))


def _aliases(excluded: Collection[frozenset[str]], place: dict[str, int]) -> dict[str, list[int]]:
    """For each subject of an excluded pair, the columns of those it must not be compared with."""
    columns: dict[str, list[int]] = {}
    for pair in excluded:
        for name in pair:
            columns.setdefault(name, []).extend(place[o] for o in pair - {name} if o in place)
    return columns


def part(probes: Probes, mask: NDArray[np.bool_]) -> Probes:
    """The probes of a mask of shape (n,): one group of people, say."""
    return Probes(
        probes.mated[mask],
        probes.acquired[mask],
        probes.nonmate[mask],
        probes.mate[mask],
        probes.rank[mask],
        probes.subjects[mask],
    )
