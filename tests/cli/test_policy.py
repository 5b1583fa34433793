"""`fr policy check` and `show`: what they print, for people and for scripts."""

from __future__ import annotations

import getpass
import hashlib
from pathlib import Path

import pytest

from fr_cli.authority.policy import default_policy
from fr_cli.authority.roles import ACTS
from tests.conftest import Fr

EXAMPLE = Path(__file__).parents[2] / "examples" / "policy-force.yaml"
FAULTY = default_policy().decode().replace("evaluation: warn", "evaluation: mabye") + "backups: 3\n"


def test_a_policy_is_checked_before_it_is_put_in_force(fr: Fr, tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    file.write_text(FAULTY)
    lines = FAULTY.splitlines()
    at, last = lines.index("evaluation: mabye") + 1, len(lines)
    result = fr("policy", "check", file)
    assert (result.code, result.stdout) == (3, "")
    assert result.stderr.splitlines() == [
        f"{file}:{at}: evaluation must be 'warn' or 'refuse', and is 'mabye'.",
        "    Known here: warn, refuse.",
        f"{file}:{last}: backups is not a key of the policy.",
        "    Did you mean backup_days?",
        f"The policy {file} is not valid: 2 faults.",
        "Mend these lines, and check it again before it is put in force.",
    ]
    error = fr.json("policy", "check", file, code=3)
    assert f"line {at}, evaluation must be" in error["message"]
    assert f"line {last}, backups is not a key of the policy (Did you mean" in error["message"]
    assert fr.json("policy", "check")["valid"] is True  # that of the home is another
    file.write_bytes(EXAMPLE.read_bytes())
    document = fr.json("policy", "check", file)
    assert document["sha256"] == hashlib.sha256(EXAMPLE.read_bytes()).hexdigest()


def test_a_check_of_a_file_needs_no_home(tmp_path: Path) -> None:
    assert Fr(tmp_path / "none").json("policy", "check", EXAMPLE)["valid"] is True
    Fr(tmp_path / "none").json("policy", "check", code=3)
    assert "cannot be read" in Fr(tmp_path / "none")("policy", "check", "nowhere.yaml").stderr


def test_a_check_writes_nothing(fresh: Fr) -> None:
    known = len(fresh.log())
    fresh.json("policy", "check")
    fresh.json("policy", "show")
    assert len(fresh.log()) == known


def test_each_value_has_its_origin(fresh: Fr) -> None:
    path = fresh.home / "policy.yaml"
    path.write_text(path.read_text() + "limits:\n  searches_per_hour: 20\n")
    lines = path.read_text().splitlines()
    origins = fresh.json("policy", "show")["origins"]
    assert lines[origins["limits.searches_per_hour"] - 1] == "  searches_per_hour: 20"
    assert lines[origins["identify.floor_score"] - 1] == "  floor_score: 0.60"
    assert lines[origins["reasons.wanted.description"] - 1].endswith(
        "wanted for an offence or by a court."
    )
    assert origins["limits.refusals_per_hour"] is None
    assert origins["decisions.due_days"] is None
    shown = fresh("policy", "show").stdout
    row = {line.split()[0]: line.split() for line in shown.splitlines() if line}
    assert row["limits.searches_per_hour"][1:] == ["20", "line", str(len(lines))]
    assert row["decisions.due_days"][1:] == ["7", "default"]
    assert row["identify.fpir_target"][1:5] == ["0.000166667", "(1", "in", "6,000)"]
    assert "No operators are named" in shown


def test_operators_and_roles_are_shown(fresh: Fr) -> None:
    (fresh.home / "policy.yaml").write_bytes(EXAMPLE.read_bytes())
    document = fresh.json("policy", "show")
    assert document["operators"]["pc1207"]["roles"] == ["officer"]
    assert document["roles"] == {role: sorted(acts) for role, acts in ACTS.items()}
    shown = fresh("policy", "show").stdout
    assert "pc1207" in shown
    assert "2027-03-31" in shown
    assert "wanted-on-warrant, wanted-on-bail" in shown
    assert "everything, with its necessity" in shown
    assert "nobody has it" not in shown
    text = EXAMPLE.read_text().replace("[tester]", "[officer]")
    (fresh.home / "policy.yaml").write_text(text)
    assert "nobody has it" in fresh("policy", "show").stdout


def test_a_hostile_name_in_a_policy_steers_no_terminal(fresh: Fr) -> None:
    path = fresh.home / "policy.yaml"
    path.write_text(path.read_text() + 'operators:\n  "x[red]\\u202e": {roles: [officer]}\n')
    result = fresh("policy", "show")
    assert result.code == 0
    assert "\u202e" not in result.stdout
    assert "x[red]" in result.stdout


@pytest.mark.parametrize("role", ["officer", "auditor"])
def test_only_an_administrator_says_that_the_clock_is_right(fresh: Fr, role: str) -> None:
    path = fresh.home / "policy.yaml"
    me = getpass.getuser()
    text = path.read_text()
    path.write_text(f"{text}operators:\n  {me}: {{roles: [{role}]}}\n")
    fresh.json("policy", "clock", "--reason", "battery", code=4)
    path.write_text(f"{text}operators:\n  {me}: {{roles: [administrator]}}\n")
    document = fresh.json("policy", "clock", "--reason", "battery")
    assert document["schema"] == "fr/policy-clock/1"
    assert document["audit"]["size"] == len(fresh.log())
