"""Pairs of subjects that must not count as strangers: one person under two names, or kin."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from fr_cli.errors import UsageProblem

Pairs = frozenset[frozenset[str]]


@dataclass(frozen=True)
class Exclusions:
    """`same` are label errors, and never compared; `kin` are real, reported with and without."""

    same: Pairs = frozenset()
    kin: Pairs = frozenset()

    @property
    def every(self) -> Pairs:
        """Both."""
        return self.same | self.kin


def read_exclusions(path: Path | None) -> Exclusions:
    """Read the columns subject_a, subject_b, and kind: `same` (also where it is missing) or `kin`.

    Raises UsageProblem for a table that cannot be read, or another word in `kind`.
    """
    if path is None:
        return Exclusions()
    pairs: dict[str, set[frozenset[str]]] = {"same": set(), "kin": set()}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line in csv.DictReader(file):
                kind = (line.get("kind") or "same").strip()
                if kind not in pairs:
                    raise ValueError(f"the kind is {kind!r}, not same or kin")
                pairs[kind].add(frozenset((line["subject_a"].strip(), line["subject_b"].strip())))
    except (OSError, ValueError, csv.Error, KeyError, AttributeError) as trouble:
        raise UsageProblem(
            f"The exclusions {path} cannot be read: {trouble}.",
            hint="Give a CSV table with the columns subject_a and subject_b, and if wanted kind.",
        ) from trouble
    return Exclusions(frozenset(pairs["same"]), frozenset(pairs["kin"]))
