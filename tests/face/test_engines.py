"""Each engine gives the vector of the verified bytes, and never loads anything else."""

from __future__ import annotations

import dataclasses
import importlib
import os
import stat
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fr_cli.errors import ConfigurationError, WeightsWrong
from fr_cli.face import engines, weights
from fr_cli.face.alignment import ARCFACE, REFERENCE, align, crop_of, similarity
from fr_cli.face.catalogue import Model, named
from fr_cli.face.embedding import NORMALISATIONS, Embedder, _feeder, trial
from fr_cli.face.pipeline import FacePipeline

CROP: NDArray[np.uint8] = np.random.default_rng(1).integers(0, 256, (112, 112, 3), np.uint8)


def plain_sface(**changes: Any) -> Model:
    """SFace's graph without DeepFace's client."""
    return dataclasses.replace(named("SFace"), engine="onnx", deepface="", **changes)


def test_a_graph_alone_gives_what_deepfaces_client_gives(models: Path) -> None:
    data = weights.load(named("SFace"), [models])
    through = Embedder(named("SFace"), data).embed(CROP)
    alone = Embedder(plain_sface(), data).embed(CROP)
    assert np.allclose(through, alone, atol=1e-6)
    swapped = Embedder(plain_sface(colour_order="BGR"), data).embed(CROP)
    assert float(through @ swapped) < 0.99
    scaled = Embedder(plain_sface(normalisation="0 to 1"), data).embed(CROP)
    assert float(through @ scaled) < 0.99


def test_a_pipeline_that_cannot_be_made_leaves_no_decoder(models: Path, tmp_path: Path) -> None:
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    before = children.read_text()
    with FacePipeline.load([models]):
        assert children.read_text() != before  # it gets ready while the models are loaded
    assert children.read_text() == before
    with pytest.raises(WeightsWrong):
        FacePipeline.load([tmp_path])
    assert children.read_text() == before


def test_deepface_is_as_it_was_after_a_load(models: Path) -> None:
    Embedder(named("SFace"), weights.load(named("SFace"), [models]))
    client = importlib.import_module("deepface.models.facial_recognition.onnx.SFace")
    weight_utils = importlib.import_module("deepface.commons.weight_utils")
    assert client.build_session.__module__ == "deepface.commons.onnx_utils"
    assert weight_utils.download_weights_if_necessary.__module__ == weight_utils.__name__
    assert not hasattr(weight_utils.gdown, "download")


def test_a_client_that_asks_for_another_file_gets_none(models: Path) -> None:
    other = dataclasses.replace(named("SFace"), file="other.onnx")
    with pytest.raises(RuntimeError, match=r"asked for face_recognition_sface"):
        Embedder(other, weights.load(named("SFace"), [models]))


def test_a_second_model_of_one_client_is_not_given_the_first_ones_weights(models: Path) -> None:
    data = weights.load(named("SFace"), [models])
    first = Embedder(named("SFace"), data)
    with pytest.raises(Exception, match=r"(?i)protobuf"):
        Embedder(named("SFace"), b"other bytes")
    assert first.embed(CROP).shape == (128,)


@pytest.mark.parametrize("data", [b"", b"no weights"])
def test_a_file_that_is_no_model_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(WeightsWrong, match="not weights of Buffalo_L"):
        trial(named("Buffalo_L"), data)


def test_a_model_of_another_dimension_is_not_taken(models: Path) -> None:
    with pytest.raises(WeightsWrong, match="not weights of w600k_mbf"):
        trial(named("w600k_mbf"), weights.load(named("SFace"), [models]))


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, package in (("Dlib", "dlib"), ("Reid-0095", "openvino")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(ConfigurationError, match=package) as caught:
            Embedder(named(name), b"", [b""])
        assert f"pip install {package}" in caught.value.hint


def test_what_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="normalisation"):
        Embedder(plain_sface(normalisation="guessed"), b"")
    for name in ("none", "five-point similarity to 10x10 with luck"):
        with pytest.raises(ConfigurationError, match="alignment"):
            crop_of(name)


def test_the_copy_for_libraries_that_read_files_is_private_and_goes() -> None:
    with engines._private_file("x.h5", b"data") as path:
        assert path.read_bytes() == b"data"
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert path.name == "x.h5"
    assert not path.parent.exists()


def test_normalisations_by_hand() -> None:
    pixels = np.array([0.0, 127.5, 255.0], np.float32)
    assert NORMALISATIONS["0 to 1"](pixels).tolist() == [0.0, 0.5, 1.0]
    assert NORMALISATIONS["(x - 127.5) / 127.5"](pixels).tolist() == [-1.0, 0.0, 1.0]
    assert NORMALISATIONS["(x - 127.5) / 128"](pixels)[2] == pytest.approx(127.5 / 128)
    white = NORMALISATIONS["per image (x - mean) / deviation"]
    assert white(pixels).mean() == pytest.approx(0)
    assert white(pixels).std() == pytest.approx(1)
    assert np.isfinite(white(np.full((4, 4, 3), 7.0, np.float32))).all()


@pytest.mark.parametrize("name", ["SFace", "Dlib"])
def test_a_client_that_scales_by_itself_gets_every_value_back(name: str) -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    fed = _feeder(named(name))(values)
    assert fed.max() <= 1  # else dlib's client takes it for values up to 255
    assert ((fed * 255).astype(np.uint8) == values).all()


def test_a_scaled_crop_shows_the_same_part_of_the_face() -> None:
    large = crop_of("five-point similarity to 160x160")
    assert np.allclose(np.array(large.points), np.array(REFERENCE) * 160 / 112)
    tall = crop_of("five-point similarity to 47x55")
    assert np.allclose(np.array(tall.points) - (0, 4), np.array(REFERENCE) * 47 / 112)
    assert crop_of("five-point similarity to 112x112") is ARCFACE


def test_dlibs_crop_has_its_eyes_where_dlib_has_them() -> None:
    crop = crop_of("five-point similarity to 150x150 with the eyes of dlib's chips")
    # The corners of the eyes of dlib's mean face, brought to a chip of 150 px with 0.25 around it.
    right, left = ((0.8595674595992 + 0.6460604764104) / 2, (0.1205750620789 + 0.3340850613712) / 2)
    expected = [(0.25 + x) / 1.5 * 150 for x in (left, right)]
    assert [point[0] for point in crop.points[:2]] == pytest.approx(expected, abs=0.2)
    assert crop.points[0][1] == pytest.approx((0.25 + 0.2213) / 1.5 * 150, abs=0.3)


def test_a_photo_is_aligned_to_each_crop() -> None:
    photo = np.zeros((300, 300, 3), np.uint8)
    points = np.array(REFERENCE) * 1.7 + 40
    for x, y in points:
        photo[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3] = 255
    for alignment in {m.alignment for m in weights.catalogue().values() if m.task == "embedder"}:
        crop = crop_of(alignment)
        shown = align(photo, points, crop)
        assert shown.shape == (crop.height, crop.width, 3)
        matrix = similarity(points, crop)
        for place in points @ matrix[:, :2].T + matrix[:, 2]:
            x, y = np.round(place).astype(int)
            assert shown[y, x].min() > 60, alignment


def test_openvino_runs_a_graph_from_bytes(tmp_path: Path) -> None:
    openvino: Any = pytest.importorskip("openvino")
    from openvino import opset13 as ops

    fed = ops.parameter([1, 3, 8, 8], np.float32)
    summed = ops.reduce_mean(fed, ops.constant([2, 3]), keep_dims=False)
    openvino.save_model(openvino.Model([summed], [fed]), tmp_path / "m.xml", compress_to_fp16=False)
    model = dataclasses.replace(named("Reid-0095"), dimension=3)
    graph, data = ((tmp_path / name).read_bytes() for name in ("m.xml", "m.bin"))
    crop = np.zeros((8, 8, 3), np.uint8)
    crop[..., 1] = 100
    assert Embedder(model, data, [graph]).embed(crop).tolist() == [0.0, 1.0, 0.0]


def test_dlib_is_run_through_deepfaces_client(tmp_path: Path) -> None:
    pytest.importorskip("dlib")
    path = os.environ.get("FR_TEST_DLIB")
    if not path:
        pytest.skip("FR_TEST_DLIB names no file of dlib's weights")
    data = Path(path).read_bytes()
    crop = np.random.default_rng(1).integers(0, 256, (150, 150, 3), np.uint8)
    assert Embedder(named("Dlib"), data).embed(crop).shape == (128,)
