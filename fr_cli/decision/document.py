"""A calibration as a JSON document of schema "fr/calibration/1": written, and strictly read.

    {"schema": "fr/calibration/1", "fingerprint": "…", "model": "sface", "fusion": "best",
     "data": {"name": "…", "sha256": "…", "subjects": 0, "images": 0, "comparisons": 0},
     "table": [[cosine, fmr], …], "tail": {"u": 0, "p_u": 0, "xi": 0, "beta": 0},
     "draws": [[p_u, xi, beta], …], "smallest_fmr": 0, "largest_impostor": 0,
     "made": "2026-11-23", "note": "", "site_references": null}

Every field but the last two is required and no other is allowed: a threshold must not hang on a
misspelt name. Files and signatures are other rooms' business.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fr_cli.decision.calibration import Calibration, Data, Tail
from fr_cli.errors import ConfigurationError

SCHEMA = "fr/calibration/1"

_FIELDS = frozenset(
    {"schema", "fingerprint", "model", "fusion", "data", "table", "tail", "draws"}
    | {"smallest_fmr", "largest_impostor", "made"}
)
_DATA = frozenset({"name", "sha256", "subjects", "images", "comparisons"})
_TAIL = frozenset({"u", "p_u", "xi", "beta"})


def calibration_to_dict(calibration: Calibration) -> dict[str, Any]:
    """The document of a calibration: only dicts, lists, strings, ints and finite floats."""
    data, tail = calibration.data, calibration.tail
    return {
        "schema": SCHEMA,
        "fingerprint": calibration.fingerprint,
        "model": calibration.model,
        "fusion": calibration.fusion,
        "data": {
            "name": data.name,
            "sha256": data.sha256,
            "subjects": data.subjects,
            "images": data.images,
            "comparisons": data.comparisons,
        },
        "table": [[cosine, fmr] for cosine, fmr in calibration.table],
        "tail": {"u": tail.u, "p_u": tail.p_u, "xi": tail.xi, "beta": tail.beta},
        "draws": [[draw.p_u, draw.xi, draw.beta] for draw in calibration.draws],
        "smallest_fmr": calibration.smallest_fmr,
        "largest_impostor": calibration.largest_impostor,
        "made": calibration.made,
        "note": calibration.note,
        "site_references": calibration.site_references,
    }


def calibration_from_dict(document: Mapping[str, Any]) -> Calibration:
    """The calibration of a document.

    Raises ConfigurationError (exit 3) that says what is wrong: a missing or unknown field, a
    value of the wrong kind or not finite, a table that is not monotone, a tail out of range.
    """
    try:
        return _read(document)
    except ValueError as wrong:
        raise ConfigurationError(
            f"The calibration is not valid: {wrong}.",
            hint="Restore the calibration file, or make it again from the impostor data.",
        ) from wrong


def _read(document: Mapping[str, Any]) -> Calibration:
    _fields(document, "the document", _FIELDS, optional=frozenset({"note", "site_references"}))
    if document["schema"] != SCHEMA:
        raise ValueError(f"schema is {document['schema']!r}, not {SCHEMA!r}")
    data, tail = document["data"], document["tail"]
    _fields(data, "data", _DATA)
    _fields(tail, "tail", _TAIL)
    u = _number(tail["u"], "tail.u")
    size = document.get("site_references")
    made = _text(document["made"], "made")
    try:
        datetime.fromisoformat(made)
    except ValueError:
        raise ValueError(f"made is no ISO 8601 date: {made!r}") from None
    return Calibration(
        fingerprint=_text(document["fingerprint"], "fingerprint"),
        model=_text(document["model"], "model"),
        fusion=_text(document["fusion"], "fusion"),
        data=Data(
            name=_text(data["name"], "data.name"),
            sha256=_text(data["sha256"], "data.sha256"),
            subjects=_count(data["subjects"], "data.subjects"),
            images=_count(data["images"], "data.images"),
            comparisons=_count(data["comparisons"], "data.comparisons"),
        ),
        table=tuple((c, fmr) for c, fmr in _rows(document["table"], "table", 2)),
        tail=Tail(u, *(_number(tail[name], f"tail.{name}") for name in ("p_u", "xi", "beta"))),
        draws=tuple(Tail(u, *row) for row in _rows(document["draws"], "draws", 3)),
        smallest_fmr=_number(document["smallest_fmr"], "smallest_fmr"),
        largest_impostor=_number(document["largest_impostor"], "largest_impostor"),
        made=made,
        note=_text(document.get("note", ""), "note"),
        site_references=None if size is None else _count(size, "site_references"),
    )


def _fields(
    part: object, place: str, needed: frozenset[str], optional: frozenset[str] = frozenset()
) -> None:
    if not isinstance(part, Mapping):
        raise ValueError(f"{place} is not an object")
    for wrong, names in (
        ("lacks", needed - part.keys()),
        ("has unknown", part.keys() - needed - optional),
    ):
        if names:
            raise ValueError(f"{place} {wrong} {', '.join(sorted(map(str, names)))}")


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{place} is not a string")
    return value


def _count(value: object, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{place} is not a whole number")
    return value


def _number(value: object, place: str) -> float:
    # JSON readers accept NaN and Infinity, and whole numbers of a thousand digits.
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > 1e300:
        raise ValueError(f"{place} is not a number")
    if not math.isfinite(value):
        raise ValueError(f"{place} is not finite")
    return float(value)


def _rows(value: object, place: str, width: int) -> list[list[float]]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{place} is not a list")
    for index, row in enumerate(value):
        if not isinstance(row, list | tuple) or len(row) != width:
            raise ValueError(f"{place}[{index}] is not a list of {width} numbers")
    return [[_number(item, f"{place}[{i}]") for item in row] for i, row in enumerate(value)]
