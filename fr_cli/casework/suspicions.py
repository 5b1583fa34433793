"""What a reference's likeness to others may mean: a suspicion for a person to look at. Pure.

Held against one reference at a time: those of other subjects that reach the threshold at which the
home would name a candidate, and the other references of its own subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["same_picture", "duplicate", "morph", "mislabelled", "unlike_own"]
#: What each kind suggests, and what else it may be.
SAYS: dict[Kind, str] = {
    "same_picture": "two subjects with all but one picture: one of the two ids is wrong?",
    "duplicate": "two subjects with one face: enrolled twice, twins, or look-alikes?",
    "morph": "close to two subjects who are not alike: a picture made of two faces?",
    "mislabelled": "nearer to another subject than to the photos of its own: mixed up?",
    "unlike_own": "no more alike to its own subject's other photos than a stranger would be: "
    "somebody else, or a poor photo?",
}
#: From here on two photos are taken for one picture: evaluation/checks.py says how far to trust it.
COPY = 0.98


@dataclass(frozen=True, eq=False)
class Neighbour:
    """A reference of the gallery: its subject, its names, its template (a unit vector)."""

    uid: str
    subject_uid: str
    subject_id: str
    reference_id: str
    vector: NDArray[Any]


@dataclass(frozen=True)
class Suspicion:
    """What looks wrong with a reference, and which others say so (one, or two of a morph).

    `cosine` is of the first other, or of the pair that decides.
    """

    kind: Kind
    reference: Neighbour
    others: tuple[Neighbour, ...]
    cosine: float

    @property
    def says(self) -> str:
        """What it suggests, in words."""
        return SAYS[self.kind]


def suspicions(
    one: Neighbour,
    near: Sequence[Neighbour],
    own: Sequence[Neighbour],
    threshold: float,
    stranger: float,
) -> list[Suspicion]:
    """What looks wrong with one reference.

    `near` are the references of other subjects, `own` the others of its subject. `threshold` is the
    cosine of a candidate in this gallery; below `stranger` two photos are no more alike than those
    of two people.
    """
    others = _by_subject(one, [other for other in near if one.vector @ other.vector >= threshold])
    best_own = max((float(one.vector @ other.vector) for other in own), default=None)
    if not others:
        if best_own is None or best_own >= stranger:
            return []
        most = max(own, key=lambda other: float(one.vector @ other.vector))
        return [Suspicion("unlike_own", one, (most,), best_own)]
    if pair := _unlike(others, own, one, threshold):
        return [Suspicion("morph", one, pair, float(one.vector @ pair[0].vector))]
    found = []
    for those in others:
        best = those[0]
        cosine = float(one.vector @ best.vector)
        kind: Kind = "duplicate"
        if cosine >= COPY:
            kind = "same_picture"
        elif best_own is not None and best_own < threshold:
            kind = "mislabelled"
        found.append(Suspicion(kind, one, (best,), cosine))
    return found


def _by_subject(one: Neighbour, near: Sequence[Neighbour]) -> list[list[Neighbour]]:
    """The references of each other subject, the most alike first, and those of the most alike
    subject first."""
    subjects: dict[str, list[Neighbour]] = {}
    for other in sorted(near, key=lambda other: -float(one.vector @ other.vector)):
        subjects.setdefault(other.subject_uid, []).append(other)
    return [*subjects.values()]


def _unlike(
    others: Sequence[Sequence[Neighbour]],
    own: Sequence[Neighbour],
    one: Neighbour,
    threshold: float,
) -> tuple[Neighbour, ...] | None:
    """Two subjects close to the reference and not to each other; its own may be one of them."""
    mine = [other for other in own if one.vector @ other.vector >= threshold]
    close = [*others, *([mine] if mine else [])]
    for index, those in enumerate(close):
        for these in close[:index]:
            if max(float(a.vector @ b.vector) for a in those for b in these) < threshold:
                return these[0], those[0]
    return None
