"""Scores of another system: a CSV table or JSON lines, one comparison a line, strictly read.

What a line may say is in docs/reference/scores.md. A million lines take seconds; only numbers
are kept of them.
"""

from __future__ import annotations

import csv
import json
import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from fr_cli.errors import UsageProblem
from fr_cli.operations.manifest import BadRow
from fr_cli.records import Listener

if TYPE_CHECKING:
    from fr_cli.evaluation.listed import Listed

COLUMNS = ("probe", "probe_subject", "reference", "reference_subject", "score")
_TRUE, _FALSE = ("1", "true", "yes"), ("0", "false", "no")
_HINT = "Correct the line: no rate is given for a list that contradicts itself."


@dataclass(frozen=True, eq=False)
class ScoreList:
    """A list of scores with the names behind its numbers; `groups` has the columns asked for."""

    listed: Listed
    subjects: Sequence[str]
    probes: Sequence[str]
    groups: Sequence[dict[str, str]]
    bad_rows: list[BadRow]


def read_scores(path: Path, listener: Listener, columns: tuple[str, ...] = ()) -> ScoreList:
    """Read a list. Raises UsageProblem, naming the line, for one that contradicts itself."""
    reading = _Reading(path, columns)
    for line, values in listener.track(_lines(path, columns), "Reading"):
        reading.take(line, values)
    return reading.finished()


def _lines(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """The line's number and its fields, in the order of COLUMNS, `acquired`, and `columns`."""
    wanted = (*COLUMNS, "acquired", *columns)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() in {".jsonl", ".ndjson"}:
                for line, text in enumerate(file, 1):
                    if text.strip():
                        yield line, _fields(path, line, text, wanted)
                return
            table = csv.reader(file, strict=True)
            header = next(table, [])
            _check_header(path, header, columns)
            places = [header.index(name) if name in header else -1 for name in wanted]
            for values in table:
                if len(values) != len(header):
                    if not values:
                        continue
                    _refuse(path, table.line_num, f"it has {len(values)} fields")
                yield table.line_num, ["" if at < 0 else values[at].strip() for at in places]
    except (OSError, UnicodeDecodeError, csv.Error) as trouble:
        raise UsageProblem(
            f"The scores {path} cannot be read: {trouble}.",
            hint=f"Give a CSV table (UTF-8) with the columns {', '.join(COLUMNS)}, or JSON lines.",
        ) from trouble


def _check_header(path: Path, header: list[str], columns: tuple[str, ...]) -> None:
    missing = [name for name in (*COLUMNS, *columns) if name not in header]
    if missing:
        raise UsageProblem(
            f"The scores {path} lack the column {' and '.join(missing)}.",
            hint=f"The first line names the columns: {', '.join(COLUMNS)}.",
        )


def _fields(path: Path, line: int, text: str, wanted: tuple[str, ...]) -> list[str]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        _refuse(path, line, "it is not a JSON object")
    said = [values.get(name) for name in wanted]
    return ["" if value is None else str(value).strip() for value in said]


def _refuse(path: Path, line: int, why: str) -> NoReturn:
    raise UsageProblem(f"{path}, line {line}: {why}.", hint=_HINT)


class _Names:
    """Photographs of one role: their numbers, subjects, the lines that introduced them."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.numbers: dict[str, int] = {}
        self.subjects = array("q")
        self.lines = array("q")
        #: 1: known to be usable, 0: known to have failed, −1: not known yet
        self.usable = array("b")


@dataclass
class _Reading:
    """The list so far, as numbers."""

    path: Path
    columns: tuple[str, ...]
    subjects: dict[str, int] = field(default_factory=dict)
    groups: list[dict[str, str]] = field(default_factory=list)
    bad_rows: list[BadRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.probes, self.references = _Names("probe"), _Names("reference")
        self.probe, self.reference = array("q"), array("q")
        self.score, self.line = array("d"), array("q")

    def take(self, line: int, values: list[str]) -> None:
        """One line: a comparison, or what became of a photograph that was not compared."""
        probe, probe_subject, reference, reference_subject, text, acquired, *groups = values
        usable = self._usable(line, acquired)
        if not probe and not reference:
            _refuse(self.path, line, "it names neither a probe nor a reference")
        for name, subject, role in (
            (probe, probe_subject, "probe"),
            (reference, reference_subject, "reference"),
        ):
            if bool(name) != bool(subject):
                _refuse(self.path, line, f"{role} and {role}_subject belong together")
        if text:
            if not probe or not reference:
                _refuse(self.path, line, "a score needs both a probe and a reference")
            if usable is False:
                _refuse(self.path, line, "it has a score, but says that nothing was acquired")
            score = self._number(line, text)
            one = self._photograph(line, self.probes, probe, probe_subject, 1)
            other = self._photograph(line, self.references, reference, reference_subject, 1)
            if probe == reference:
                self.bad_rows.append(
                    BadRow(line, "", "probe and reference are the same photo, which is compared "
                           "with itself")
                )  # fmt: skip
            else:
                self.probe.append(one)
                self.reference.append(other)
                self.score.append(score)
                self.line.append(line)
        elif probe:
            # An empty list: searched, nobody found. Without a word of it: a failure to acquire.
            one = self._photograph(line, self.probes, probe, probe_subject, int(usable or 0))
            if reference:
                self._photograph(line, self.references, reference, reference_subject, -1)
        else:
            state = int(usable or 0)
            self._photograph(line, self.references, reference, reference_subject, state)
        if probe:
            self._group(line, self.probes.numbers[probe], groups)

    def _usable(self, line: int, text: str) -> bool | None:
        if text.lower() in _TRUE:
            return True
        if text.lower() in _FALSE:
            return False
        if text:
            _refuse(self.path, line, f"acquired is {text!r}, neither true nor false")
        return None

    def _number(self, line: int, text: str) -> float:
        try:
            score = float(text)
        except ValueError:
            _refuse(self.path, line, f"the score {text!r} is not a number")
        if not math.isfinite(score):
            _refuse(self.path, line, f"the score is {text}; every score must be a finite number")
        return score

    def _photograph(self, line: int, names: _Names, name: str, subject: str, state: int) -> int:
        whose = self.subjects.setdefault(subject, len(self.subjects))
        known = names.numbers.get(name)
        if known is None:
            names.numbers[name] = len(names.subjects)
            names.subjects.append(whose)
            names.lines.append(line)
            names.usable.append(state)
            return len(names.subjects) - 1
        if names.subjects[known] != whose:
            before = names.lines[known]
            _refuse(
                self.path, line,
                f"the {names.role} is of another subject than on line {before}",
            )  # fmt: skip
        if state >= 0 and names.usable[known] >= 0 and names.usable[known] != state:
            before = names.lines[known]
            _refuse(
                self.path, line,
                f"the {names.role} has a score and a failure (see line {before})",
            )  # fmt: skip
        names.usable[known] = max(state, names.usable[known])
        return known

    def _group(self, line: int, probe: int, groups: list[str]) -> None:
        said = dict(zip(self.columns, groups, strict=True))
        if probe == len(self.groups):
            self.groups.append(said)
        elif said != self.groups[probe]:
            _refuse(self.path, line, "the probe is in another group than before")

    def finished(self) -> ScoreList:
        """The whole list; UsageProblem if it is empty, or lists a pair twice."""
        import numpy as np

        from fr_cli.evaluation.listed import Listed

        if not self.score:
            raise UsageProblem(
                f"{self.path} holds no score of a probe against a reference.", hint=_HINT
            )
        for name, number in self.probes.numbers.items():
            other = self.references.numbers.get(name)
            if other is None:
                continue
            if self.references.subjects[other] != self.probes.subjects[number]:
                line = max(self.references.lines[other], self.probes.lines[number])
                _refuse(self.path, line, "the photo has another subject as probe than as reference")
        probe, reference = (
            np.frombuffer(self.probe, np.int64),
            np.frombuffer(self.reference, np.int64),
        )
        key = probe * len(self.references.subjects) + reference
        order = np.argsort(key, kind="stable")
        again = np.flatnonzero(key[order][1:] == key[order][:-1])
        if again.size:
            first = order[again[0]]
            _refuse(
                self.path, self.line[order[again[0] + 1]],
                f"the same two photos as on line {self.line[first]}",
            )  # fmt: skip
        itself = [self.references.numbers.get(name, -1) for name in self.probes.numbers]
        listed = Listed(
            probe, reference, np.frombuffer(self.score, np.float64),
            np.frombuffer(self.probes.subjects, np.int64),
            np.frombuffer(self.references.subjects, np.int64),
            np.frombuffer(self.probes.usable, np.int8) != 0,
            np.frombuffer(self.references.usable, np.int8) != 0,
            np.array(itself, np.int64), len(self.subjects),
        )  # fmt: skip
        return ScoreList(
            listed, list(self.subjects), list(self.probes.numbers), self.groups, self.bad_rows
        )
