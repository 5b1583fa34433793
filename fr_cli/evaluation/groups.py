"""Are the errors spread evenly? Rates by group at one threshold, and what they show.

ISO/IEC 19795-10:2024 (variation across demographic groups). All groups share one threshold and one
gallery, as they do in a search. Rates, counts and intervals are given for every group; judged are
those of ten people or more (`equality`), measured those that are judged (`inequity`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fr_cli.evaluation import inequity
from fr_cli.evaluation.equality import Judgement, judge
from fr_cli.evaluation.inequity import Ratio
from fr_cli.evaluation.intervals import Rate
from fr_cli.evaluation.labels import Grouping
from fr_cli.evaluation.rates import Probes
from fr_cli.evaluation.shifts import Shift, shift
from fr_cli.evaluation.trials import Trials, tally


@dataclass(frozen=True, eq=False)
class Photos:
    """References, or probes, by what became of them; arrays of shape (n,).

    acquired  bool: whether a template was made
    refused   bool: whether it was the quality floor that refused it
    subjects  any: whose each is
    """

    acquired: NDArray[np.bool_]
    refused: NDArray[np.bool_]
    subjects: NDArray[np.generic]


@dataclass(frozen=True)
class GroupRow:
    """One group's rates at the threshold.

    `fte`, `fta` are failures of references and of probes, `refused` those of both that the
    quality floor refused; `mate_shift` and `nonmate_shift` how its scores lie to the others'.
    """

    group: tuple[str, ...]
    people: int
    tpir: Rate
    fpir: Rate
    fta: Rate
    fte: Rate
    refused: Rate
    mate_shift: Shift | None
    nonmate_shift: Shift | None


@dataclass(frozen=True)
class Comparison:
    """One rate over all groups: the judgement, and the inequality in numbers."""

    rate: str
    judgement: Judgement
    max_min: Ratio
    max_geomean: Ratio
    gini: float | None
    gini_corrected: float | None


@dataclass(frozen=True)
class GroupStudy:
    """What one way of grouping shows at one threshold.

    `comparisons` are of `fpir`, `fnir`, `fta` and `fte`; `garbe` and `fdr` of FPIR and FNIR.
    """

    columns: tuple[str, ...]
    threshold: float
    rows: tuple[GroupRow, ...]
    comparisons: tuple[Comparison, ...]
    garbe: float | None
    fdr: float | None
    problems: tuple[str, ...]

    def comparison(self, rate: str) -> Comparison:
        """The comparison of one rate."""
        return next(one for one in self.comparisons if one.rate == rate)


def study(
    probes: Probes,
    photos: Photos,
    grouping: Grouping,
    references: Photos,
    reference_grouping: Grouping,
    threshold: float,
) -> GroupStudy:
    """The groups of one grouping at a threshold, a score that probes' own are compared with.

    `photos` are the probes in their order; the two groupings are of the same columns. A label
    that only references bear makes a group without probes.
    """
    names = tuple(sorted({*grouping.names, *reference_grouping.names}))
    of_probes = _renumbered(grouping, names)
    of_references = _renumbered(reference_grouping, names)
    missed = ~(probes.acquired & (probes.mate >= threshold))
    false = probes.acquired & (probes.nonmate >= threshold)
    labels = tuple(" · ".join(name) for name in names)

    def trials(
        case: NDArray[np.bool_], among: NDArray[np.bool_], whose: NDArray[np.generic],
        codes: NDArray[np.int64],
    ) -> Trials:  # fmt: skip
        known = among & (codes >= 0)
        return Trials(case[known], whose[known], codes[known], labels)

    every_probe = np.ones(probes.mated.size, bool)
    every_reference = np.ones(references.acquired.size, bool)
    whose = probes.subjects
    counted = {
        "fpir": trials(false, ~probes.mated, whose, of_probes),
        "fnir": trials(missed, probes.mated, whose, of_probes),
        "fta": trials(~photos.acquired, every_probe, whose, of_probes),
        "fte": trials(~references.acquired, every_reference, references.subjects, of_references),
    }
    tallies = {rate: tally(one) for rate, one in counted.items()}
    both = np.concatenate([of_probes, of_references])
    owners = np.concatenate([photos.subjects.astype(str), references.subjects.astype(str)])
    refusals = tally(
        trials(
            np.concatenate([photos.refused, references.refused]), np.ones(both.size, bool),
            owners, both,
        )
    )  # fmt: skip
    rows = tuple(
        GroupRow(
            group=names[code],
            people=np.unique(owners[both == code]).size,
            tpir=_complement(tallies["fnir"][code].rate),
            fpir=tallies["fpir"][code].rate,
            fta=tallies["fta"][code].rate,
            fte=tallies["fte"][code].rate,
            refused=refusals[code].rate,
            mate_shift=_shift(probes.mate, probes, of_probes, code, probes.mated),
            nonmate_shift=_shift(probes.nonmate, probes, of_probes, code, every_probe),
        )
        for code in range(len(names))
    )
    comparisons = tuple(_compared(rate, one) for rate, one in counted.items())
    fpirs, fnirs = (_values(comparisons[place].judgement) for place in (0, 1))
    whole = len(fpirs) == len(fnirs) >= 2
    return GroupStudy(
        grouping.columns,
        threshold,
        rows,
        comparisons,
        inequity.garbe(fpirs, fnirs) if whole else None,
        inequity.fdr(fpirs, fnirs) if whole else None,
        _problems(grouping, reference_grouping, comparisons),
    )


def _compared(rate: str, trials: Trials) -> Comparison:
    judgement = judge(trials, rate.upper())
    groups = [one.tally for one in judgement.groups]
    values = _values(judgement)
    return Comparison(
        rate,
        judgement,
        inequity.max_min(groups),
        inequity.max_geomean(groups),
        inequity.gini(values),
        inequity.gini(values, corrected=True),
    )


def _values(judgement: Judgement) -> list[float]:
    rates = (one.tally.rate.value for one in judgement.groups)
    return [value for value in rates if value is not None]


def _renumbered(grouping: Grouping, names: tuple[tuple[str, ...], ...]) -> NDArray[np.int64]:
    places = np.array([names.index(name) for name in grouping.names] + [-1], np.int64)
    return places[grouping.codes]


def _complement(rate: Rate) -> Rate:
    """TPIR from FNIR."""
    value = None if rate.value is None else 1.0 - rate.value
    cases = rate.of - rate.cases
    return Rate(value, 1.0 - rate.high, 1.0 - rate.low, cases, rate.of, rate.interval)


def _shift(
    scores: NDArray[np.float64], probes: Probes, codes: NDArray[np.int64], code: int,
    among: NDArray[np.bool_],
) -> Shift | None:  # fmt: skip
    known = among & probes.acquired & (codes >= 0)
    return shift(scores[known], probes.subjects[known], codes[known] == code)


def _problems(
    grouping: Grouping, references: Grouping, comparisons: Sequence[Comparison]
) -> tuple[str, ...]:
    """What stands in the way of believing it; a gate does not open while there is any."""
    problems = [*grouping.problems]
    problems += [f"Of the references: {text}" for text in references.problems
                 if text not in problems and "one group only" not in text]  # fmt: skip
    small: dict[str, int] = {}
    for one in comparisons[:2]:
        for row in one.judgement.too_small:
            small[row.name] = min(row.people, small.get(row.name, row.people))
    if small:
        said = ", ".join(f"{name} ({people})" for name, people in sorted(small.items()))
        problems.append(f"Too few people to be judged as a group: {said}.")
    return tuple(problems)
