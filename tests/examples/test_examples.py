"""Every example runs as its page says, with `fr` on the path and a home of its own."""

from __future__ import annotations

import configparser
import getpass
import importlib.util
import os
import re
import runpy
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
import yaml

from fr_cli.authority.policy import TwoPerson, read_policy
from fr_cli.authority.roles import ACTS
from tests.conftest import MATED, STRANGER, Fr, jpeg, photo, small, write_csv
from tests.operations.test_in_force import put

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(home: Path, *command: object) -> subprocess.CompletedProcess[str]:
    """Run an example against a home, as a user of this installation would."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [str(word) for word in command],
        env=os.environ | {"PATH": path, "FR_HOME": str(home)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def python(home: Path, name: str, *words: object) -> subprocess.CompletedProcess[str]:
    return run(home, sys.executable, EXAMPLES / name, *words)


def test_every_example_is_listed() -> None:
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    files = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.*")} - {"README.md"}
    assert {name for name in files if f"]({name})" not in listed} == set()


def test_nightly_reports_what_is_newly_refused_and_then_nothing(fresh: Fr, tmp_path: Path) -> None:
    for name in ("feed", "reports"):
        (tmp_path / name).mkdir()
    (tmp_path / "feed" / "a.jpg").write_bytes(jpeg(small(MATED, "studio_portrait")))
    (tmp_path / "feed" / "b.jpg").write_bytes(b"not a photo")
    rows = [("A", "a.jpg"), ("B", "b.jpg")]
    feed = write_csv(tmp_path / "feed" / "feed.csv", ("subject_id", "image"), *rows)
    night = (EXAMPLES / "nightly" / "enroll.sh", feed, tmp_path / "reports")
    first = run(fresh.home, *night)
    (report,) = (tmp_path / "reports").iterdir()
    assert first.returncode == 100, first.stderr
    assert f"1 lines newly refused: see {report}" in first.stderr
    assert "b.jpg,PhotoUnreadable" in report.read_text()
    assert report.stat().st_mode & 0o777 == 0o600
    assert '"added": 1' in first.stdout
    second = run(fresh.home, *night)
    assert second.returncode == 0, second.stderr
    assert list((tmp_path / "reports").iterdir()) == [report]


def test_nightly_ends_as_fr_does(tmp_path: Path) -> None:
    script = EXAMPLES / "nightly" / "enroll.sh"
    done = run(tmp_path / "none", script, tmp_path, tmp_path)
    assert done.returncode == 3
    assert "Nothing more was enrolled (exit 3)" in done.stderr
    assert run(tmp_path / "none", script).returncode not in (0, 100)


def test_the_units_know_exit_100_and_belong_together() -> None:
    units = {}
    for kind in ("service", "timer"):
        units[kind] = configparser.ConfigParser(interpolation=None)
        units[kind].optionxform = str  # type: ignore[assignment,method-assign]
        text = (EXAMPLES / "nightly" / f"fr-enroll.{kind}").read_text()
        # systemd allows a key twice, this parser does not.
        units[kind].read_string(text.replace("Environment=PATH", "Path=PATH"))
    service = units["service"]["Service"]
    assert service["SuccessExitStatus"] == "100"
    assert service["ExecStart"].split()[0].endswith("/enroll.sh")
    assert os.access(EXAMPLES / "nightly" / "enroll.sh", os.X_OK)
    assert units["timer"]["Timer"]["OnCalendar"]


def test_a_program_asks_and_reads_the_answer(enrolled: Fr) -> None:
    found = python(enrolled.home, "ask.py", photo(MATED), "CR/26/1")
    assert found.returncode == 0, found.stderr
    assert re.search(rf"^candidates - .*\n1\. {MATED}, score 1\.\d\d$", found.stdout, re.M)
    nobody = python(enrolled.home, "ask.py", photo(STRANGER), "CR/26/1")
    assert nobody.stdout.startswith("no_candidate - ")
    refused = python(enrolled.home, "ask.py", photo(MATED, "emotions_sheet"), "CR/26/1")
    assert refused.returncode == 1
    assert "--face N" in refused.stderr
    code = (EXAMPLES / "ask.py").read_text().split("import sys\n")[1]
    assert len([line for line in code.splitlines() if line.strip()]) <= 10


def test_the_people_are_compared_face_by_face(models: Path, tmp_path: Path) -> None:
    done = python(tmp_path / "none", "people.py", MATED)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^emotions_sheet +16 +0  within +16 ", done.stdout, re.M), done.stdout
    for kind in ("amateur_selfie", "character_sheet", "studio_posture", "amateur_posture"):
        assert re.search(rf"^{kind} +[1-9]", done.stdout, re.M), kind


def test_the_people_are_evaluated_and_drawn(models: Path, tmp_path: Path) -> None:
    done = python(tmp_path / "none", "plot_evaluation.py", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "6 references, 12 mated and 8 non-mated probes" in done.stdout
    assert re.search(r"^tpir +12 of 12 +95 % interval 54% to 100%$", done.stdout, re.M)
    assert (tmp_path / "evaluation.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_the_drawing_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    example = runpy.run_path(str(EXAMPLES / "plot_evaluation.py"), run_name="example")
    example["draw"]({}, tmp_path / "evaluation.png")
    assert "matplotlib is missing" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_people_are_made(tmp_path: Path) -> None:
    for package in ("random_face", "openvino"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(
                f"{package} is not installed here: pip install --no-deps random-face openvino"
            )
    words = (tmp_path / "made", "--people", "5", "--photos", "2")
    done = python(tmp_path, "make_people.py", *words)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "made" / "labels.csv").read_text().splitlines()
    # The fifth is a stranger: no reference.
    assert [line.split(",")[2] for line in lines[1:]] == ["reference", "probe"] * 4 + ["probe"]
    assert len(list((tmp_path / "made").rglob("*.jpg"))) == 10


def test_without_its_packages_making_people_says_what_is_missing(tmp_path: Path) -> None:
    if importlib.util.find_spec("random_face") is not None:
        pytest.skip("random-face is installed here")
    done = python(tmp_path, "make_people.py", tmp_path / "made")
    assert done.returncode == 1
    assert "is not installed" in done.stderr
    assert not (tmp_path / "made").exists()


def test_lfw_is_laid_out(tmp_path: Path) -> None:
    for person in ("Ann_A", "Bob_B", "Cy_C", "Dee_D"):
        (tmp_path / "lfw" / person).mkdir(parents=True)
        for number in range(1, 6):
            (tmp_path / "lfw" / person / f"{person}_{number:04}.jpg").touch()
    done = python(tmp_path, "lay_out_lfw.py", tmp_path / "lfw", tmp_path / "lfw.csv")
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "lfw.csv").read_text().splitlines()
    assert lines[0] == "image,subject_id,role"
    assert (len(lines) - 1) % 4 == 0


def test_the_forces_policy_is_valid_and_has_a_place_for_everything() -> None:
    reading = read_policy(EXAMPLES / "policy-force.yaml")
    assert reading.problems == ()
    policy = reading.policy
    assert policy is not None
    assert {role for one in policy.operators.values() for role in one.roles} == set(ACTS)
    assert {(one.name,) for one in fields(policy)} <= set(reading.lines)  # every key is shown
    assert set(policy.supervised) == {"child", "vulnerable"}
    assert set(policy.approvals.acts) == set(get_args(TwoPerson))
    assert (policy.decisions.second, policy.evaluation) == (True, "refuse")
    assert policy.limits.searches_per_hour
    assert policy.limits.refusals_per_hour
    # Nobody both does and watches.
    apart = ({"officer", "auditor"}, {"gallery-manager", "auditor"}, {"officer", "gallery-manager"})
    for one in policy.operators.values():
        assert not any(pair <= set(one.roles) for pair in apart)


def test_under_the_forces_policy_an_officer_gets_no_answer_without_an_evaluation(fr: Fr) -> None:
    said = yaml.safe_load((EXAMPLES / "policy-force.yaml").read_text())
    said["operators"][getpass.getuser()] = {"roles": ["officer"]}
    said["approvals"]["acts"] = []
    said["limits"] = {}  # the searches of the other tests are in the log, too
    (fr.home / "policy.yaml").write_text(yaml.safe_dump(said))
    asked = (
        "identify", photo(MATED), "--case", "1", "--reason", "unknown-person",
        "--place", "street", "--necessity", "no papers, and silent",
    )  # fmt: skip
    refused = fr.json(*asked)
    assert (refused["outcome"], refused["candidates"]) == ("inconclusive", [])
    assert "asks for an evaluation in force" in refused["why"]
    put(fr)
    assert fr.json(*asked)["outcome"] == "candidates"
