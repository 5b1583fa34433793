"""The gate: met, missed, or not decided by the data, and only what is met passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from fr_cli.errors import ConfigurationError
from fr_cli.evaluation.inequity import Ratio
from fr_cli.evaluation.protocol import part
from fr_cli.evaluation.rates import Probes
from fr_cli.operations.gate import Check, Evidence, gate, passes, ratio_at_most
from fr_cli.operations.targets import (
    Counts,
    FalseCandidates,
    Found,
    Groups,
    InForce,
    Latency,
    Targets,
    load_targets,
)
from tests.evaluation.test_groups import system

EXAMPLE = Path(__file__).parents[2] / "examples" / "targets.yaml"
LEAST: dict[str, Any] = {
    "version": 1,
    "in_force": {"days": 30, "references": 1000},
    "tpir": [{"at_score": 0.6, "at_least": 0.9}],
    "fpir": [{"at_score": 0.6, "at_most": 0.01}],
}


def targets(**more: Any) -> Targets:
    return Targets.model_validate(LEAST | more)


def evidence(found: int = 980, false: int = 2, of: int = 1000, **more: Any) -> Evidence:
    """So many mated and as many non-mated probes, found and false at score 0.6."""
    mated = np.arange(2 * of) < of
    mate = np.where(np.arange(2 * of) < found, 0.9, 0.1)
    nonmate = np.where(np.arange(2 * of) >= 2 * of - false, 0.9, 0.1)
    probes = Probes(mated, np.ones(2 * of, bool), nonmate, mate, np.ones(2 * of, np.int64))
    return Evidence(1000, 1000, probes, lambda score: score, more.pop("studies", []), **more)


def verdicts(checks: list[Check]) -> list[str]:
    return [check.verdict for check in checks]


def test_what_is_wholly_on_the_good_side_passes() -> None:
    checks = gate(targets(), evidence())
    assert set(verdicts(checks)) == {"met"}
    assert passes(checks)


def test_what_is_wholly_on_the_bad_side_is_missed_by_so_much() -> None:
    tpir, fpir = gate(targets(), evidence(found=800, false=50))[-2:]
    assert (tpir.verdict, fpir.verdict) == ("missed", "missed")
    assert tpir.sentence.startswith("TPIR at score 0.60 at least 90.00%: missed; 80.00% (")
    assert tpir.short == "by 10.00%"
    assert fpir.short == "by 4.00%"


def test_what_the_data_cannot_decide_does_not_pass() -> None:
    checks = gate(targets(), evidence(of=100, found=93, false=0))
    tpir, fpir = checks[-2:]
    assert (tpir.verdict, fpir.verdict) == ("undecided", "undecided")
    assert fpir.found == "at most 3.62% (0 of 100)"
    assert "300 trials without a case would decide" in fpir.short
    assert not passes(checks)
    below = gate(targets(), evidence(of=100, found=88))[-2]
    assert (below.verdict, "but the interval reaches" in below.short) == ("undecided", True)


def test_nothing_to_count_does_not_pass() -> None:
    mated_only = Evidence(
        9, 9, part(evidence().probes, evidence().probes.mated), lambda score: score, []
    )
    checks = gate(targets(tpir=[{"at_fpir": 0.01, "at_least": 0.9}]), mated_only)
    assert [check.found for check in checks if check.verdict == "undecided"] == [
        "that FPIR shows with 100 non-mated probes or more",
        "there was nothing to count",
    ]


def test_without_a_calibration_a_score_decides_nothing() -> None:
    found = evidence()
    checks = gate(targets(), Evidence(1000, 1000, found.probes, None, []))
    assert verdicts(checks[-2:]) == ["undecided", "undecided"]


def test_an_fpir_grows_with_the_gallery_it_is_asked_for() -> None:
    small = targets(fpir=[{"at_score": 0.6, "at_most": 0.02}])
    large = targets(
        fpir=[{"at_score": 0.6, "at_most": 0.02}], in_force={"days": 9, "references": 10_000}
    )
    assert gate(small, evidence(false=5))[-1].verdict == "met"
    check = gate(large, evidence(false=5))[-1]
    assert check.found.startswith("4.89% (")  # 1 − 0.995 ** 10
    assert "among 10,000 references" in check.target


def test_tpir_is_asked_at_the_score_that_a_large_gallery_needs() -> None:
    check = gate(targets(), evidence(operating=0.95))[-2]
    assert "at score 0.95" in check.target
    assert check.verdict == "missed"  # the mates' scores are 0.9


def test_too_small_counts_are_missed() -> None:
    checks = gate(targets(counts={"probes_mated": 5000}), evidence())
    (missed,) = [check for check in checks if check.verdict != "met"]
    assert missed.sentence == "At least 5,000 mated probes: missed; 1,000 (4,000 too few)."


def group_checks(
    groups: dict[str, tuple[float, float]], people: int = 400, **wanted: Any
) -> list[Check]:
    asked = {"by": ["sex"], "at_score": 0.5, "fpir_ratio_at_most": 3.0} | wanted
    study = system(groups, people)
    checks = gate(targets(groups=[asked]), evidence(studies=[study]))
    return checks[2:]


def test_group_ratios_are_held_by_their_upper_limit() -> None:
    same = {"f": (0.2, 0.1), "m": (0.2, 0.1)}
    assert verdicts(group_checks(same)) == ["met"]
    (few,) = group_checks({"f": (0.01, 0.1), "m": (0.01, 0.1)})
    assert few.verdict == "undecided"
    assert "the data cannot exclude" in few.short
    (bad,) = group_checks({"f": (0.2, 0.1), "m": (0.01, 0.1)})
    assert bad.verdict == "missed"
    assert bad.short == "6.67 times the limit"
    (zero,) = group_checks({"f": (0.01, 0.1), "m": (0.0, 0.1)})
    assert (zero.verdict, zero.short) == ("undecided", "the data sets it no upper limit")


def test_a_ratio_without_a_value_can_still_be_missed() -> None:
    check = ratio_at_most("t", Ratio(None, 8.0, None, "there was no case in a"), 3.0)
    assert check.verdict == "missed"
    assert check.found == "no ratio, as there was no case in a (from 8)"


def test_each_group_is_held_by_itself() -> None:
    checks = group_checks(
        {"f": (0.05, 0.3), "m": (0.05, 0.02)}, fpir_ratio_at_most=None,
        tpir_at_least=0.9, fpir_at_most=0.1,
    )  # fmt: skip
    assert [(check.target.split(" at ")[0], check.verdict) for check in checks] == [
        ("TPIR of f", "missed"), ("FPIR of f", "met"), ("TPIR of m", "met"), ("FPIR of m", "met"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("groups", "people", "why"),
    [
        ({"f": (0.2, 0.1), "m": (0.2, 0.1)}, 3, "judged as a group: f (3), m (3)"),
        ({"f": (0.2, 0.1)}, 400, "one group only"),
        ({"Female": (0.2, 0.1), "female ": (0.2, 0.1)}, 400, "several spellings"),
        ({"f": (0.2, 0.1), "m": (0.2, 0.1), "": (0.2, 0.1)}, 400, "no label"),
    ],
)
def test_bad_labels_do_not_pass(
    groups: dict[str, tuple[float, float]], people: int, why: str
) -> None:
    checks = group_checks(groups, people)
    assert any(why in check.found for check in checks)
    assert not passes(checks)


def test_a_group_of_fewer_people_than_asked_for_does_not_pass() -> None:
    assert passes(group_checks({"f": (0.2, 0.1), "m": (0.2, 0.1)}))
    asked = {"by": ["sex"], "at_score": 0.5, "fpir_ratio_at_most": 3.0, "people": 500}
    study = system({"f": (0.2, 0.1), "m": (0.2, 0.1)})
    checks = gate(targets(groups=[asked]), evidence(studies=[study]))[2:]
    assert [check.found for check in checks if check.verdict == "undecided"] == [
        "f has 400 for FPIR", "m has 400 for FPIR",
    ]  # fmt: skip


def test_groups_that_were_not_studied_do_not_pass() -> None:
    asked = {"by": ["age"], "at_score": 0.5, "fpir_ratio_at_most": 3.0}
    (check,) = gate(targets(groups=[asked]), evidence())[2:]
    assert check.found == "the data has no such groups"


def test_latency() -> None:
    asked = targets(latency={"search_p99_ms_at_most": 50.0})
    assert gate(asked, evidence())[-1].verdict == "undecided"
    assert gate(asked, evidence(latency=49.0))[-1].verdict == "met"
    assert gate(asked, evidence(latency=61.0))[-1].short == "by 11 ms"


# -- the file --------------------------------------------------------------------------------


def test_the_example_is_valid_and_names_every_key() -> None:
    found, digest = load_targets(EXAMPLE)
    assert len(digest) == 64
    assert found.groups[0].by == ["sex"]
    text = EXAMPLE.read_text()
    for model in (Targets, InForce, Counts, Found, FalseCandidates, Groups, Latency):
        for name in model.model_fields:
            assert f"{name}:" in text, name


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"version": 2}, "version"),
        ({"tpirs": []}, "tpirs"),
        ({"tpir": []}, "tpir"),
        ({"tpir": [{"at_least": 0.9}]}, "at_score or at_fpir"),
        ({"tpir": [{"at_score": 0.6, "at_fpir": 0.01, "at_least": 0.9}]}, "one of them"),
        ({"tpir": [{"at_score": 0.6, "at_least": 90}]}, "at_least"),
        ({"tpir": [{"at_score": 0.6, "at_least": "0.9"}]}, "at_least"),
        ({"fpir": [{"at_score": 0.6, "at_most": 0}]}, "at_most"),
        ({"fpir": [{"at_score": float("nan"), "at_most": 0.1}]}, "at_score"),
        ({"in_force": {"days": 5000, "references": 10}}, "days"),
        ({"groups": [{"by": ["sex"], "at_score": 0.6}]}, "nothing is asked"),
        ({"groups": [{"by": ["a", "a"], "at_score": 0.6, "fpir_at_most": 0.1}]}, "each once"),
        ({"groups": [{"by": ["a"], "at_score": 0.6, "fpir_at_most": 0.1, "people": 3}]}, "people"),
    ],
)
def test_a_file_that_is_not_exact_is_refused(
    change: dict[str, Any], named: str, tmp_path: Path
) -> None:
    path = tmp_path / "targets.yaml"
    path.write_text(yaml.safe_dump(LEAST | change))
    with pytest.raises(ConfigurationError) as refused:
        load_targets(path)
    assert named in refused.value.message


@pytest.mark.parametrize("data", [b"", b"[", b"\xff\xfe", b"- 1", b"a: b: c"])
def test_what_is_no_table_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "targets.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigurationError):
        load_targets(path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_targets(tmp_path / "none.yaml")
