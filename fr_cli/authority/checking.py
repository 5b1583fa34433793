"""Data held against the class that it is to become: each fault with its line, key and what to do.

The class is a frozen dataclass; its annotations say what a value must be. Strictly: "6" is not 6,
true is not 1, and .nan, which is neither below a floor nor above it, is no number. Every command
reads a policy, and a library for this costs a tenth of a search.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from fr_cli.authority.parsing import Document, Place, Problem, dotted

T = TypeVar("T")

SHOWN = "The reference page on the configuration explains every key."
_KEYS = "must be keys with values, not one value"
#: Stands for a value in which a fault was found.
_WRONG: Any = object()


@dataclasses.dataclass(frozen=True)
class Must:
    """Bounds of a number, or of the length of a text or a list; the `form` of a whole text."""

    least: float | None = None
    most: float | None = None
    more: float | None = None
    less: float | None = None
    form: str = ""


def checked(kind: type[T], document: Document) -> tuple[T | None, list[Problem]]:
    """The data as this class, or None and what is wrong with it.

    A class may have a static method `contradictions`, which gets the values without a fault by
    name, and yields (name, what is wrong) for those that do not go together.
    """
    check = _Check(document)
    found = check.value(kind, document.data, ())
    return (None if check.problems else found), check.problems


def document_of(value: Any) -> Any:
    """What a checked value holds, as JSON knows it: a day as text, a list for a tuple."""
    if dataclasses.is_dataclass(value):
        names = [one.name for one in dataclasses.fields(value)]
        return {name: document_of(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {name: document_of(inner) for name, inner in value.items()}
    if isinstance(value, tuple):
        return [document_of(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


class _Check:
    """One walk over a document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.problems: list[Problem] = []

    def value(self, kind: Any, given: Any, place: Place) -> Any:
        """The value of a kind that is meant, or `_WRONG` after its fault was noted."""
        origin, inner = get_origin(kind), get_args(kind)
        if origin is Annotated:
            found = self.value(inner[0], given, place)
            fault = "" if found is _WRONG else _outside(found, inner[1])
            return self._wrong(place, fault, given) if fault else found
        if origin in (Union, UnionType):  # with None, and with nothing else
            return None if given is None else self.value(inner[0], given, place)
        if origin is Literal:
            return self._one_of(inner, given, place)
        if origin is tuple:
            return self._list(inner[0], given, place)
        if origin is not None:
            return self._mapping(inner, given, place)
        if dataclasses.is_dataclass(kind):
            return self._object(kind, given, place)
        found, fault = _SIMPLE[kind](given)
        return self._wrong(place, fault, given) if fault else found

    def _wrong(self, place: Place, message: str, given: Any = None, hint: str = SHOWN) -> Any:
        if isinstance(given, str | int | float):
            text = repr(given)
            message += f", and is {text if len(text) <= 40 else text[:37] + '…'}"
        self.problems.append(Problem(self._document.line(place), dotted(place), message, hint))
        return _WRONG

    def _one_of(self, known: tuple[Any, ...], given: Any, place: Place) -> Any:
        if any(type(given) is type(one) and given == one for one in known):
            return given
        *others, last = map(repr, known)
        expected = f"{', '.join(others)} or {last}" if others else last
        return self._wrong(place, f"must be {expected}", given, _meant(given, map(str, known)))

    def _list(self, kind: Any, given: Any, place: Place) -> Any:
        if not isinstance(given, list | tuple):
            return self._wrong(place, "must be a list, such as [one, two]", given)
        found = tuple(self.value(kind, one, (*place, at)) for at, one in enumerate(given))
        return _WRONG if _WRONG in found else found

    def _mapping(self, kinds: tuple[Any, ...], given: Any, place: Place) -> Any:
        if not isinstance(given, dict):
            return self._wrong(place, _KEYS, given)
        name, kind = kinds
        found = {
            self.value(name, key, (*place, key)): self.value(kind, one, (*place, key))
            for key, one in given.items()
        }
        return _WRONG if _WRONG in (*found, *found.values()) else found

    def _object(self, kind: Any, given: Any, place: Place) -> Any:
        if not isinstance(given, dict):
            return self._wrong(place, _KEYS if place or given is not None else "is empty", given)
        fields, found = dataclasses.fields(kind), {}
        for one in fields:
            if one.name in given:
                found[one.name] = self.value(
                    _hints(kind)[one.name], given[one.name], (*place, one.name)
                )
            elif one.default is not dataclasses.MISSING:
                found[one.name] = one.default
            elif one.default_factory is not dataclasses.MISSING:
                found[one.name] = one.default_factory()
            else:
                hint = f"Add it. {SHOWN}"
                found[one.name] = self._wrong((*place, one.name), "is missing", hint=hint)
        known = sorted(one.name for one in fields)
        strange = [name for name in given if name not in known]
        for name in strange:
            self._wrong((*place, name), "is not a key of the policy", hint=_meant(name, known))
        good = {name: one for name, one in found.items() if one is not _WRONG}
        wrong = strange or len(good) < len(found)
        for name, message in getattr(kind, "contradictions", _none)(good):
            wrong = True
            self._wrong((*place, name), message)
        return _WRONG if wrong else kind(**good)


def _none(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from ()


def _outside(found: Any, must: Must) -> str:
    """Which bound a value is beyond; empty if none."""
    text, many = isinstance(found, str), isinstance(found, tuple | Mapping)
    size = len(found) if text or many else found
    if must.least is not None and size < must.least:
        if text:
            return "must not be empty"
        return (
            f"must have at least {must.least:g} entry"
            if many
            else (f"must be at least {must.least:g}")
        )
    if must.most is not None and size > must.most:
        return (
            f"must have at most {must.most:g} characters"
            if text
            else (f"must be at most {must.most:g}")
        )
    if must.more is not None and size <= must.more:
        return f"must be more than {must.more:g}"
    if must.less is not None and size >= must.less:
        return f"must be less than {must.less:g}"
    if must.form and not re.fullmatch(must.form, found):
        return "is not of the form that it must have"
    return ""


def _number(given: Any) -> tuple[Any, str]:
    if type(given) not in (int, float):
        return None, "must be a number"
    try:
        found = float(given)
    except OverflowError:
        return None, "must be a finite number"
    return found, "" if math.isfinite(found) else "must be a finite number"


def _text(given: Any) -> tuple[Any, str]:
    # The halves of letters that \ud800 stands for cannot be written to the log.
    good = type(given) is str and not re.search("[\ud800-\udfff]", given)
    return given, "" if good else "must be a text"


def _exactly(kind: type, fault: str) -> Any:
    return lambda given: (given, "" if type(given) is kind else fault)


#: What reads each simple kind of value: what it is, and what is wrong with it.
_SIMPLE = {
    float: _number,
    str: _text,
    int: _exactly(int, "must be a whole number"),
    bool: _exactly(bool, "must be true or false"),
    date: _exactly(date, "must be a day, such as 2027-03-31"),
}


def _meant(given: Any, names: Iterable[str]) -> str:
    import difflib

    known = list(names)
    close = difflib.get_close_matches(str(given), known, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    return f"Known here: {', '.join(known)}."
