"""A list of another system's scores, searched by the same protocols as photos are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fr_cli.errors import UsageProblem
from fr_cli.operations.labelled import Labelled, Sample
from fr_cli.operations.scores import ScoreList, read_scores
from fr_cli.operations.study import Protocol, Study
from fr_cli.operations.trial import Trial, comparisons, galleries_of, no_searches, numbered
from fr_cli.records import Listener

if TYPE_CHECKING:
    from fr_cli.evaluation.listed import Listed

NOT_COSINES = (
    "The scores are those of another system: a threshold is one of its scores, and this home's "
    "calibration and floor say nothing of them."
)


def play(
    study: Study, protocol: Protocol, excluded: frozenset[frozenset[str]], listener: Listener
) -> Trial:
    """The searches, or under verification the comparisons, that the list holds.

    Raises UsageProblem for a list that contradicts itself or cannot show what is asked for.
    """
    assert study.scores is not None
    if protocol == "leave-one-out":
        raise UsageProblem(
            "A list of scores says itself which photos are references.",
            hint="Use --protocol open-set: a photo is never compared with itself.",
        )
    scores = read_scores(study.scores, listener, study.group_by)
    if len(scores.subjects) < 2:
        raise UsageProblem(
            "All scores are of one subject.",
            hint="Without other people nobody can be taken for them, and no rate means anything.",
        )
    listed = scores.listed.without(numbered(excluded, scores.subjects))
    if protocol == "verification":
        return _compared(study, scores, listed)
    return _searched(study, protocol, scores, listed)


def _searched(study: Study, protocol: Protocol, scores: ScoreList, listed: Listed) -> Trial:
    import numpy as np

    from fr_cli.evaluation.listed import search_lists
    from fr_cli.evaluation.protocol import part

    names = {scores.subjects[number] for number in listed.reference_subject.tolist()}
    chosen = galleries_of(study, names)
    masks = [np.array([name in one for name in scores.subjects], bool) for one in chosen]
    found = search_lists(listed, masks, study.fusion)
    asked = np.arange(listed.probe_subject.size)
    if protocol == "closed-set":
        asked = np.flatnonzero(found[0].mated)
    enrolled = listed.reference_subject[listed.enrolled]
    return Trial(
        protocol=protocol,
        fusion=study.fusion,
        data=_data(scores),
        references=enrolled.size,
        subjects=np.unique(enrolled).size,
        fte=int(np.count_nonzero(~listed.enrolled)),
        compared=comparisons(
            study.fusion, [scores.subjects[number] for number in enrolled.tolist()], chosen
        ),
        draws=tuple(part(one, asked) for one in found),
        samples=_samples(scores, asked.tolist()),
        left_out=listed.probe_subject.size - asked.size,
        cosines=False,
        notes=_notes(study),
    )


def _compared(study: Study, scores: ScoreList, listed: Listed) -> Trial:
    import numpy as np

    from fr_cli.evaluation.listed import compare_lists

    try:
        compared = compare_lists(listed, study.fusion)
    except ValueError as trouble:
        raise UsageProblem(
            f"{str(trouble).capitalize()}.", hint="Add scores of different people."
        ) from trouble
    enrolled = listed.reference_subject[listed.enrolled]
    return Trial(
        protocol="verification",
        fusion=study.fusion,
        data=_data(scores),
        references=enrolled.size,
        subjects=np.unique(enrolled).size,
        fte=int(np.count_nonzero(~listed.enrolled)),
        compared=1,
        draws=(no_searches(),),
        samples=[],
        comparisons=compared,
        cosines=False,
        notes=_notes(study),
    )


def _notes(study: Study) -> tuple[str, ...]:
    if not study.group_by:
        return (NOT_COSINES,)
    return (NOT_COSINES, "Groups are not measured: they are compared at this home's floor.")


def _data(scores: ScoreList) -> Labelled:
    """What went wrong; there are no photos."""
    acquired = scores.listed.acquired.tolist()
    failures = [
        (name, "the other system could not use it")
        for name, usable in zip(scores.probes, acquired, strict=True)
        if not usable
    ]
    return Labelled(failures=failures, bad_rows=scores.bad_rows)


def _samples(scores: ScoreList, asked: Sequence[int]) -> list[Sample]:
    whose = scores.listed.probe_subject.tolist()
    return [
        Sample(
            scores.subjects[whose[place]], "probe", scores.groups[place], None,
            image=scores.probes[place],
        )
        for place in asked
    ]  # fmt: skip
