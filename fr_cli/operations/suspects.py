"""Labels that look wrong, named by subject and photo; the faces, if somebody asks to see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fr_cli.errors import FrError
from fr_cli.operations.bench import Bench
from fr_cli.operations.exclusions import Pairs
from fr_cli.operations.labelled import Labelled, Sample
from fr_cli.operations.manifest import read_photo
from fr_cli.operations.study import Study
from fr_cli.records import Listener

if TYPE_CHECKING:
    from fr_cli.evaluation.checks import Kind
    from fr_cli.evaluation.impostors import ImpostorSample

#: Pairs of each kind that are named; one set with more is mislabelled as a whole.
MOST = 200
SAYS = {
    "near_duplicate": "two names, all but one picture",
    "same_person": "two names, more alike than chance explains: one person, or kin?",
    "two_people": "one name, no more alike than strangers: two people, or a face too poor?",
    "leak": "a probe all but the same as its reference: a copy, or of one sitting",
}


@dataclass(frozen=True)
class Doubt:
    """A pair of photos whose labels look wrong, and why."""

    kind: Kind
    subject_a: str
    image_a: str
    subject_b: str
    image_b: str
    cosine: float

    @property
    def reason(self) -> str:
        """What looks wrong, in words."""
        return SAYS[self.kind]


@dataclass(frozen=True)
class Doubts:
    """The pairs that are named, and how many there are of each kind."""

    pairs: tuple[Doubt, ...] = ()
    counts: tuple[tuple[Kind, int], ...] = ()

    @property
    def total(self) -> int:
        """All of them, named or not."""
        return sum(count for _, count in self.counts)


@dataclass(frozen=True)
class Faces:
    """A pair with both faces, upright, as JPEG files; empty where one cannot be shown."""

    doubt: Doubt
    first: bytes
    second: bytes


def doubts(data: Labelled, sample: ImpostorSample, known: Pairs) -> Doubts:
    """Look for wrong labels among photos that have a template; `known` pairs are not named.

    `sample` must be of the same photos, its subjects numbered in the order of their names.
    """
    import numpy as np

    from fr_cli.evaluation.checks import suspects

    usable = [s for s in data.samples if s.template is not None]
    if not usable:
        return Doubts()
    _, numbers = np.unique([s.subject for s in usable], return_inverse=True)
    found = suspects(
        np.stack([s.template.vector for s in usable if s.template is not None]),
        numbers.astype(np.int64),
        np.array([s.role == "probe" for s in usable]),
        sample,
    )
    pairs: dict[Kind, list[Doubt]] = {}
    for one in found:
        a, b = usable[one.first], usable[one.second]
        if frozenset((a.subject, b.subject)) not in known:
            pairs.setdefault(one.kind, []).append(
                Doubt(one.kind, a.subject, a.image, b.subject, b.image, one.cosine)
            )
    return Doubts(
        tuple(doubt for kind in pairs.values() for doubt in kind[:MOST]),
        tuple((kind, len(those)) for kind, those in pairs.items()),
    )


def faces(
    study: Study, found: Sequence[Doubt], data: Labelled, bench: Bench, listener: Listener
) -> list[Faces]:
    """The faces of the pairs, cut from the photos anew."""
    known = {sample.image: sample for sample in data.samples}
    return [
        Faces(one, face(study, known[one.image_a], bench), face(study, known[one.image_b], bench))
        for one in listener.track(found, "Cutting faces", len(found))
    ]


def face(study: Study, sample: Sample, bench: Bench) -> bytes:
    """The face of a photo, upright, as a JPEG file; empty where it cannot be shown."""
    folder = study.source if study.source.is_dir() else study.source.parent
    try:
        photo = read_photo(folder / sample.image)
        return bench.pipeline.template_and_portrait(photo, study.face)[1]
    except (OSError, FrError):  # it was there a minute ago; the pair is shown without it
        return b""
