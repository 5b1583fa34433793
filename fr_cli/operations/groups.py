"""Groups of people, by columns that the table's author recorded: how they fare, and with whom they
are confused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fr_cli.operations.labelled import Sample
from fr_cli.operations.study import Study
from fr_cli.operations.trial import Trial
from fr_cli.operations.variants import pooled

if TYPE_CHECKING:
    from fr_cli.evaluation.group_fmr import GroupFmr
    from fr_cli.evaluation.groups import GroupStudy, Photos
    from fr_cli.evaluation.impostors import ImpostorSample
    from fr_cli.evaluation.labels import Grouping
    from fr_cli.evaluation.rates import Probes

#: Beside the threshold in use, groups are compared where this FPIR is seen: a strict threshold
#: shows no false candidate in a small set, and a difference shows first at a loose one.
LOOSE = 0.01
#: A column of more labels than this is no group of people but a name or a date.
MOST_GROUPS = 60


@dataclass(frozen=True)
class Threshold:
    """A threshold, and in words where it is: `score 0.60`, or `FPIR 1%`."""

    at: str
    value: float


@dataclass(frozen=True)
class Groups:
    """The studies of each way of grouping at each threshold, and the false match rates of pairs.

    `thresholds` are those of `studies`; the first is that of the rows in the document. `notes`
    say which columns were passed over, and why.
    """

    thresholds: tuple[Threshold, ...]
    studies: tuple[GroupStudy, ...]
    matches: tuple[tuple[tuple[str, ...], GroupFmr], ...]
    notes: tuple[str, ...] = ()

    def at(self, threshold: Threshold) -> list[GroupStudy]:
        """The studies at one threshold, one a way of grouping."""
        return [one for one in self.studies if one.threshold == threshold.value]


def ways(study: Study) -> list[tuple[str, ...]]:
    """Each column of --group-by alone, then all of them together."""
    alone: list[tuple[str, ...]] = [(name,) for name in study.group_by]
    return [*alone, study.group_by] if len(alone) > 1 else alone


def thresholds_of(probes: Probes, floor: float | None, score: float) -> list[Threshold]:
    """The threshold in use, where a calibration gives it, and a loose one, where it is seen."""
    from fr_cli.evaluation.rates import threshold_at_fpir

    found = [] if floor is None else [Threshold(f"score {score:.2f}", floor)]
    if probes.nonmated_count * LOOSE >= 1.0:
        loose = threshold_at_fpir(probes, LOOSE)
        found.append(Threshold(f"FPIR {LOOSE:.0%}", loose))
    return found


def groups(
    trial: Trial,
    sample: ImpostorSample | None,
    thresholds: Sequence[Threshold],
    wanted: Sequence[tuple[tuple[str, ...], Sequence[float]]],
) -> Groups:
    """Study each way of grouping at the thresholds asked for with it.

    `wanted` are ways of grouping, each with its thresholds; `sample` are all comparisons of
    different people, where there are any.
    """
    from fr_cli.evaluation.groups import study
    from fr_cli.evaluation.labels import grouping

    probes = pooled(trial)
    searched = list(trial.samples) * len(trial.draws)
    references = [one for one in trial.data.samples if one.role != "probe"]
    studies, matches, notes = [], [], []
    for columns, values in wanted:
        by = grouping(columns, [one.columns for one in searched])
        if len(by.names) > MOST_GROUPS:
            notes.append(
                f"{' and '.join(columns)} makes {len(by.names)} groups, more than {MOST_GROUPS}, "
                "so it was passed over: put people into fewer groups, such as bands of age."
            )
            continue
        of_references = grouping(columns, [one.columns for one in references])
        photos, enrolled = _photos(searched), _photos(references)
        studies += [study(probes, photos, by, enrolled, of_references, value) for value in values]
        matches += [(columns, one) for one in _matches(columns, trial, sample, thresholds)]
    return Groups(tuple(thresholds), tuple(studies), tuple(matches), tuple(notes))


def _photos(samples: Sequence[Sample]) -> Photos:
    import numpy as np

    from fr_cli.evaluation.groups import Photos

    return Photos(
        np.array([one.template is not None for one in samples], bool),
        np.array([one.template is None and one.ungated is not None for one in samples], bool),
        np.array([one.subject for one in samples], str),
    )


def _matches(
    columns: tuple[str, ...],
    trial: Trial,
    sample: ImpostorSample | None,
    thresholds: Sequence[Threshold],
) -> Iterator[GroupFmr]:
    """The false match rates within and across the groups of people who have one label."""
    from fr_cli.evaluation.group_fmr import cosines_to_compare_at, group_fmr

    by = _by_person(columns, trial)
    if sample is None or by is None or by.codes.size != sample.images.size or len(by.names) < 2:
        return
    cosines = cosines_to_compare_at(sample)
    lowest = sample.cosines[-1] if sample.cosines.size else 1.0
    cosines += [one.value for one in thresholds[:1] if one.value > lowest]
    for cosine in cosines:
        yield group_fmr(sample, by.codes, by.labels, cosine)


def _by_person(columns: tuple[str, ...], trial: Trial) -> Grouping | None:
    """People by their label, in the order in which comparisons number them; those who bear two
    labels (as of a camera) are in no group."""
    from fr_cli.evaluation.labels import grouping

    usable = [one for one in trial.data.samples if one.template is not None]
    labels: dict[str, set[tuple[str, ...]]] = {}
    for one in usable:
        label = tuple(one.columns.get(name, "") for name in columns)
        labels.setdefault(one.subject, set()).add(label)
    if not labels:
        return None
    rows = [
        dict(zip(columns, next(iter(own)), strict=True)) if len(own := labels[name]) == 1 else {}
        for name in sorted(labels)
    ]
    return grouping(columns, rows)
