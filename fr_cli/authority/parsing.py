"""YAML read with the line of every key, so that each fault of a policy can be shown in its place.

Narrower than YAML: a key stands once, and a value is written where it counts (no alias), so that
what a person reads is what holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

#: A place in the document: keys and, in lists, numbers from 0.
Place: TypeAlias = tuple[str | int, ...]
#: Bytes of a policy that is read.
LONGEST = 1 << 20
_POWER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]{1,3}")


@dataclass(frozen=True)
class Problem:
    """One fault: its line (from 1), its key (with dots; empty for the file), and what to do."""

    line: int
    key: str
    message: str
    hint: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.key or 'the file'} {self.message}"


@dataclass(frozen=True)
class Document:
    """A file taken apart: its data, the line of each place, and what is wrong with its form."""

    data: Any
    lines: dict[Place, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def line(self, place: Place) -> int:
        """The line of a place, else of what it would stand in."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def dotted(place: Place) -> str:
    """A place as it is said: `reasons.wanted.legal_basis`, `operators.pc1.roles[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".")


def parse(data: bytes) -> Document:
    """Take a file apart; what cannot be read at all has no data and one problem."""
    if len(data) > LONGEST:
        return _unreadable(1, f"is longer than {LONGEST:,} bytes")
    loader = yaml.SafeLoader(b"")
    try:
        node = yaml.compose(data, Loader=yaml.SafeLoader)
        reading = _Reading(loader)
        found = reading.value(node, ()) if node else None
        return Document(found, reading.lines, tuple(reading.problems))
    except yaml.MarkedYAMLError as trouble:
        mark = trouble.problem_mark or trouble.context_mark
        return _unreadable(mark.line + 1 if mark else 1, f"is not YAML: {trouble.problem}")
    except yaml.reader.ReaderError as trouble:
        line = data[: trouble.position].count(b"\n") + 1
        return _unreadable(line, f"is not text in UTF-8: {trouble.reason}")
    except RecursionError:
        return _unreadable(1, "is nested too deeply")
    finally:
        loader.dispose()


def _unreadable(line: int, message: str) -> Document:
    hint = "Mend the line, or the one before it; a text stands in quotes if it holds : or #."
    return Document(None, {}, (Problem(line, "", message, hint),))


class _Reading:
    """The walk over the nodes of one file."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self._loader = loader
        self._seen: set[int] = set()
        self.lines: dict[Place, int] = {}
        self.problems: list[Problem] = []

    def value(self, node: yaml.Node, place: Place) -> Any:
        """What a node says; the line of each place below it is noted."""
        line = self.lines.setdefault(place, node.start_mark.line + 1)
        if id(node) in self._seen:
            hint = "Write the value out, so that it can be read where it counts."
            self.problems.append(Problem(line, dotted(place), "is an alias (*)", hint))
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return {
                key: self.value(inner, (*place, key)) for key, inner in self._pairs(node, place)
            }
        if isinstance(node, yaml.SequenceNode):
            return [self.value(inner, (*place, at)) for at, inner in enumerate(node.value)]
        try:
            found = self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError) as trouble:  # an unknown tag, or 30 February
            why = trouble.problem if isinstance(trouble, yaml.MarkedYAMLError) else trouble
            message = f"cannot be read: {why}"
            self.problems.append(Problem(line, dotted(place), message, "Write a plain value."))
            return None
        # YAML 1.1 takes 1e-4 for a word; everybody else takes it for a number.
        bare = isinstance(node, yaml.ScalarNode) and not node.style
        return float(found) if bare and _POWER.fullmatch(str(found)) else found

    def _pairs(self, node: yaml.MappingNode, place: Place) -> Iterator[tuple[str, yaml.Node]]:
        """Each key once, with its value; keys are taken as they are written, numbers too."""
        first: dict[str, int] = {}
        for name, inner in node.value:
            line = name.start_mark.line + 1
            if not isinstance(name, yaml.ScalarNode):
                hint = "Write a word, a colon and the value."
                self.problems.append(Problem(line, dotted(place), "has a key that is none", hint))
                continue
            key = str(name.value)
            if key in first:
                message, hint = f"stands twice, first in line {first[key]}", "Remove one of them."
                self.problems.append(Problem(line, dotted((*place, key)), message, hint))
                continue
            first[key] = line
            self.lines[(*place, key)] = line
            yield key, inner
