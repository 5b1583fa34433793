"""The rows of a gallery as its other files hold them: plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fr_cli.records import Enrolment, Quality

#: What of an Enrolment is kept as provenance (watchlist has a column: searches filter by it).
_PROVENANCE = (
    "image", "source", "captured_at", "lawful_basis", "retention", "review_date", "hold",
    "extra",
)  # fmt: skip

#: Pks of references, and what is said of them now.
Changes = Sequence[tuple[int, Enrolment]]


@dataclass(frozen=True)
class NewReference:
    """A reference ready to be stored: sealed, with its keyed image hash."""

    uid: str
    subject_pk: int
    enrolment: Enrolment
    image_key: str
    sealed: bytes
    quality: Mapping[str, float]


@dataclass(frozen=True)
class Subject:
    """A subject's row; of one that is being purged `subject_id` is what stands for its id."""

    pk: int
    uid: str
    slot: int
    subject_id: str


@dataclass(frozen=True)
class Sealed:
    """A reference's sealed template, with the slot of the key that opens it."""

    pk: int
    subject: int
    subject_id: str
    subject_uid: str
    reference_id: str
    uid: str
    slot: int
    sealed: bytes


@dataclass(frozen=True)
class Known:
    """What the store holds under one subject and image."""

    pk: int
    reference_id: str
    watchlist: str
    provenance: str


def provenance(enrolment: Enrolment) -> str:
    """What is kept about a reference's origin, as canonical JSON."""
    # Not asdict, which copies it all: a nightly feed asks for each line.
    said = {name: getattr(enrolment, name) for name in _PROVENANCE}
    return json.dumps(said, sort_keys=True)


def natives(quality: Quality) -> dict[str, float]:
    """The native values of a photo's quality measures, as they are stored."""
    return {m.name: round(m.native, 4) for m in quality.measures if m.native is not None}
