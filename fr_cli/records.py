"""Plain data that every room may hold: no behaviour beyond what the data itself says."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

T = TypeVar("T")


class Listener(Protocol):
    """Hears of progress; the rooms below the command line know no terminal."""

    def track(self, items: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:
        """Pass the items through, counting them."""

    def say(self, text: str) -> None:
        """Hear one sentence."""


class Silence:
    """A listener that hears nothing: for libraries, scripts and tests."""

    def track(self, items: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:
        """Pass the items through."""
        return items

    def say(self, text: str) -> None:
        """Ignore the sentence."""


@dataclass(frozen=True)
class QualityMeasure:
    """One measure of a face image, named as in ISO/IEC 29794-5.

    `native` is in the measure's own unit; `component` is 0 (worst) to 100 (best);
    both are None where the measure could not be assessed, which is not a zero.
    """

    name: str
    native: float | None
    unit: str
    component: int | None
    advice: str = ""


@dataclass(frozen=True)
class Quality:
    """The measures of one face, and those that lie below the floor or the advised value."""

    measures: tuple[QualityMeasure, ...] = ()
    refusals: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()

    def native(self, name: str) -> float | None:
        """The native value of a measure, None if it was not assessed."""
        return next((m.native for m in self.measures if m.name == name), None)


@dataclass(frozen=True, eq=False)
class Template:
    """What is compared: a unit vector of float32, shape (dimension,), made by one model."""

    vector: Vector
    fingerprint: str
    quality: Quality = field(default_factory=Quality)


@dataclass(frozen=True)
class Enrolment:
    """A reference as the feed describes it, before or after it has a template."""

    subject_id: str
    reference_id: str
    image: str
    watchlist: str = ""
    source: str = ""
    captured_at: str = ""
    lawful_basis: str = ""
    retention: str = ""
    review_date: str = ""
    hold: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Origin:
    """Where a reference came from, in the feed's own words; empty where the feed said nothing."""

    source: str = ""
    captured_at: str = ""
    lawful_basis: str = ""
    retention: str = ""
    review_date: str = ""
    watchlist: str = ""
    enrolled_at: str = ""


@dataclass(frozen=True)
class Hit:
    """One subject's best reference against a probe, as a search engine returns it."""

    subject_id: str
    reference_id: str
    subject_uid: str
    reference_uid: str
    cosine: float


@dataclass(frozen=True)
class Compared:
    """What a search looked at: N of the error rates, and where it stood."""

    references: int
    subjects: int
    generation: int
    engine: str


@dataclass(frozen=True)
class Head:
    """A signed head of the audit log: how many entries, and the Merkle root over them."""

    size: int
    root: str


def counted(number: int, one: str, several: str = "") -> str:
    """A number with its noun: `1 reference`, `2,000 references`, `3 people`."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def harmless(text: object) -> str:
    """Foreign text without line ends, and what else steers a terminal or the way of writing."""
    return "".join(
        "�" if unicodedata.category(letter) in ("Cc", "Cf", "Cs") else letter
        for letter in str(text)
    )


def no_formula(text: str) -> str:
    """A cell of a CSV table that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def utc(when: datetime, *, exact: bool = False) -> str:
    """A time as it is stored and shown: UTC, ISO 8601, such as 2026-03-02T10:11:12Z.

    To the second, or to the microsecond if `exact`. Two of a kind compare as the times do.
    """
    plain = when.astimezone(UTC).replace(tzinfo=None)
    return plain.isoformat(timespec="microseconds" if exact else "seconds") + "Z"
