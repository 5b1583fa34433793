"""What to evaluate and by which protocol, and what the searches of it found: ready for counting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fr_cli.errors import UsageProblem
from fr_cli.face.pipeline import Choice
from fr_cli.operations.bench import Bench
from fr_cli.operations.labelled import Labelled, Role, Sample, read_labelled
from fr_cli.records import Listener

if TYPE_CHECKING:
    from fr_cli.evaluation.impostors import Comparisons, Fusion
    from fr_cli.evaluation.rates import Probes
    from fr_cli.records import Vector

Protocol = Literal["open-set", "closed-set", "verification", "leave-one-out"]


@dataclass(frozen=True)
class Study:
    """What to evaluate, and how.

    `manifest` is a manifest or a folder with one folder a subject. `protocol` None is open-set
    for a manifest, leave-one-out for a folder. `random_galleries` > 0 draws that many galleries
    of `gallery_size` subjects, with `seed`. `site_data` says that the photos are the site's own,
    `holdout` asks for a fit tested on unseen people, `eer` for the equal error rate, `pairs` for
    the faces of pairs that look wrongly labelled. `require` is a file of targets to be reached.
    """

    manifest: Path | None = None
    exclude: Path | None = None
    group_by: tuple[str, ...] = ()
    face: Choice = "central"
    calibrate: Path | None = None
    workers: int | None = None
    protocol: Protocol | None = None
    fusion: Fusion = "best"
    random_galleries: int = 0
    gallery_size: int = 0
    seed: int = 0
    site_data: bool = False
    holdout: bool = False
    eer: bool = False
    pairs: bool = False
    scores: Path | None = None
    require: Path | None = None
    record: bool = False

    @property
    def source(self) -> Path:
        """The manifest, folder or list of scores; UsageProblem unless there is exactly one."""
        given = [path for path in (self.manifest, self.scores) if path is not None]
        if len(given) != 1:
            raise UsageProblem(
                "An evaluation is of one manifest, or of one list of scores.",
                hint="Give MANIFEST, or --scores FILE.",
            )
        return given[0]


@dataclass(frozen=True, eq=False)
class Trial:
    """What a protocol found.

    `draws` has one set of searches, or one for each random gallery; row i of each is a search
    with the photo `samples[i]`. It has no rows under verification, which has `comparisons`.
    `references` and `subjects` are those enrolled, `fte` references that could not be.
    `left_out` are probes that the protocol does not ask about. `cosines` says whether the scores
    are those of the home's model; another system's have no calibration.
    """

    protocol: Protocol
    fusion: Fusion
    data: Labelled
    references: int
    subjects: int
    fte: int
    draws: tuple[Probes, ...]
    samples: Sequence[Sample]
    comparisons: Comparisons | None = None
    left_out: int = 0
    cosines: bool = True

    @property
    def probes(self) -> Probes:
        """The searches; those of the first gallery if several were drawn."""
        return self.draws[0]


def gather(
    study: Study, excluded: frozenset[frozenset[str]], bench: Bench, listener: Listener
) -> Trial:
    """Read the photos and search by the protocol. Raises UsageProblem for what cannot be evaluated.

    `excluded` are pairs of subjects not to be compared.
    """
    from fr_cli.operations import scored

    source, protocol = study.source, protocol_of(study)
    if study.scores is not None and study.calibrate is not None:
        raise UsageProblem(
            "A calibration says what a cosine of this home's model means, not another's score.",
            hint="Leave --calibrate out.",
        )
    if study.random_galleries and protocol != "open-set":
        raise UsageProblem(
            f"Random galleries are drawn under the protocol open-set, not {protocol}.",
            hint="Add --protocol open-set, or leave --random-galleries out.",
        )
    if study.scores is not None:
        return scored.play(study, protocol, excluded, listener)
    needed: tuple[Role, ...] = ()
    if protocol in ("open-set", "closed-set"):
        needed = ("reference", "probe")
    data = read_labelled(
        source, bench, listener,
        face=study.face, needed=needed, columns=study.group_by, workers=study.workers,
    )  # fmt: skip
    return play(study, data, excluded)


def protocol_of(study: Study) -> Protocol:
    """The protocol that is asked for, or the one that fits the input."""
    if study.protocol is None:
        return "leave-one-out" if study.source.is_dir() else "open-set"
    return study.protocol


def play(
    study: Study, data: Labelled, excluded: frozenset[frozenset[str]], *, gate: bool = True
) -> Trial:
    """The searches of a protocol; without the gate also of photos below the quality floors."""
    if len({sample.subject for sample in data.samples}) < 2:
        raise UsageProblem(
            "The photos that can be used are of fewer than two subjects.",
            hint="Without other people nobody can be taken for them, and no rate means anything."
            + _first(data),
        )
    protocol = protocol_of(study)
    ways: dict[Protocol, Callable[..., Trial]] = {
        "open-set": _open_set,
        "closed-set": _open_set,
        "verification": _verification,
        "leave-one-out": _leave_one_out,
    }
    return ways[protocol](study, data, excluded, gate)


def _open_set(
    study: Study, data: Labelled, excluded: frozenset[frozenset[str]], gate: bool
) -> Trial:
    import numpy as np

    from fr_cli.evaluation import protocol

    closed = protocol_of(study) == "closed-set"
    references, probes = data.of("reference"), data.of("probe")
    enrolled = [(s.subject, v) for s in references if (v := _vector(s, gate)) is not None]
    if not enrolled:
        raise UsageProblem("None of the references could be enrolled.", hint=_first(data).strip())
    listed = {sample.subject for sample in references}
    asked = [sample for sample in probes if not closed or sample.subject in listed]
    found = protocol.search_galleries(
        np.stack([vector for _, vector in enrolled]),
        [subject for subject, _ in enrolled],
        [_vector(sample, gate) for sample in asked],
        [sample.subject for sample in asked],
        galleries_of(study, listed),
        excluded=excluded,
        fusion=study.fusion,
    )
    return Trial(
        protocol=protocol_of(study),
        fusion=study.fusion,
        data=data,
        references=len(enrolled),
        subjects=len({subject for subject, _ in enrolled}),
        fte=len(references) - len(enrolled),
        draws=tuple(found),
        samples=asked,
        left_out=len(probes) - len(asked),
    )


def galleries_of(study: Study, listed: set[str]) -> list[frozenset[str]]:
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
    pairs = [[number[one] for one in pair if one in number] for pair in excluded]
    if len(names) < 2:
        raise UsageProblem(
            "Fewer than two subjects have a photo that can be used.", hint=_first(data).strip()
        )
    return impostors.compare_all(
        np.stack([vector for _, vector in usable]),
        np.array([number[subject] for subject, _ in usable], np.int64),
        [(pair[0], pair[1]) for pair in pairs if len(pair) == 2],
        fusion=fusion,
    )


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
