"""As much of JSON Schema (2020-12) as docs/reference uses, for the tests alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

EVALUATE = Path(__file__).parents[2] / "docs" / "reference" / "evaluate.schema.json"
_KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,),
    "number": (int, float), "boolean": (bool,), "null": (type(None),),
}  # fmt: skip
_KNOWN = {
    "$ref", "$defs", "$schema", "title", "description", "type", "enum", "minimum", "maximum",
    "properties", "required", "additionalProperties", "items", "anyOf",
}  # fmt: skip


def faults(document: Any, schema: dict[str, Any] | None = None) -> list[str]:
    """Where the document is not as the schema says; by default that of `fr evaluate`."""
    root = schema or json.loads(EVALUATE.read_text(encoding="utf-8"))
    return list(_faults(document, root, root, "$"))


def _faults(value: Any, rule: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    assert rule.keys() <= _KNOWN, rule.keys() - _KNOWN
    if "$ref" in rule:
        rule = root["$defs"][rule["$ref"].removeprefix("#/$defs/")]
    if "anyOf" in rule:
        if all(any(_faults(value, one, root, at)) for one in rule["anyOf"]):
            yield f"{at}: none of the alternatives"
        return
    kinds = rule.get("type", list(_KINDS))
    if not any(_is(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        yield f"{at}: {type(value).__name__} is not {kinds}"
        return
    if "enum" in rule and value not in rule["enum"]:
        yield f"{at}: {value!r} is not one of {rule['enum']}"
    if _is(value, "number"):
        if value < rule.get("minimum", value) or value > rule.get("maximum", value):
            yield f"{at}: {value} is out of range"
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from _faults(one, rule.get("items", {}), root, f"{at}[{place}]")
    elif isinstance(value, dict):
        named = rule.get("properties", {})
        yield from (f"{at}: lacks {name}" for name in rule.get("required", []) if name not in value)
        rest = rule.get("additionalProperties", {})
        for name, one in value.items():
            if name in named:
                yield from _faults(one, named[name], root, f"{at}.{name}")
            elif rest is False:
                yield f"{at}: {name} is not known"
            else:
                yield from _faults(one, rest, root, f"{at}.{name}")


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _KINDS[kind])
