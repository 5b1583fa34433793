"""Attack: an approval that was given for one home is brought to another of the same people."""

from __future__ import annotations

from pathlib import Path

import yaml

from .two_people import Station


def test_another_origin(pair: Station, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Station.make(tmp_path / "other")
    other.policy(**yaml.safe_load((pair.home / "policy.yaml").read_text()))
    other.keys = pair.keys
    request = pair.ask()
    said = other.refused(request.data, pair.sign(request.data))
    assert said == f"The request is for another home: {request.origin}."


def test_a_copy_of_the_home_from_before_the_request(pair: Station, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    copy = pair.copy(tmp_path / "copy")
    request = pair.ask()
    said = copy.refused(request.data, pair.sign(request.data))
    assert said == "The log of this home does not know this request."
