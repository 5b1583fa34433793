"""What `fr evaluate` gives out: the document by its schema, tables, plots, and pairs to look at."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fr_cli.cli.evaluation import curves, plots
from fr_cli.cli.evaluation.document import document as document_of
from fr_cli.cli.evaluation.words import words
from fr_cli.evaluation.intervals import proportion
from fr_cli.operations.bench import Bench
from fr_cli.operations.evaluate import evaluate
from fr_cli.operations.exclusions import read_exclusions
from fr_cli.operations.labelled import Labelled, Sample
from fr_cli.operations.study import Study
from fr_cli.records import Quality, QualityMeasure, Silence, Template
from tests.conftest import Fr, jpeg, photo, small, write_csv
from tests.docs.schema import faults

PEOPLE = [f"P{number:03d}" for number in range(1, 11)]
#: So low that the crowd reaches them all.
TARGETS = """
version: 1
in_force: {days: 30, references: 400}
tpir: [{at_fpir: 0.1, at_least: 0.01}]
fpir: [{at_score: 0.60, at_most: 0.99}]
groups: [{by: [sex], at_fpir: 0.1, tpir_at_least: 0.01}]
"""
COLUMNS = ("subject_id", "image", "role", "captured_at")


def vectors(people: int, each: int) -> list[Sample]:
    """Made-up templates of a few hundred people, the last third of them strangers."""
    rng = np.random.default_rng(6)
    faces = rng.normal(size=(people, 1, 48))
    made = faces + 0.75 * rng.normal(size=(people, each, 48))
    made /= np.linalg.norm(made, axis=2, keepdims=True)
    samples = []
    for who in range(people):
        for number in range(each if who < 2 * people // 3 else 1):
            measures = (QualityMeasure("Sharpness", 100.0, "", int(rng.integers(0, 101))),)
            whole = Template(made[who, number].astype(np.float32), "made up", Quality(measures))
            reference = number == 0 and who < 2 * people // 3
            samples.append(
                Sample(
                    f"person {who}", "reference" if reference else "probe",
                    {"captured_at": f"{2010 + 3 * number}-05-0{1 + who % 9}", "sex": "fm"[who % 2]},
                    None if who == 5 and number == 1 else whole, whole,
                    f"{who}-{number}.jpg",
                )
            )  # fmt: skip
    return samples


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document of an evaluation of 600 made-up people, with everything asked for."""
    folder = tmp_path_factory.mktemp("crowd")
    fr = Fr(folder / "home")
    fr.json("init")
    pairs = write_csv(
        folder / "pairs.csv", ("subject_a", "subject_b", "kind"), ("person 1", "person 2", "kin")
    )
    manifest = write_csv(folder / "labels.csv", COLUMNS, ("a", "a.jpg", "reference", ""))
    targets = folder / "targets.yaml"
    targets.write_text(TARGETS)
    study = Study(
        manifest=manifest, exclude=pairs, group_by=("sex",), holdout=True, eer=True,
        calibrate=folder / "home" / "calibration" / "ours.json", site_data=True, search_loss=True,
        cache=False, require=targets,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch, Bench(fr.home) as bench:
        patch.setattr(
            "fr_cli.operations.gathering.read_labelled", lambda *_, **__: Labelled(vectors(600, 3))
        )
        result = evaluate(study, bench, Silence())
    whole = document_of(result)
    entry = fr.log()[-1]["dec"]
    assert entry["points"][0]["tpir"] == f"{whole['points'][0]['tpir']:.4f}"
    assert entry["holdout"][0]["fmr"] == "1.000e-04"
    assert entry["in_force"] == whole["required"]["in_force"]["sha256"]
    assert "person" not in fr.said()
    with Bench(fr.home) as bench:  # the one that it has signed itself
        assert bench.calibration is not None
        assert bench.calibration.site_references == 400
        assert bench.calibration_note == ""
    return dict(json.loads(json.dumps(whole, allow_nan=False)))


def test_the_document_is_as_its_schema_says(crowd: dict[str, Any]) -> None:
    assert faults(crowd) == []


def test_what_meets_every_target_is_in_force(crowd: dict[str, Any]) -> None:
    required = crowd["required"]
    assert required["passed"]
    assert {check["verdict"] for check in required["checks"]} == {"met"}
    assert required["in_force"]["references"] == 400


def test_everything_that_can_be_measured_was(crowd: dict[str, Any]) -> None:
    for name, value in crowd.items():
        assert value or name in ("draws", "audit", "failures", "required"), name
    methods = [row["method"] for row in crowd["points"]]
    assert methods == ["empirical"] + ["extrapolated"] * 4  # 200 strangers
    assert crowd["checks"]["claim"] == {
        "fpir": pytest.approx(1 / 6000, rel=1e-4), "people": 200, "needed": 17_973,
        "shown": pytest.approx(3 / 200, rel=0.01),
    }  # fmt: skip
    assert (crowd["gate"]["refused_references"], crowd["gate"]["refused_probes"]) == (0, 1)
    assert crowd["gate"]["off"]["fta"] == crowd["gate"]["on"]["fta"] - 1 == 0
    assert [(row["years"], row["to"]) for row in crowd["ageing"]] == [(2, 5), (5, 10)]
    assert crowd["without_kin"]["pairs"] == 1


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"points": None}, "NoneType is not array"),
        ({"rank1": 1.5}, "out of range"),
        ({"rank1": True}, "bool is not"),
        ({"fusion": "median"}, "not one of"),
        ({"new": 1}, "new is not known"),
        ({"audit": {"size": 1}}, "none of|lacks root"),
    ],
)
def test_the_schema_can_refuse(crowd: dict[str, Any], change: dict[str, Any], wrong: str) -> None:
    found = faults({**crowd, **change})
    assert found
    assert re.search(wrong, " ".join(found))


def test_tables_have_every_curve(crowd: dict[str, Any]) -> None:
    files = dict(curves.tables(crowd))
    assert set(files) == {
        "points.csv", "det.csv", "cmc.csv", "fmr.csv", "histogram.csv", "quality.csv",
        "fpir-by-n.csv",
    }  # fmt: skip
    rows = list(csv.DictReader(files["det.csv"].splitlines()))
    assert [float(row["fnir"]) for row in rows] == [point["fnir"] for point in crowd["det"]]
    counts = list(csv.DictReader(files["histogram.csv"].splitlines()))
    assert sum(int(row["nonmated"]) for row in counts) == crowd["verification"]["nonmated"]


def test_plots_are_pictures(crowd: dict[str, Any]) -> None:
    files = dict(plots.plots(crowd))
    names = ("det", "cmc", "histogram", "quality", "fpir-by-n")
    assert set(files) == {f"{name}.{form}" for name in names for form in ("png", "svg")}
    for name, data in files.items():
        assert data.startswith(b"\x89PNG" if name.endswith("png") else b"<?xml")
        assert len(data) > 5_000


@pytest.fixture(scope="module")
def doubtful(models: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Fr, Path]:
    """Ten people; P003's portrait stands under the name of P001 too, saved anew."""
    folder = tmp_path_factory.mktemp("doubtful")
    rows = []
    for person in PEOPLE:
        (folder / f"{person}.jpg").write_bytes(jpeg(small(person, "studio_portrait")))
        rows.append((person, f"{person}.jpg", "reference", "2025-01-01"))
        rows.append((person, str(photo(person)), "probe", "2026-01-01"))
    copy = folder / "<b>&.jpg"
    copy.write_bytes(jpeg(small("P003", "studio_portrait", 600)))
    rows.append(('<script>alert("x")</script>', copy.name, "probe", ""))
    fr = Fr(folder / "home")
    fr.json("init")
    table = folder / "labels.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return fr, table


def test_pairs_are_shown_side_by_side(doubtful: tuple[Fr, Path], tmp_path: Path) -> None:
    fr, table = doubtful
    page, tables, drawn = tmp_path / "pairs.html", tmp_path / "csv", tmp_path / "deep" / "plots"
    words = ("evaluate", table, "--pairs", page, "--csv", tables, "--plots", drawn)
    document = fr.json(*words)
    assert faults(document) == []
    (pair,) = [one for one in document["checks"]["pairs"] if one["kind"] == "near_duplicate"]
    assert {pair["image_a"], pair["image_b"]} == {"P003.jpg", "<b>&.jpg"}
    text = page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600
    assert text.count("data:image/jpeg;base64,") == 2 * len(document["checks"]["pairs"])
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'" in text
    sources = re.findall(r"(?:src|href)=\"([^\"]*)", text)
    assert sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert fr.log()[-1]["dec"]["pairs_shown"] == len(document["checks"]["pairs"])
    assert "P003" not in fr.said()
    assert {path.name for path in tables.iterdir()} >= {"points.csv", "cmc.csv"}
    assert {path.suffix for path in drawn.iterdir()} == {".png", ".svg"}


def test_without_being_asked_no_face_is_cut(doubtful: tuple[Fr, Path]) -> None:
    fr, table = doubtful
    shown = fr("evaluate", table)
    assert "Labels that look wrong" in shown.stdout
    assert shown.stdout.index("Labels that look wrong") < shown.stdout.index("Rank 1")
    assert "pairs_shown" not in fr.log()[-1]["dec"]


@pytest.mark.parametrize("option", ["--pairs", "--csv", "--plots"])
def test_nothing_is_written_into_the_home(doubtful: tuple[Fr, Path], option: str) -> None:
    fr, table = doubtful
    before = len(fr.log())
    for place in (fr.home / "audit" / "x", fr.home):
        if place == fr.home and option == "--pairs":
            continue
        assert "home" in fr.json("evaluate", table, option, place, code=3)["message"]
    assert len(fr.log()) == before


def test_site_data_is_about_a_calibration(doubtful: tuple[Fr, Path]) -> None:
    fr, table = doubtful
    assert "--calibrate" in fr.json("evaluate", table, "--site-data", code=2)["hint"]


def test_too_few_people_cannot_be_halved(doubtful: tuple[Fr, Path]) -> None:
    fr, table = doubtful
    error = fr.json("evaluate", table, "--holdout", code=2)
    assert "too few" in error["message"]


def test_kinds_of_exclusions(tmp_path: Path) -> None:
    columns = ("subject_a", "subject_b", "kind")
    rows = [("a", "b", "same"), ("c", "d", "kin"), ("e", "f", ""), (" g", "h ", " kin ")]
    read = read_exclusions(write_csv(tmp_path / "pairs.csv", columns, *rows))
    assert read.same == {frozenset("ab"), frozenset("ef")}
    assert read.kin == {frozenset("cd"), frozenset("gh")}
    assert read.every == read.same | read.kin
    plain = read_exclusions(write_csv(tmp_path / "old.csv", columns[:2], ("a", "b")))
    assert plain.same == {frozenset("ab")}
    assert not plain.kin


def test_an_unknown_kind_is_said(doubtful: tuple[Fr, Path], tmp_path: Path) -> None:
    fr, table = doubtful
    pairs = write_csv(tmp_path / "p.csv", ("subject_a", "subject_b", "kind"), ("a", "b", "twin"))
    assert "twin" in fr.json("evaluate", table, "--exclude", pairs, code=2)["message"]


def test_no_rate_is_told_without_its_bound() -> None:
    none, every = proportion(np.zeros(50, bool), np.arange(50)), np.ones(50, bool)
    assert words(none) == "at most 7.11% (0 of 50)"
    assert words(proportion(every, np.arange(50))) == "at least 92.89% (50 of 50)"
    some = proportion(np.arange(50) < 5, np.arange(50))
    assert words(some).startswith("10.00% (5 of 50; 3.33% …")
