"""What a run of an enrolment refused, and the file of `--rejects`."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from fr_cli.errors import ConfigurationError

#: Refusals that are still known at the end of a run; the file has them all.
LISTED = 10_000


@dataclass(frozen=True)
class Reject:
    """One line of the feed that was not enrolled, and why."""

    line: int
    subject_id: str
    image: str
    error: str
    reason: str


class Rejects:
    """What is refused: counted, the first kept, all written to the file of `--rejects`.

    The file is opened before anything is enrolled, so that it cannot fail after.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.count = 0
        self.first: list[Reject] = []

    def __enter__(self) -> Rejects:
        try:
            self._file = self._path.open("w", newline="") if self._path else None
        except OSError as trouble:
            raise ConfigurationError(
                f"The file of rejects {self._path} cannot be written: {trouble.strerror}.",
                hint="Choose another path for --rejects.",
            ) from trouble
        if self._file:
            self._table = csv.writer(self._file)
            self._table.writerow(("line", "subject_id", "image", "error", "reason"))
        return self

    def take(self, reject: Reject) -> None:
        """Count one."""
        self.count += 1
        if len(self.first) < LISTED:
            self.first.append(reject)
        if self._file:
            self._table.writerow(
                (reject.line, reject.subject_id, reject.image, reject.error, reject.reason)
            )

    def __exit__(self, *exception: object) -> None:
        if self._file:
            self._file.close()
