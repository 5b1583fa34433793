"""`fr evaluate --require`: what passes is in force, what does not exits 40, both logged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from fr_cli.face.pipeline import fingerprint
from tests.attacks.two_people import Station, become
from tests.conftest import MATED, Fr, jpeg, small, write_csv
from tests.decision.examples import made_up_calibration

PEOPLE = [f"P{number:03d}" for number in range(1, 11)]
NON_MATED = {"P007", "P009"}
#: What ten people can show: very little.
EASY: dict[str, Any] = {
    "version": 1,
    "in_force": {"days": 30, "references": 8},
    "counts": {"references": 8},
    "tpir": [{"at_score": 0.6, "at_least": 0.3}],
    "fpir": [{"at_score": 0.6, "at_most": 0.999}],
}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelled")
    rows = []
    for number, person in enumerate(PEOPLE):
        for kind, role in (("studio_portrait", "reference"), ("amateur_selfie", "probe")):
            if role == "probe" or person not in NON_MATED:
                name = f"{person} {role}.jpg"
                (folder / name).write_bytes(jpeg(small(person, kind)))
                rows.append((person, name, role, "f" if number % 2 else "m"))
    return write_csv(folder / "manifest.csv", ("subject_id", "image", "role", "sex"), *rows)


@pytest.fixture(scope="module")
def evaluated(enrolled: Fr, manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Fr:
    """A copy of the enrolled home that has kept the templates of these photos."""
    home = tmp_path_factory.mktemp("required") / "home"
    shutil.copytree(enrolled.home, home)
    fr = Fr(home)
    fr.json("evaluate", manifest)
    return fr


@pytest.fixture
def home(evaluated: Fr, tmp_path: Path) -> Fr:
    shutil.copytree(evaluated.home, tmp_path / "home")
    return Fr(tmp_path / "home")


def asked(folder: Path, **changes: Any) -> Path:
    path = folder / "targets.yaml"
    path.write_text(yaml.safe_dump(EASY | changes))
    return path


def test_what_passes_is_in_force_and_stands_behind_the_next_answer(
    home: Fr, manifest: Path, tmp_path: Path
) -> None:
    document = home.json("evaluate", manifest, "--require", asked(tmp_path))
    required = document["required"]
    assert required["passed"] is True
    assert {check["verdict"] for check in required["checks"]} == {"met"}
    outcome = home.log()[-1]
    assert outcome["exit"] == 0
    assert outcome["dec"]["passed"] is True
    assert outcome["dec"]["in_force"] == required["in_force"]["sha256"]
    assert outcome["dec"]["targets"] == required["targets"]
    force = json.loads((home.home / "evaluation" / "in-force.json").read_bytes())
    assert force["act"] == outcome["req"]
    answer = home.identify(jpeg(small(MATED)))
    assert answer["evaluation"]["covers"] is True
    assert answer["evaluation"]["sha256"] == required["in_force"]["sha256"]
    assert answer["warnings"] == []
    said = home("evaluate", manifest, "--require", asked(tmp_path)).stdout
    assert "In force until " in said


def test_what_is_missed_exits_40_with_the_list_and_approves_nothing(
    home: Fr, manifest: Path, tmp_path: Path
) -> None:
    tpir = [{"at_score": 0.6, "at_least": 0.99}]
    hard = asked(tmp_path, counts={"probes_nonmated": 1000}, tpir=tpir)
    result = home("evaluate", manifest, "--require", hard, "--json")
    assert result.code == 40
    document, error = json.loads(result.stdout), json.loads(result.stderr)
    assert document["required"]["passed"] is False
    assert document["required"]["in_force"] is None
    assert (error["error"], error["code"]) == ("TargetMissed", 40)
    assert "1 missed: At least 1,000 non-mated probes" in error["message"]
    assert "1 not decided by the data: TPIR at score 0.60" in error["message"]
    outcome = home.log()[-1]
    assert (outcome["exit"], outcome["dec"]["passed"], outcome["dec"]["in_force"]) == (
        40,
        False,
        "",
    )
    assert not (home.home / "evaluation" / "in-force.json").exists()
    assert home.identify(jpeg(small(MATED)))["evaluation"]["covers"] is False


def test_groups_that_the_data_cannot_judge_do_not_pass(
    home: Fr, manifest: Path, tmp_path: Path
) -> None:
    groups = [{"by": ["sex"], "at_score": 0.6, "fpir_ratio_at_most": 5.0}]
    result = home("evaluate", manifest, "--require", asked(tmp_path, groups=groups))
    assert result.code == 40
    assert "Too few people to be judged as a group: f (5), m (2)" in " ".join(result.stdout.split())
    missing = [{"by": ["ethnicity"], "at_score": 0.6, "fpir_ratio_at_most": 5.0}]
    document = json.loads(
        home("evaluate", manifest, "--require", asked(tmp_path, groups=missing), "--json").stdout
    )
    assert any("Nobody has a label" in c["found"] for c in document["required"]["checks"])


def test_a_column_of_names_is_no_group_of_people_and_that_is_said(
    home: Fr, manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fr_cli.operations.groups.MOST_GROUPS", 1)
    groups = [{"by": ["sex"], "at_score": 0.6, "fpir_ratio_at_most": 5.0}]
    words = ("--group-by", "sex", "--require", asked(tmp_path, groups=groups), "--json")
    result = home("evaluate", manifest, *words)
    assert result.code == 40
    document = json.loads(result.stdout)
    assert document["groups"] == []
    assert any("sex makes 2 groups, more than 1" in text for text in document["warnings"])
    assert document["required"]["checks"][-1]["verdict"] == "undecided"


def test_only_what_searches_do_can_be_approved(home: Fr, manifest: Path, tmp_path: Path) -> None:
    for words in (("--protocol", "leave-one-out"), ("--fusion", "mean"),
                  ("--random-galleries", "2", "--gallery-size", "5")):  # fmt: skip
        result = home("evaluate", manifest, *words, "--require", asked(tmp_path), "--json")
        assert result.code == 40, words
        kinds = json.loads(result.stdout)["required"]["checks"][0]
        assert kinds["verdict"] == "missed"


def test_a_failed_evaluation_leaves_the_one_in_force(
    home: Fr, manifest: Path, tmp_path: Path
) -> None:
    home.json("evaluate", manifest, "--require", asked(tmp_path))
    before = (home.home / "evaluation" / "in-force.json").read_bytes()
    hard = asked(tmp_path, counts={"subjects": 99})
    assert home("evaluate", manifest, "--require", hard).code == 40
    assert (home.home / "evaluation" / "in-force.json").read_bytes() == before


def test_targets_that_are_not_valid_stop_it_before_anything(
    home: Fr, manifest: Path, tmp_path: Path
) -> None:
    entries = len(home.log())
    error = home.json("evaluate", manifest, "--require", asked(tmp_path, tpir=[]), code=3)
    assert "tpir" in error["message"]
    assert len(home.log()) == entries


def test_latency_is_measured_when_it_is_asked_for(home: Fr, manifest: Path, tmp_path: Path) -> None:
    targets = asked(tmp_path, latency={"search_p99_ms_at_most": 60_000.0})
    document = home.json("evaluate", manifest, "--require", targets)
    assert document["required"]["checks"][-1]["found"].endswith(" ms")
    assert document["search_loss"] is not None


@pytest.fixture
def two(home: Fr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Station:
    """What is put in force in this home takes Alice and Bob."""
    keys = tmp_path / "keys"
    keys.mkdir()
    station = Station(home.home, keys)
    for name in ("alice", "bob"):
        station.keygen("-q", "-t", "ed25519", "-N", "", "-f", keys / name)
    station.duo("evaluation", "calibration")
    become(monkeypatch, "alice")
    return station


def test_an_evaluation_in_force_takes_two(
    home: Fr, manifest: Path, two: Station, tmp_path: Path
) -> None:
    words = ("evaluate", manifest, "--require", asked(tmp_path))
    error = home.json(*words, code=4)
    assert error["message"] == "The policy asks for a second person: evaluation."
    assert not (home.home / "evaluation" / "in-force.json").exists()
    request = tmp_path / "request.json"
    home.json(*words, "--request", request)
    what = json.loads(request.read_text())["what"]
    assert (what["references"], what["days"], what["score"]) == (8, 30, "0.6000")
    assert not (home.home / "evaluation" / "in-force.json").exists()
    home.json("approve", request, "--key", two.keys / "bob", "--yes")
    other = asked(tmp_path, in_force={"days": 31, "references": 8})
    error = home.json(*words[:-1], other, "--approved", request, code=4)
    assert error["message"] == ("What was approved is not what is about to be done: days, targets.")
    home.json(*words[:-1], asked(tmp_path), "--request", tmp_path / "again.json")
    home.json("approve", tmp_path / "again.json", "--key", two.keys / "bob", "--yes")
    home.json(*words[:-1], asked(tmp_path), "--approved", tmp_path / "again.json")
    document = json.loads((home.home / "evaluation" / "in-force.json").read_text())
    assert document["approval"]["approver"] == "bob"
    assert home.identify(jpeg(small(MATED)))["evaluation"]["covers"] is True


def test_an_evaluation_from_before_the_rule_covers_nothing(
    home: Fr, manifest: Path, two: Station, tmp_path: Path
) -> None:
    two.duo()
    home.json("evaluate", manifest, "--require", asked(tmp_path))
    assert home.identify(jpeg(small(MATED)))["evaluation"]["covers"] is True
    two.duo("evaluation")
    found = home.identify(jpeg(small(MATED)))["evaluation"]
    assert found["covers"] is False
    assert "has no second person behind it" in found["why"]


def test_a_calibration_in_force_takes_two(
    home: Fr, manifest: Path, two: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = made_up_calibration(fingerprint())
    monkeypatch.setattr("fr_cli.operations.fitting.fit", lambda *given: fitted)
    place = home.home / "calibration" / "ours.json"
    home.json("evaluate", manifest, "--calibrate", tmp_path / "elsewhere.json")
    words = ("evaluate", manifest, "--calibrate", place)
    error = home.json(*words, code=4)
    assert error["message"] == "The policy asks for a second person: calibration."
    assert not place.exists()
    request = tmp_path / "request.json"
    home.json(*words, "--request", request)
    what = json.loads(request.read_text())["what"]
    assert (what["file"], what["data"]["name"]) == ("ours.json", fitted.data.name)
    home.json("approve", request, "--key", two.keys / "bob", "--yes")
    home.json(*words, "--approved", request)
    home.identify(jpeg(small(MATED)))
    signature = json.loads(place.read_text())["signature"]
    assert len(signature["approval"]) == 64

    # One that was only copied there stops every search, and so does an approval written into it.
    place.write_bytes((tmp_path / "elsewhere.json").read_bytes())
    error = home.identify(jpeg(small(MATED)), code=4)
    assert "no second person has approved" in error["message"]
    document = json.loads(place.read_text())
    document["signature"]["approval"] = signature["approval"]
    place.write_text(json.dumps(document))
    error = home.identify(jpeg(small(MATED)), code=3)
    assert "not as it was signed" in error["message"]
