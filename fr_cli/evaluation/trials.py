"""Yes-or-no outcomes of people's photographs, counted by group, with how sure each rate is.

Several photographs of one person are not independent. How much less they say is the design effect
(Kish 1965): the variance of the rate over people, divided by what independent photographs would
give. Counts divided by it serve for ratios and for power (Korn and Graubard, Survey Methodology 24
(1998)); the interval of a rate is that of `intervals.proportion`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fr_cli.evaluation.intervals import Rate, proportion


@dataclass(frozen=True, eq=False)
class Trials:
    """What was tried: one row a photograph, arrays of shape (n,).

    case      bool: whether what is counted (an error, say) happened
    subjects  any: whose photograph it is; a person in two groups counts as a person in each
    groups    int64: the group as a place in `names`; no row is in none
    names     the groups that there are, with or without rows
    """

    case: NDArray[np.bool_]
    subjects: NDArray[np.generic]
    groups: NDArray[np.int64]
    names: tuple[str, ...]

    def only(self, wanted: NDArray[np.bool_]) -> Trials:
        """The rows of a mask of shape (n,)."""
        return Trials(self.case[wanted], self.subjects[wanted], self.groups[wanted], self.names)


@dataclass(frozen=True, eq=False)
class People:
    """The same by person: arrays of shape (s,), one row a person of a group.

    cases, of  int64: how many of the person's photographs are cases, and how many there are
    groups     int64: the person's group
    """

    cases: NDArray[np.int64]
    of: NDArray[np.int64]
    groups: NDArray[np.int64]

    @property
    def single(self) -> bool:
        """Whether everybody has one photograph only, so that the photographs are independent."""
        return bool((self.of <= 1).all())


def people(trials: Trials) -> People:
    """The trials by person."""
    _, whose = np.unique(trials.subjects, return_inverse=True)
    units, place = np.unique(
        np.stack([trials.groups, whose.astype(np.int64)]), axis=1, return_inverse=True
    )
    place = place.reshape(-1)
    return People(
        np.bincount(place, weights=trials.case, minlength=units.shape[1]).astype(np.int64),
        np.bincount(place, minlength=units.shape[1]).astype(np.int64),
        units[0],
    )


@dataclass(frozen=True)
class Tally:
    """The cases of one group. `people` is how many persons, `effect` the design effect, ≥ 1."""

    name: str
    rate: Rate
    people: int
    effect: float

    @property
    def cases(self) -> float:
        """The cases that as many independent photographs would count for."""
        return self.rate.cases / self.effect

    @property
    def of(self) -> float:
        """As many independent photographs as these are worth."""
        return self.rate.of / self.effect


def tally(trials: Trials) -> list[Tally]:
    """The counts of each group, in the order of the names."""
    return [
        _tally(name, trials.only(trials.groups == code)) for code, name in enumerate(trials.names)
    ]


def _tally(name: str, trials: Trials) -> Tally:
    by_person = people(trials)
    numbers = np.unique(trials.subjects, return_inverse=True)[1].reshape(-1).astype(np.int64)
    effect = design_effect(by_person.cases, by_person.of)
    return Tally(name, proportion(trials.case, numbers), by_person.of.size, effect)


def design_effect(cases: NDArray[np.int64], of: NDArray[np.int64]) -> float:
    """How many times the variance of the rate is that of independent photographs; ≥ 1.

    `cases` and `of`, shape (s,), are counts by person. Where no photograph, or every one, is a
    case, nothing shows how alike a person's photographs are, and they are taken to be all alike.
    """
    people, photos = of.size, int(of.sum())
    if people == photos:
        return 1.0
    alike = float((of.astype(np.float64) ** 2).sum()) / photos
    rate = cases.sum() / photos
    independent = rate * (1.0 - rate) * photos
    if independent == 0.0 or people < 2:
        return alike
    spread = float(((cases - rate * of) ** 2).sum()) * people / (people - 1)
    return float(min(max(spread / independent, 1.0), alike))
