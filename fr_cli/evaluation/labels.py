"""Which group a photograph counts in: the labels of a table, and what is wrong with them.

Nothing is guessed and nothing is merged: "Female" and "female " are two labels until whoever owns
the table says otherwise, and a gate does not open while they are.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: What tables write where nothing is known. Such a photo is in no group.
UNKNOWN = frozenset(
    {"", "na", "n/a", "nan", "none", "null", "unknown", "not known", "not stated", "-", "?"}
)


@dataclass(frozen=True, eq=False)
class Grouping:
    """Photographs by the labels of one column, or of several together.

    columns   the columns' names
    names     the groups, sorted; each the labels of the columns in their order
    codes     (n,) int64: the group of each photograph as a place in `names`, −1 for none
    problems  sentences: what a reader must know before believing a comparison of these groups
    """

    columns: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    codes: NDArray[np.int64]
    problems: tuple[str, ...]

    def label(self, code: int) -> str:
        """A group's name in one piece."""
        return " · ".join(self.names[code])

    @property
    def labels(self) -> tuple[str, ...]:
        """All groups' names in one piece each."""
        return tuple(map(self.label, range(len(self.names))))


def grouping(columns: tuple[str, ...], rows: Sequence[Mapping[str, str]]) -> Grouping:
    """The photographs grouped by the labels of these columns together; one row a photograph."""
    labels = [tuple(row.get(name, "") for name in columns) for row in rows]
    known = [all(_form(part) not in UNKNOWN for part in label) for label in labels]
    names = sorted({label for label, is_known in zip(labels, known, strict=True) if is_known})
    place = {name: code for code, name in enumerate(names)}
    codes = [
        place[label] if is_known else -1 for label, is_known in zip(labels, known, strict=True)
    ]
    return Grouping(
        columns, tuple(names), np.array(codes, np.int64), tuple(_problems(columns, names, known))
    )


def _problems(
    columns: tuple[str, ...], names: Sequence[tuple[str, ...]], known: Sequence[bool]
) -> list[str]:
    what, problems = " and ".join(columns), []
    missing = len(known) - sum(known)
    if missing:
        problems.append(
            f"{missing:,} of {len(known):,} photos have no label for {what}; they are in no group."
        )
    for place, column in enumerate(columns):
        for spellings in _spellings(sorted({name[place] for name in names})):
            quoted = " and ".join(map(repr, spellings))
            problems.append(
                f"{column} has one label in several spellings: {quoted}. They are counted as "
                "different groups: mend the table."
            )
    if len(names) < 2:
        problems.append(f"{what} makes one group only, so there is nothing to compare."
                        if names else f"Nobody has a label for {what}.")  # fmt: skip
    return problems


def _spellings(names: Sequence[str]) -> list[list[str]]:
    """Labels that differ in case, blanks or form of their letters only."""
    forms: dict[str, list[str]] = {}
    for name in names:
        forms.setdefault(_form(name), []).append(name)
    return [same for same in forms.values() if len(same) > 1]


def _form(label: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", label).casefold().split())
