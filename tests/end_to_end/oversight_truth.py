"""What is true of the story: its searches, counted from what was shown, said and recorded in it.

Nothing of it is read from the log, or worked out by the code that makes the report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

COUNTS = (
    "asked", "answered", "refused", "broken_off", "no_candidate", "inconclusive", "lists",
    "confirmed", "rejected", "unresolved", "undecided", "false",
)  # fmt: skip


class Refusal(NamedTuple):
    """Exit code, name of the error, and what its sentence says."""

    code: int
    error: str
    says: str


@dataclass
class Search:
    """A search as the story knows it: what was shown, decided and came of it."""

    id: str
    operator: str
    reason: str
    place: str
    watchlist: str
    refused: bool
    shown: dict[str, str] = field(default_factory=dict)
    outcomes: list[str] = field(default_factory=list)

    def kind(self) -> str:
        """What became of its candidates."""
        for verdict in ("undecided", "confirmed", "unresolved"):
            if verdict in self.shown.values():
                return verdict
        return "rejected"

    def counts(self) -> Counter[str]:
        """What it adds to the report."""
        found = Counter(asked=1, refused=int(self.refused), answered=int(not self.refused))
        if self.shown:
            found += Counter({"lists": 1, self.kind(): 1})
            found["false"] = int(self.kind() == "rejected" or "false-candidate" in self.outcomes)
        elif not self.refused:
            found["no_candidate"] = 1
        return found


def total(searches: Iterable[Search]) -> dict[str, int]:
    """What the report must say of these searches."""
    found = sum((one.counts() for one in searches), Counter[str]())
    return {name: found[name] for name in COUNTS}
