"""What an owner decides about weights: kept whole, read strictly, the home's own count."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import pytest
import yaml

from fr_cli.errors import ConfigurationError, WeightsWrong
from fr_cli.face import weights
from fr_cli.face.catalogue import Model, named
from fr_cli.face.choices import FILE, accept, accepted, check_licence, pin, resolved
from fr_cli.face.pipeline import fingerprint

DATA = b"weights that somebody got elsewhere"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "downloaded"
    path.write_bytes(DATA)
    return path


def test_what_is_pinned_is_found_loaded_and_in_the_fingerprint(tmp_path: Path, file: Path) -> None:
    home, account = tmp_path / "home", tmp_path / "account"
    unpinned = named("OpenFace")
    with pytest.raises(WeightsWrong, match="Nobody has said") as caught:
        weights.load(unpinned, [home])
    assert "fr models pin OpenFace FILE" in caught.value.hint
    with pytest.raises(WeightsWrong, match="Nobody has said"):
        fingerprint("OpenFace", [home])
    pinned = pin(unpinned, file, home)
    assert pinned.sha256 == hashlib.sha256(DATA).hexdigest()
    assert resolved("OpenFace", [home, account]) == pinned
    assert weights.load(pinned, [home]) == DATA
    first = fingerprint("OpenFace", [home])
    file.write_bytes(DATA + b"!")
    pin(unpinned, file, home)
    assert fingerprint("OpenFace", [home]) != first
    # A pin of the account is no decision of this home.
    assert resolved("OpenFace", [account, home]) == unpinned


def test_a_pinned_file_that_was_changed_is_not_loaded(tmp_path: Path, file: Path) -> None:
    pinned = pin(named("OpenFace"), file, tmp_path)
    (tmp_path / pinned.file).write_bytes(DATA[::-1])
    with pytest.raises(WeightsWrong, match="is not the file"):
        weights.load(resolved("OpenFace", [tmp_path]), [tmp_path])


def test_a_known_hash_cannot_be_pinned_away(tmp_path: Path, file: Path) -> None:
    with pytest.raises(ConfigurationError, match="knows which bytes"):
        pin(named("SFace"), file, tmp_path)
    (tmp_path / FILE).write_text(
        yaml.safe_dump({"pins": {"SFace": {"sha256": "0" * 64, "size": 1}}})
    )
    assert resolved("SFace", [tmp_path]) == named("SFace")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WeightsWrong, match="No such file"):
        pin(named("OpenFace"), tmp_path / "none", tmp_path)


def test_a_licence_is_accepted_by_its_words(tmp_path: Path) -> None:
    model = named("w600k_mbf")
    with pytest.raises(ConfigurationError, match="not accepted") as caught:
        check_licence(model, [tmp_path])
    assert "--accept-licence" in caught.value.hint
    accept([model], tmp_path)
    check_licence(model, [tmp_path])
    with pytest.raises(
        ConfigurationError, match="not accepted"
    ):  # by the account, not by this home
        check_licence(model, [tmp_path / "home", tmp_path])
    assert accepted(model, tmp_path)
    changed: Model = dataclasses.replace(model, licence="another")
    assert not accepted(changed, tmp_path)
    check_licence(named("SFace"), [])


def test_both_decisions_are_kept_together(tmp_path: Path, file: Path) -> None:
    accept([named("w600k_mbf")], tmp_path)
    pin(named("OpenFace"), file, tmp_path)
    accept([named("EdgeFace-S")], tmp_path)
    kept = yaml.safe_load((tmp_path / FILE).read_text())
    assert set(kept["licences"]) == {"w600k_mbf", "EdgeFace-S"}
    assert set(kept["pins"]) == {"OpenFace"}
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    "text",
    ["[", "- 1", "pins: 3", "pins: {OpenFace: 3}", "pins: {OpenFace: {sha256: ab, size: x}}"],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ConfigurationError):
        resolved("OpenFace", [tmp_path])


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match="No space left"):
        accept([named("w600k_mbf")], tmp_path)
    assert list(tmp_path.iterdir()) == []
