"""Is the data what its labels say? Looked at before any rate, because labels decide all of them.

Four things that look wrong, each for a person to look at:

- `near_duplicate`: photographs under two names that are all but one picture;
- `same_person`: photographs under two names more alike than chance explains;
- `two_people`: photographs under one name no more alike than strangers are;
- `leak`: a probe all but the same as a reference of its subject: a copy, or of one sitting.

"More than chance explains" is judged by the data's own tail: above the cosine that strangers in a
set of this size reach once, so that of a clean set one pair or so may be shown for nothing. Label
errors are themselves the highest comparisons and would lift that tail. So it begins with a fit
that they cannot move; what lies where strangers hardly come is taken out and the tail is fitted
again, until nothing new stands out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fr_cli.evaluation.extrapolation import Extrapolation
from fr_cli.evaluation.impostors import BINS, ImpostorSample
from fr_cli.evaluation.tail import fit_pareto

Kind = Literal["near_duplicate", "same_person", "two_people", "leak"]
Floats = NDArray[np.float64]
Places = NDArray[np.int64]

#: From here on two files are taken for one picture. With SFace and photographs of 250 px a copy at
#: JPEG quality 60 reaches 0.98 in the median of 30, one at half the size 0.96: some copies are
#: missed. Two photographs of one sitting reach 0.978 (London set, neutral and smiling).
COPY = 0.98
#: So many comparisons of strangers are expected at or above the cosine of a `same_person`, and at
#: or above one that is kept out of the fit: looser, the fit would eat its own tail.
EXPECTED, APART = 1.0, 0.05
#: One pair of strangers in ten is as alike as a `two_people`.
STRANGE = 0.1
_TAIL, _FEWEST = 1e-3, 500


@dataclass(frozen=True)
class Suspect:
    """Two photographs, by their row numbers, and what looks wrong about their labels."""

    kind: Kind
    first: int
    second: int
    cosine: float


def suspects(
    templates: NDArray[np.float32],
    subjects: Places,
    probes: NDArray[np.bool_],
    sample: ImpostorSample,
) -> list[Suspect]:
    """Everything that looks wrong, by kind; the most doubtful of a kind first.

    `templates` (n, d) unit rows, `subjects` (n,) numbers 0 … S − 1 as in the sample, `probes` (n,)
    tells probes from references. Of two subjects only their most alike photographs are named.
    """
    level = beyond_chance(sample)
    found = [*_across(templates, subjects, sample, min(level, COPY))]
    first, second, cosines = mated_pairs(templates, subjects)
    strange = cosines < strangers(sample)
    found += [
        Suspect("two_people", int(a), int(b), float(cosine))
        for a, b, cosine in sorted(
            zip(first[strange], second[strange], cosines[strange], strict=True),
            key=lambda pair: pair[2],
        )
    ]
    copies = (cosines >= COPY) & (probes[first] != probes[second])
    found += [
        Suspect("leak", int(a), int(b), float(cosine))
        for a, b, cosine in zip(first[copies], second[copies], cosines[copies], strict=True)
    ]
    return found


def beyond_chance(sample: ImpostorSample) -> float:
    """The cosine that strangers are expected to reach once in so many comparisons.

    Infinite where the sample is too small for a tail (under 10,000 comparisons).
    """
    wanted = max(round(_TAIL * sample.comparisons), _FEWEST)
    if wanted * 20 > sample.comparisons or wanted >= sample.cosines.size:
        return np.inf
    u = float(sample.cosines[wanted])
    excesses = sample.cosines[sample.cosines > u] - u
    # To begin with an exponential tail through the median, which no few errors can move; it
    # falls more slowly than cosines do.
    beta = float(np.median(excesses)) / math.log(2.0)
    apart = u + beta * math.log(wanted / APART)
    level = u + beta * math.log(wanted / EXPECTED)
    while (kept := excesses[excesses + u < apart]).size > _FEWEST / 2:
        fit = (kept.size / sample.comparisons, *fit_pareto(kept))
        tail = Extrapolation(u, np.array([fit, fit]))
        lower, level = (
            tail.threshold(expected / sample.comparisons)[0] for expected in (APART, EXPECTED)
        )
        if not ((excesses + u >= lower) & (excesses + u < apart)).any():
            break
        apart = lower
    return level


def strangers(sample: ImpostorSample) -> float:
    """The cosine below which nine in ten comparisons of strangers lie."""
    above = np.cumsum(sample.counts[::-1])[::-1] / sample.comparisons
    place = int(np.argmax(above <= STRANGE))
    return sample.low + place * (sample.high - sample.low) / BINS


def mated_pairs(templates: NDArray[np.float32], subjects: Places) -> tuple[Places, Places, Floats]:
    """Every pair of photographs of one subject: two row numbers (first < second) and the cosine."""
    order = np.argsort(subjects, kind="stable")
    _, starts, counts = np.unique(subjects[order], return_index=True, return_counts=True)
    one, other = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for count in np.unique(counts[counts > 1]):
        a, b = np.triu_indices(count, 1)
        rows = order[starts[counts == count][:, None] + np.arange(count)]
        one.append(rows[:, a].ravel())
        other.append(rows[:, b].ravel())
    first, second = np.concatenate(one), np.concatenate(other)
    cosines = np.einsum("ij,ij->i", templates[first], templates[second], dtype=np.float64)
    return first, second, cosines


def _across(
    templates: NDArray[np.float32], subjects: Places, sample: ImpostorSample, level: float
) -> list[Suspect]:
    above = sample.cosines >= level
    pairs = dict.fromkeys(zip(sample.first[above], sample.second[above], strict=True))
    found, done = [], set()
    for a, b in pairs:
        if (key := frozenset((int(a), int(b)))) in done:
            continue
        done.add(key)
        rows, columns = np.flatnonzero(subjects == a), np.flatnonzero(subjects == b)
        cosines = templates[rows] @ templates[columns].T
        row, column = np.unravel_index(int(cosines.argmax()), cosines.shape)
        cosine = float(cosines[row, column])
        kind: Kind = "near_duplicate" if cosine >= COPY else "same_person"
        found.append(Suspect(kind, int(rows[row]), int(columns[column]), cosine))
    return sorted(found, key=lambda one: -one.cosine)
