"""`fr models`: licences are accepted in so many words, pins are acts, a home chooses its model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import MappingProxyType

import pytest

from fr_cli.face import catalogue, weights
from fr_cli.face.catalogue import Model
from fr_cli.operations import models as operation
from tests.conftest import MATED, Fr, jpeg, photo, small

LICENCE = "for trying only"


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> Model:
    """A model whose hash nobody knows and whose licence is not free: SFace under another name."""
    model = dataclasses.replace(
        weights.catalogue()["SFace"], name="Mine", engine="onnx", deepface="", file="mine.onnx",
        normalisation="0 to 1", sha256=None, size=None, commercial=False, licence=LICENCE,
        packages=(),
    )  # fmt: skip
    entries = MappingProxyType({**weights.catalogue(), "Mine": model})
    for module in (catalogue, weights, operation):
        monkeypatch.setattr(module, "catalogue", lambda: entries)
    return model


def last(fr: Fr) -> dict[str, object]:
    return fr.log()[-1]


def test_a_home_is_made_for_a_model(tmp_path: Path) -> None:
    home = Fr(tmp_path / "home")
    assert home.json("init", "--model", "Facenet")["model"] == "Facenet"
    assert home.json("status")["model"] == "Facenet"
    for name in ("YuNet", "Reid-0095-graph", "Nonsense"):
        error = Fr(tmp_path / name).json("init", "--model", name, code=3)
        assert "SFace" in error["hint"]
        assert not (tmp_path / name).exists()


def test_what_a_home_needs_is_pulled_and_checked_with_all_its_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "account"))
    home = Fr(tmp_path / "home")
    home.json("init", "--model", "Reid-0095")
    assert home.json("status")["next"] == "fr models pull YuNet Reid-0095 Reid-0095-graph"
    names = [one["name"] for one in home("models", "check", "--json").document["models"]]
    assert names == ["YuNet", "Reid-0095", "Reid-0095-graph"]
    error = home.json("models", "pull", "--from", tmp_path, code=50)
    assert "YuNet" in error["message"]


def test_a_licence_that_is_not_free_must_be_accepted(fresh: Fr, tmp_path: Path) -> None:
    before = len(fresh.log())
    error = fresh.json("models", "pull", "w600k_mbf", "--from", tmp_path, code=2)
    assert "InsightFace" in error["message"]
    assert "--accept-licence" in error["hint"]
    assert len(fresh.log()) == before
    words = ("models", "pull", "w600k_mbf", "--from", tmp_path, "--accept-licence")
    assert "could not be fetched" in fresh.json(*words, code=50)["message"]
    assert not (fresh.home / "models" / "choices.yaml").exists()


def test_a_model_is_pinned_and_used_and_every_answer_names_its_licence(
    mine: Model, fresh: Fr, models: Path, tmp_path: Path
) -> None:
    site = fresh.home / "site.yaml"
    site.write_text(site.read_text().replace("model: SFace", "model: Mine"))
    file = weights.find(weights.catalogue()["SFace"], [models])
    assert (
        "pin Mine FILE" in fresh.json("models", "pull", "Mine", "--accept-licence", code=50)["hint"]
    )
    assert fresh.json("models", "pin", "Mine", file, code=2)["error"] == "UsageProblem"
    pinned = fresh.json("models", "pin", "Mine", file, "--accept-licence")
    assert pinned["sha256"] == weights.catalogue()["SFace"].sha256
    outcome = last(fresh)
    assert (outcome["cmd"], outcome["exit"]) == ("models pin", 0)
    assert outcome["dec"] == {
        "model": "Mine", "sha256": pinned["sha256"], "licences_accepted": ["Mine"],
    }  # fmt: skip
    listed = {one["name"]: one for one in fresh.json("models", "list")["models"]}
    assert listed["Mine"]["pinned"] is True
    assert listed["SFace"]["pinned"] is False
    assert "(pinned)" in fresh("models", "list").stdout
    (tmp_path / "feed" / MATED).mkdir(parents=True)
    portrait = tmp_path / "feed" / MATED / "a.jpg"
    portrait.write_bytes(jpeg(small(MATED, "studio_portrait")))
    assert fresh.json("enroll", tmp_path / "feed")["added"] == 1
    answer = fresh.identify(photo(MATED))
    assert answer["outcome"] == "inconclusive"
    assert "--calibrate" in answer["why"]
    assert any(LICENCE in warning for warning in answer["warnings"])
    # What was recorded at the pin is what is held against the model from then on.
    assert (fresh.home / "models" / "golden.json").exists()
    assert fresh("doctor").code == 0


def test_what_is_no_model_is_not_pinned(mine: Model, fresh: Fr, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"no weights")
    words = ("models", "pin", "Mine", tmp_path / "x", "--accept-licence")
    assert "not weights of Mine" in fresh.json(*words, code=50)["message"]
    assert list((fresh.home / "models").iterdir()) == []
    assert (
        "knows which bytes"
        in fresh.json("models", "pin", "SFace", tmp_path / "x", code=3)["message"]
    )
    assert fresh.json("models", "pin", "Nonsense", tmp_path / "x", code=2)
    assert fresh.json("models", "pin", "Mine", tmp_path / "none", "--accept-licence", code=50)


def test_weights_whose_licence_nobody_accepted_are_not_loaded(
    mine: Model, fresh: Fr, models: Path
) -> None:
    fresh.json(
        "models", "pin", "Mine", models / weights.catalogue()["SFace"].file, "--accept-licence"
    )
    site = fresh.home / "site.yaml"
    site.write_text(site.read_text().replace("model: SFace", "model: Mine"))
    path = fresh.home / "models" / "choices.yaml"
    path.write_text(path.read_text().replace(LICENCE, "something else"))
    error = fresh.identify(photo(MATED), code=3)
    assert "was not accepted" in error["message"]
