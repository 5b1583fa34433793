"""`fr gallery migrate`: to another model of the catalogue, with settings and gallery in one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml
from PIL import Image

from fr_cli.face import catalogue, weights
from fr_cli.gallery.migration import Migration
from fr_cli.operations import migrate as operation
from fr_cli.operations.bench import Bench
from fr_cli.records import Silence
from tests.conftest import MATED, STRANGER, Fr, jpeg, opened, photo, small, write_csv

#: The weights of SFace, fed with another order of colours: another fingerprint.
OTHER = "SFaceBGR"


@pytest.fixture(autouse=True)
def _second_model(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = weights.catalogue()
    other = dataclasses.replace(shipped["SFace"], name=OTHER, colour_order="BGR")
    both = MappingProxyType({**shipped, OTHER: other})
    monkeypatch.setattr(catalogue, "catalogue", lambda: both)
    monkeypatch.setattr(weights, "catalogue", lambda: both)


@pytest.fixture
def kept(fresh: Fr, tmp_path: Path) -> Fr:
    """A home that keeps photos, with three people."""
    policy = fresh.home / "policy.yaml"
    policy.write_text(policy.read_text().replace("keep_photos: false", "keep_photos: true"))
    feed = tmp_path / "feed"
    for person in ("P001", MATED, "P004"):
        (feed / person).mkdir(parents=True)
        (feed / person / "front.jpg").write_bytes(jpeg(small(person, "studio_portrait")))
    fresh.json("enroll", feed)
    return fresh


def settings(fr: Fr) -> dict[str, str]:
    return dict(yaml.safe_load((fr.home / "site.yaml").read_text()))


def model_of(fr: Fr) -> tuple[str, str]:
    """The model that the home uses, and the fingerprint that its gallery is of."""
    with opened(fr) as (bench, gallery):
        return bench.site.model, gallery.fingerprint


def cosine(fr: Fr) -> float:
    found = fr.json("verify", photo(MATED), MATED, "--case", "1", "--reason", "test", code=3)
    assert "calibration" in found["message"]
    with opened(fr) as (bench, gallery):
        probe = bench.pipeline.template(photo(MATED).read_bytes())
        hits, _ = gallery.search(probe.vector, count=1)
        assert hits[0].subject_id == MATED
        return hits[0].cosine


def test_gallery_and_home_are_of_the_other_model_and_people_are_found_by_it(kept: Fr) -> None:
    before = model_of(kept)
    document = kept.json("gallery", "migrate", "--to", OTHER)
    assert document["schema"] == "fr/gallery-migrate/1"
    assert (document["published"], document["drafted"], document["unusable"]) == (True, 3, [])
    assert document["calibrated"] is False
    assert settings(kept)["model"] == OTHER
    assert "switching_to" not in settings(kept)
    model, fingerprint = model_of(kept)
    assert model == OTHER
    assert document["model"] == {"name": OTHER, "fingerprint": fingerprint}
    assert fingerprint != before[1]
    assert cosine(kept) > 0.5
    # Without a calibration nobody is named, and it is said so.
    assert kept.identify(photo(MATED))["outcome"] == "inconclusive"
    intent, *_, outcome = [entry for entry in kept.log() if entry["cmd"] == "gallery migrate"]
    assert (intent["act"], intent["model"], intent["to"]) == ("alteration", OTHER, fingerprint)
    assert outcome["dec"]["published"] is True
    kept.whole()
    # Once more, it has nothing to do; and back again.
    assert kept.json("gallery", "migrate", "--to", OTHER)["drafted"] == 0
    assert kept.json("gallery", "migrate", "--to", "SFace")["calibrated"] is True
    assert model_of(kept) == before
    assert kept.found(photo(MATED))[0] == MATED


def test_references_without_a_usable_photo_are_listed_and_nothing_is_changed(
    kept: Fr, tmp_path: Path
) -> None:
    policy = kept.home / "policy.yaml"
    policy.write_text(policy.read_text().replace("keep_photos: true", "keep_photos: false"))
    bare = tmp_path / "bare.jpg"
    bare.write_bytes(jpeg(small(STRANGER, "studio_portrait")))
    kept.json("enroll", write_csv(tmp_path / "bare.csv", ("subject_id", "image"), ("X", bare)))
    before = model_of(kept)
    document = kept.json("gallery", "migrate", "--to", OTHER, code=100)
    assert (document["published"], document["drafted"]) == (False, 3)
    (unusable,) = document["unusable"]
    assert (unusable["subject_id"], unusable["error"], unusable["held"]) == ("X", "NoPhoto", False)
    assert model_of(kept) == before
    assert kept.found(bare)[0] == "X"
    assert kept.json("gallery", "stats")["drafts"] == 4
    text = kept("gallery", "migrate", "--to", OTHER)
    assert text.code == 100
    assert "Nothing is changed" in text.stdout
    # Only what could not be made is tried again.
    document = kept.json("gallery", "migrate", "--to", OTHER, "--drop-unusable", code=100)
    assert (document["published"], document["drafted"]) == (True, 0)
    assert kept.json("gallery", "stats")["references"] == 3
    kept.whole()


def test_a_photo_that_is_now_below_the_floor_is_listed(kept: Fr) -> None:
    policy = kept.home / "policy.yaml"
    policy.write_text(policy.read_text().replace("InterEyeDistance: 24", "InterEyeDistance: 9999"))
    document = kept.json("gallery", "migrate", "--to", OTHER, code=100)
    assert {one["error"] for one in document["unusable"]} == {"QualityTooLow"}
    assert document["published"] is False


def test_it_can_be_given_up(kept: Fr) -> None:
    assert kept.json("gallery", "migrate", "--abandon", code=2)["error"] == "UsageProblem"
    policy = kept.home / "policy.yaml"
    text = policy.read_text()
    policy.write_text(text.replace("InterEyeDistance: 24", "InterEyeDistance: 200"))
    kept.json("gallery", "migrate", "--to", OTHER, code=100)
    error = kept.json("gallery", "migrate", code=2)  # which would be to SFace
    assert "--abandon" in error["hint"]
    document = kept.json("gallery", "migrate", "--abandon")
    assert document == {"schema": "fr/gallery-migrate-abandon/1", "dropped": 3}
    assert kept.json("gallery", "stats")["drafts"] == 0
    policy.write_text(text)
    assert kept.json("gallery", "migrate", "--to", OTHER)["published"] is True


@pytest.mark.parametrize("moment", ["before", "after"])
def test_cut_short_between_gallery_and_settings_the_gallery_is_right(
    kept: Fr, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    before = model_of(kept)
    publish = Migration.publish

    class PowerCut(BaseException):
        pass

    def cut(self: Migration, dropped: list[object]) -> int:
        if moment == "after":
            publish(self, dropped)  # type: ignore[arg-type]
        raise PowerCut

    monkeypatch.setattr(Migration, "publish", cut)
    with Bench(kept.home) as bench, pytest.raises(PowerCut):
        operation.migrate(operation.Order(OTHER), bench, Silence())
    monkeypatch.setattr(Migration, "publish", publish)
    assert settings(kept)["model"] == "SFace"
    assert settings(kept)["switching_to"] == OTHER
    if moment == "before":
        assert model_of(kept) == before
        assert kept.found(photo(MATED))[0] == MATED
    else:
        assert model_of(kept)[0] == OTHER
        assert cosine(kept) > 0.5
    kept.json("gallery", "migrate", "--to", OTHER)
    assert settings(kept)["model"] == OTHER
    assert "switching_to" not in settings(kept)
    assert cosine(kept) > 0.5
    kept.whole()


def test_in_a_home_without_a_gallery_only_the_model_is_set(fresh: Fr) -> None:
    document = fresh.json("gallery", "migrate", "--to", OTHER)
    assert (document["published"], document["drafted"], document["generation"]) == (True, 0, 0)
    assert settings(fresh)["model"] == OTHER


@pytest.mark.parametrize(("model", "code"), [("YuNet", 3), ("NoSuchModel", 3)])
def test_what_is_no_model_for_templates_is_refused(kept: Fr, model: str, code: int) -> None:
    kept.json("gallery", "migrate", "--to", model, code=code)
    assert kept.json("gallery", "stats")["drafts"] == 0


def test_weights_that_are_missing_are_said_before_anything_begins(
    kept: Fr, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = dict(weights.catalogue())
    both["Absent"] = dataclasses.replace(both["SFace"], name="Absent", file="absent.onnx")
    monkeypatch.setattr(catalogue, "catalogue", lambda: both)
    monkeypatch.setattr(weights, "catalogue", lambda: both)
    kept.json("gallery", "migrate", "--to", "Absent", code=50)
    with opened(kept) as (_bench, gallery):
        assert gallery.store.setting("migrating") is None


def test_a_photo_of_several_faces_takes_the_largest_where_asked(fresh: Fr, tmp_path: Path) -> None:
    policy = fresh.home / "policy.yaml"
    policy.write_text(policy.read_text().replace("keep_photos: false", "keep_photos: true"))
    two = Image.new("RGB", (1280, 800), "white")
    two.paste(small(STRANGER).resize((300, 300)), (0, 0))
    two.paste(small(MATED), (600, 0))
    path = tmp_path / "two.jpg"
    path.write_bytes(jpeg(two))
    feed = write_csv(tmp_path / "feed.csv", ("subject_id", "image"), (MATED, path))
    fresh.json("enroll", feed, "--largest")
    document = fresh.json("gallery", "migrate", "--to", OTHER, "--largest")
    assert (document["published"], document["drafted"]) == (True, 1)
