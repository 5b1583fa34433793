"""What a model refuses in a document, in words: line, key, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from fr_cli.authority.parsing import Document, Place, Problem, dotted

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

SHOWN = "The reference page on the configuration explains every key."
_WORDS = {
    "missing": "is missing",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be a text",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "is not of the form that it must have",
    "date_type": "must be a day, such as 2027-03-31",
    "tuple_type": "must be a list, such as [one, two]",
    "too_short": "must have at least {min_length} entry",
    "dict_type": "must be keys with values, not one value",
    "model_type": "must be keys with values, not one value",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be {expected}",
    "value_error": "{error}",
}


def faults(trouble: ValidationError, document: Document, model: type[BaseModel]) -> list[Problem]:
    """The problems behind an error of validation."""
    return [
        _fault(error, document, model)
        for error in trouble.errors(include_url=False)
        # A list of which an entry is refused is not too short besides.
        if not (error["type"] == "too_short" and error["input"])
    ]


def _fault(error: ErrorDetails, document: Document, model: type[BaseModel]) -> Problem:
    # A fault of a key itself has a loc that ends in "[key]".
    place: Place = tuple(part for part in error["loc"] if part != "[key]")
    message, hint = _said(error), SHOWN
    if error["type"] == "extra_forbidden":
        known = sorted(_names(model, place[:-1]))
        message, hint = "is not a key of the policy", _meant(str(place[-1]), known)
    elif error["type"] == "literal_error":
        context: Mapping[str, Any] = error.get("ctx", {})
        known = [
            one.strip("'") for one in str(context["expected"]).replace(" or ", ", ").split(", ")
        ]
        hint = _meant(str(error["input"]), known)
    elif error["type"] == "missing":
        hint = f"Add it. {SHOWN}"
    return Problem(document.line(place), dotted(place), message, hint)


def _said(error: ErrorDetails) -> str:
    words = _WORDS.get(error["type"])
    if not error["loc"] and error["input"] is None:
        return "is empty"
    if words is None:
        return f"is refused: {error['msg']}"
    said = words.format_map(error.get("ctx", {}))
    given = error["input"]
    if error["type"] != "missing" and isinstance(given, str | int | float):
        text = repr(given)
        said += f", and is {text if len(text) <= 40 else text[:37] + '…'}"
    return said


def _meant(given: str, known: list[str]) -> str:
    close = difflib.get_close_matches(given, known, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    return f"Known here: {', '.join(known)}." if known else SHOWN


def _names(model: type[BaseModel], place: Place) -> set[str]:
    """The keys that a place may have."""
    kinds: set[Any] = {model}
    for part in place:
        kinds = {inner for kind in kinds for inner in _inside(kind, str(part))}
    return {name for kind in kinds if _is_model(kind) for name in kind.model_fields}


def _inside(kind: Any, name: str) -> Iterator[Any]:
    """What may stand at a name within a kind of value: a model, or within a mapping or a union."""
    if _is_model(kind):
        if name in kind.model_fields:
            yield from _parts(kind.model_fields[name].annotation)
    else:
        yield from _parts(kind)


def _parts(kind: Any) -> Iterator[Any]:
    yield kind
    for inner in get_args(kind):
        yield from _parts(inner)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
