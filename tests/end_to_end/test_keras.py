"""A Keras model for real: facenet_keras.h5 through DeepFace's client on TensorFlow, end to end."""

from __future__ import annotations

import dataclasses
import json
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

import pytest

from fr_cli.decision.document import calibration_from_dict
from fr_cli.errors import WeightsWrong
from fr_cli.face import weights
from fr_cli.face.pipeline import fingerprint
from fr_cli.operations.bench import Bench
from fr_cli.operations.calibration_files import signed
from fr_cli.records import Silence
from fr_cli.site import user_home
from tests.conftest import GROUNDS, MATED, STRANGER, Fr, jpeg, photo, small, write_csv

PEOPLE = ("P001", MATED)


@pytest.fixture(scope="module")
def facenet(models: Path) -> Path:
    """The account's folder, with the weights of Facenet too."""
    if find_spec("tensorflow") is None:  # not imported here: it would have its say
        pytest.skip("tensorflow-cpu is not installed here")
    folder = user_home() / "models"
    try:
        weights.pull(weights.needed("Facenet"), folder, listener=Silence())
    except WeightsWrong as trouble:
        pytest.skip(f"the weights of Facenet cannot be had here: {trouble.message}")
    return folder


def test_facenet_is_enrolled_asked_calibrated_and_evaluated(
    facenet: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fr = Fr(tmp_path / "home")
    fr.json("init", "--model", "Facenet")
    for person in PEOPLE:
        folder = tmp_path / "feed" / person
        folder.mkdir(parents=True)
        (folder / "portrait.jpg").write_bytes(jpeg(small(person, "studio_portrait")))
    assert fr.json("enroll", tmp_path / "feed")["added"] == 2
    # TensorFlow and Keras have their say on standard error, which a script reads as errors.
    assert capfd.readouterr() == ("", "")

    answer = fr.identify(photo(MATED))
    assert (answer["outcome"], answer["candidates"]) == ("inconclusive", [])
    assert "fr evaluate --calibrate" in answer["why"]
    assert answer["model"]["name"] == "Facenet"
    error = fr.json("verify", photo(MATED), MATED, *GROUNDS, code=3)
    assert "--calibrate" in error["hint"]

    # A stand-in: the shipped curve under this model's name. What it says of rates is not so.
    shipped = resources.files("fr_cli.decision") / "shipped" / "sface-yunet.json"
    stand_in = dataclasses.replace(
        calibration_from_dict(json.loads(shipped.read_text())),
        model="Facenet", fingerprint=fingerprint("Facenet"),
    )  # fmt: skip
    with Bench(fr.home) as bench:
        data = signed(stand_in, bench.signer, bench.site.origin)
    (fr.home / "calibration" / "own.json").write_bytes(data)
    found = fr.identify(photo(MATED))["candidates"]
    assert [one["subject_id"] for one in found] == [MATED]
    assert found[0]["cosine"] > 0.7

    rows = [(f"feed/{who}/portrait.jpg", who, "reference") for who in PEOPLE]
    rows += [(str(photo(who)), who, "probe") for who in (*PEOPLE, STRANGER)]
    labels = write_csv(tmp_path / "labels.csv", ("image", "subject_id", "role"), *rows)
    result = fr.json("evaluate", labels)
    assert result["rank1"] == 1.0
    assert (result["counts"]["fte"], result["counts"]["fta"]) == (0, 0)

    checks = {one["name"]: one for one in fr.json("doctor")["checks"]}
    assert checks["golden photo"]["state"] == "ok"
    fr.whole()
