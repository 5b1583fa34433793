"""What the searches of a protocol found: ready for counting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fr_cli.audit.canonical import JSON
from fr_cli.errors import UsageProblem
from fr_cli.operations.labelled import Enrolled, Labelled, Sample
from fr_cli.operations.study import Protocol, Study, protocol_of

if TYPE_CHECKING:
    from fr_cli.evaluation.impostors import Comparisons, Fusion
    from fr_cli.evaluation.rates import Probes
    from fr_cli.records import Vector


@dataclass(frozen=True, eq=False)
class Trial:
    """What a protocol found.

    `draws` has one set of searches, or one for each random gallery; row i of each is a search
    with the photo `samples[i]`. It has no rows under verification, which has `comparisons`.
    `references` and `subjects` are those enrolled, `fte` references that could not be, `compared`
    the comparisons of one search (N of the error rates; the mean over galleries that were drawn).
    `left_out` are probes that the protocol does not ask about. `cosines` says whether the scores
    are those of the home's model; another system's have no calibration. `enrolled` are the
    references that were searched, None where there are none apart from the probes. `notes` are
    sentences on what was done with the input.
    """

    protocol: Protocol
    fusion: Fusion
    data: Labelled
    references: int
    subjects: int
    fte: int
    compared: int
    draws: tuple[Probes, ...]
    samples: Sequence[Sample]
    comparisons: Comparisons | None = None
    left_out: int = 0
    cosines: bool = True
    enrolled: Enrolled | None = None
    notes: tuple[str, ...] = ()

    @property
    def for_the_log(self) -> dict[str, JSON]:
        """How it was searched, and what."""
        said: dict[str, JSON] = {"protocol": self.protocol, "fusion": self.fusion}
        if len(self.draws) > 1:
            said["galleries"] = len(self.draws)
        if self.enrolled is not None and self.enrolled.generation is not None:
            said["gallery"] = {
                "generation": self.enrolled.generation,
                "references": len(self.enrolled.subjects),
                "subjects": len(self.enrolled.listed),
            }
        return said

    @property
    def probes(self) -> Probes:
        """The searches; those of the first gallery if several were drawn."""
        return self.draws[0]


def play(
    study: Study, data: Labelled, excluded: frozenset[frozenset[str]], *, gate: bool = True
) -> Trial:
    """The searches of a protocol; without the gate also of photos below the quality floors."""
    protocol = protocol_of(study)
    people = {sample.subject for sample in data.samples}
    if len(people | (data.gallery.listed if data.gallery else set())) < 2:
        raise UsageProblem(
            "The photos that can be used are of fewer than two subjects.",
            hint="Without other people nobody can be taken for them, and no rate means anything."
            + _first(data),
        )
    if protocol == "verification":
        return _verification(study, data, excluded, gate)
    if protocol == "leave-one-out":
        return _leave_one_out(study, data, excluded, gate)
    return _open_set(study, data, excluded, gate)


def _references(data: Labelled, gate: bool) -> Enrolled:
    import numpy as np

    references = data.of("reference")
    usable = [(s.subject, v) for s in references if (v := _vector(s, gate)) is not None]
    if not usable:
        raise UsageProblem("None of the references could be enrolled.", hint=_first(data).strip())
    return Enrolled(
        [subject for subject, _ in usable],
        np.stack([vector for _, vector in usable]),
        frozenset(sample.subject for sample in references),
        failed=len(references) - len(usable),
    )


def _open_set(
    study: Study,
    data: Labelled,
    excluded: frozenset[frozenset[str]],
    gate: bool,
) -> Trial:
    from fr_cli.evaluation import protocol

    probes, enrolled = data.of("probe"), data.gallery or _references(data, gate)
    galleries = galleries_of(study, enrolled.listed)
    closed = protocol_of(study) == "closed-set"
    asked = [sample for sample in probes if not closed or sample.subject in enrolled.listed]
    found = protocol.search_galleries(
        enrolled.vectors,
        enrolled.subjects,
        [_vector(sample, gate) for sample in asked],
        [sample.subject for sample in asked],
        galleries,
        excluded=excluded,
        fusion=study.fusion,
    )
    return Trial(
        protocol=protocol_of(study),
        fusion=study.fusion,
        data=data,
        references=len(enrolled.subjects),
        subjects=len(set(enrolled.subjects)),
        fte=enrolled.failed,
        compared=comparisons(study.fusion, enrolled.subjects, galleries),
        draws=tuple(found),
        samples=asked,
        left_out=len(probes) - len(asked),
        enrolled=enrolled,
        notes=_notes(data, len(probes) - len(asked)),
    )


def _notes(data: Labelled, left_out: int) -> tuple[str, ...]:
    notes = []
    if data.passed_over:
        notes.append(
            f"References of the manifest were passed over ({data.passed_over}): the home's gallery "
            "was searched instead."
        )
    if left_out:
        notes.append(f"Non-mated probes were left out ({left_out}): closed-set asks about none.")
    return tuple(notes)


def galleries_of(study: Study, listed: Collection[str]) -> list[frozenset[str]]:
    """All subjects that have a reference, or the random draws of them that are asked for."""
    from fr_cli.evaluation import protocol

    if not study.random_galleries:
        return [frozenset(listed)]
    try:
        return protocol.random_galleries(
            listed, study.gallery_size, study.random_galleries, study.seed
        )
    except ValueError as trouble:
        raise UsageProblem(
            f"{str(trouble).capitalize()} subjects.", hint="Give a smaller --gallery-size."
        ) from trouble


def comparisons(
    fusion: Fusion, subjects: Sequence[str], galleries: Sequence[Collection[str]]
) -> int:
    """The mean number of comparisons of a search: with references, under "mean" with people.

    `subjects` says whose each reference is.
    """
    of_each = Counter(subjects if fusion == "best" else set(subjects))
    return round(sum(of_each[name] for one in galleries for name in one) / len(galleries))


def _leave_one_out(
    study: Study, data: Labelled, excluded: frozenset[frozenset[str]], gate: bool
) -> Trial:
    from fr_cli.evaluation import protocol

    vectors = [_vector(sample, gate) for sample in data.samples]
    names = [sample.subject for sample in data.samples]
    try:
        found, photos = protocol.leave_one_out(
            vectors, names, excluded=excluded, fusion=study.fusion
        )
    except ValueError as trouble:
        raise UsageProblem(f"{trouble}.".capitalize(), hint=_first(data).strip()) from trouble
    usable = [name for name, vector in zip(names, vectors, strict=True) if vector is not None]
    return Trial(
        protocol="leave-one-out",
        fusion=study.fusion,
        data=data,
        references=len(usable),
        subjects=len(set(usable)),
        fte=len(names) - len(usable),
        compared=len(usable if study.fusion == "best" else set(usable)) - 1,
        draws=(found,),
        samples=[data.samples[photo] for photo in photos],
    )


def _verification(
    study: Study, data: Labelled, excluded: frozenset[frozenset[str]], gate: bool
) -> Trial:
    compared = compare(data, excluded, study.fusion, gate=gate)
    return Trial(
        protocol="verification",
        fusion=study.fusion,
        data=data,
        references=int(compared.nonmated.images.sum()),
        subjects=compared.nonmated.images.size,
        fte=sum(_vector(sample, gate) is None for sample in data.samples),
        compared=1,
        draws=(no_searches(),),
        samples=[],
        comparisons=compared,
    )


def compare(
    data: Labelled, excluded: frozenset[frozenset[str]], fusion: Fusion, *, gate: bool = True
) -> Comparisons:
    """Every photo with every other, whatever their roles; UsageProblem for too few subjects."""
    import numpy as np

    from fr_cli.evaluation import impostors

    usable = [(s.subject, v) for s in data.samples if (v := _vector(s, gate)) is not None]
    names = sorted({subject for subject, _ in usable})
    number = {subject: index for index, subject in enumerate(names)}
    if len(names) < 2:
        raise UsageProblem(
            "Fewer than two subjects have a photo that can be used.", hint=_first(data).strip()
        )
    return impostors.compare_all(
        np.stack([vector for _, vector in usable]),
        np.array([number[subject] for subject, _ in usable], np.int64),
        numbered(excluded, names),
        fusion=fusion,
    )


def numbered(excluded: frozenset[frozenset[str]], names: Sequence[str]) -> list[tuple[int, int]]:
    """The pairs of subjects that are both among these names, by their places there."""
    number = {name: place for place, name in enumerate(names)}
    pairs = [[number[name] for name in pair if name in number] for pair in excluded]
    return [(pair[0], pair[1]) for pair in pairs if len(pair) == 2]


def no_searches() -> Probes:
    """No rows: there are only comparisons."""
    import numpy as np

    from fr_cli.evaluation.rates import Probes

    none, numbers = np.empty(0, bool), np.empty(0)
    return Probes(none, none, numbers, numbers, np.empty(0, np.int64))


def _vector(sample: Sample, gate: bool) -> Vector | None:
    template = sample.template if gate else sample.ungated
    return None if template is None else template.vector


def _first(data: Labelled) -> str:
    reasons = [reason for _, reason in data.failures] + [bad.reason for bad in data.bad_rows]
    return f" The first that could not be used: {reasons[0]}" if reasons else ""
