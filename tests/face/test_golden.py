"""The golden photo: drift of a library is noticed before anybody is enrolled with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fr_cli.errors import ModelDrift
from fr_cli.face import alignment, batch, golden
from fr_cli.face.catalogue import EMBEDDER, catalogue
from fr_cli.face.pipeline import FLOORS, FacePipeline, fingerprint
from tests.conftest import Fr, jpeg, small


@pytest.fixture(scope="module")
def pipeline(models: Path) -> FacePipeline:
    return FacePipeline.load([models])


def test_the_shipped_template_is_what_the_model_makes(
    pipeline: FacePipeline, tmp_path: Path
) -> None:
    cosine = golden.check(pipeline, tmp_path)
    assert cosine == pytest.approx(1, abs=1e-5)
    assert list(tmp_path.iterdir()) == []


def test_every_model_with_a_known_hash_ships_its_template() -> None:
    shipped = json.loads((Path(golden.__file__).parent / "expected.json").read_text())
    known = [one.name for one in catalogue().values() if one.task == "embedder" and one.sha256]
    assert {"SFace", "EdgeFace-S", "w600k_mbf"} <= {*known}
    assert set(shipped) == {fingerprint(name) for name in known}
    for vector in shipped.values():
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-3)


def test_what_runs_for_the_first_time_is_recorded_once(
    pipeline: FacePipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "fingerprint", "f" * 64)
    assert golden.check(pipeline, tmp_path) is None
    golden.check_or_record(pipeline, tmp_path)
    assert golden.check(pipeline, tmp_path) == pytest.approx(1, abs=1e-6)
    kept = (tmp_path / golden.FILE).read_bytes()
    golden.check_or_record(pipeline, tmp_path)
    assert (tmp_path / golden.FILE).read_bytes() == kept
    other = {"f" * 64: np.eye(128)[0].tolist()}
    (tmp_path / golden.FILE).write_text(json.dumps(other))
    with pytest.raises(ModelDrift, match="another template"):
        golden.check_or_record(pipeline, tmp_path)
    (tmp_path / golden.FILE).write_text("{")
    with pytest.raises(ModelDrift, match="cannot be read"):
        golden.check(pipeline, tmp_path)


def drifted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a library had begun to cut the crop two pixels lower."""
    moved = tuple((x, y + 2) for x, y in alignment.REFERENCE)
    monkeypatch.setattr(alignment, "ARCFACE", alignment.Crop(112, 112, moved))
    monkeypatch.setattr("fr_cli.face.pipeline.crop_of", lambda name: alignment.ARCFACE)


def test_two_pixels_are_noticed(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drifted(monkeypatch)
    with pytest.raises(ModelDrift) as caught:
        batch.Maker((models,), EMBEDDER, FLOORS).pipeline()
    assert caught.value.code == 50


def test_nobody_is_enrolled_with_a_drifted_model_and_the_doctor_says_why(
    fresh: Fr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "feed" / "A").mkdir(parents=True)
    (tmp_path / "feed" / "A" / "a.jpg").write_bytes(jpeg(small("P001", "studio_portrait")))
    drifted(monkeypatch)
    assert fresh.json("enroll", tmp_path / "feed", code=50)["error"] == "ModelDrift"
    done = fresh("doctor", "--json")
    check = {one["name"]: one for one in done.document["checks"]}["golden photo"]
    assert (done.code, check["state"], check["code"]) == (50, "fail", 50)
    monkeypatch.undo()
