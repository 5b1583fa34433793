"""A calibration survives JSON unchanged, and a damaged document says what is wrong with it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from fr_cli.decision.document import calibration_from_dict, calibration_to_dict
from fr_cli.errors import ConfigurationError

from .examples import made_up_calibration


def document() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(json.dumps(calibration_to_dict(made_up_calibration())))
    return read


def test_there_and_back() -> None:
    assert calibration_from_dict(document()) == made_up_calibration()
    assert json.dumps(calibration_to_dict(made_up_calibration()), allow_nan=False)


@pytest.mark.parametrize("field", sorted(set(document()) - {"note", "site_references"}))
def test_every_field_is_needed(field: str) -> None:
    damaged = document()
    del damaged[field]
    with pytest.raises(ConfigurationError, match=f"lacks {field}") as caught:
        calibration_from_dict(damaged)
    assert caught.value.code == 3


def test_a_note_and_the_site_are_not_needed() -> None:
    damaged = document()
    del damaged["note"]
    del damaged["site_references"]
    assert calibration_from_dict(damaged).note == ""
    assert calibration_from_dict(damaged).site_references is None


@pytest.mark.parametrize("size", [0, -5, 1.5, "many", True])
def test_a_site_of_no_references(size: object) -> None:
    with pytest.raises(ConfigurationError, match="site_references"):
        calibration_from_dict({**document(), "site_references": size})


@pytest.mark.parametrize(
    ("path", "value", "wrong"),
    [
        (["schema"], "fr/calibration/2", "schema"),
        (["extra"], 1, "unknown extra"),
        (["data"], [], "data is not an object"),
        (["data", "images"], 3.5, "data.images"),
        (["data", "subjects"], True, "data.subjects"),
        (["data", "subjects"], 1, "subjects"),
        (["data", "sha256"], "abc", "sha256"),
        (["tail", "xi"], math.nan, "tail.xi is not finite"),
        (["tail", "xi"], "0", "tail.xi"),
        (["tail", "beta"], -1.0, "beta"),
        (["tail", "u"], 10**400, "tail.u"),
        (["table"], "none", "table"),
        (["table", 0], [0.1], r"table\[0\]"),
        (["table", 1], [-0.9, 0.5], "cosines must rise and FMR fall"),
        (["table", 1, 1], 0.999, "cosines must rise and FMR fall"),
        (["table", 1, 1], math.inf, "not a number|not finite"),
        (["draws", 3], [1e-4, 0.1], r"draws\[3\]"),
        (["draws", 3, 1], 2.0, "xi"),
        (["smallest_fmr"], 0, "smallest_fmr"),
        (["largest_impostor"], None, "largest_impostor"),
        (["made"], "yesterday", "made"),
        (["note"], 5, "note"),
    ],
)
def test_what_is_wrong_is_said(path: list[Any], value: object, wrong: str) -> None:
    damaged = document()
    part: Any = damaged
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    with pytest.raises(ConfigurationError, match=wrong):
        calibration_from_dict(damaged)


def test_no_object_at_all() -> None:
    with pytest.raises(ConfigurationError, match="not an object"):
        calibration_from_dict([])  # type: ignore[arg-type]
