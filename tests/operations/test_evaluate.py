"""`fr evaluate` on made-up people: every key of the contract, no number that was not measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Fr, jpeg, photo, small, write_csv

PEOPLE = [f"P{number:03d}" for number in range(1, 11)]
NON_MATED = {"P007", "P009"}
COLUMNS = ("subject_id", "image", "role", "sex")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Portraits as references, selfies as probes; two people have no reference."""
    folder = tmp_path_factory.mktemp("labelled")
    rows = []
    for number, person in enumerate(PEOPLE):
        sex = "f" if number % 2 else "m"
        for kind, role in (("studio_portrait", "reference"), ("amateur_selfie", "probe")):
            if role == "probe" or person not in NON_MATED:
                name = f"{person} {role}.jpg"
                (folder / name).write_bytes(jpeg(small(person, kind)))
                rows.append((person, name, role, sex))
    return write_csv(folder / "manifest.csv", COLUMNS, *rows)


@pytest.fixture(scope="module")
def home(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Fr:
    fr = Fr(tmp_path_factory.mktemp("evaluating") / "home")
    fr.json("init")
    return fr


@pytest.fixture(scope="module")
def document(home: Fr, manifest: Path) -> dict[str, Any]:
    return home.json("evaluate", manifest, "--group-by", "sex")


def test_the_document_has_every_key_of_the_contract(document: dict[str, Any]) -> None:
    assert document["schema"] == "fr/evaluate/1"
    counts = document["counts"]
    assert (counts["references"], counts["probes_mated"], counts["probes_nonmated"]) == (8, 8, 2)
    assert (counts["fte"], counts["fta"]) == (0, 0)
    assert isinstance(document["rank1"], float)
    assert document["rank1"] >= 0.75
    assert {"cmc", "det", "groups", "search_loss", "calibration"} <= set(document)
    assert document["cmc"][0] == document["rank1"]
    assert document["cmc"] == sorted(document["cmc"])
    names = {
        "fpir", "method", "threshold_cosine", "threshold_score", "tpir", "tpir_low", "tpir_high",
    }  # fmt: skip
    assert [point["fpir"] for point in document["points"]] == pytest.approx(
        [0.01, 0.003, 0.001, 1e-4, 1 / 6000]
    ) or sorted(point["fpir"] for point in document["points"]) == pytest.approx(
        [1e-4, 1 / 6000, 0.001, 0.003, 0.01]
    )
    for point in document["points"]:
        assert names <= set(point)


def test_what_two_strangers_cannot_show_is_not_measured(document: dict[str, Any]) -> None:
    for point in document["points"]:
        assert point["method"] in ("empirical", "extrapolated", "not_measurable")
        assert point["method"] != "empirical"  # not one of these rates shows with two probes
        values = [point[name] for name in ("tpir", "tpir_low", "tpir_high", "threshold_cosine")]
        if point["method"] == "not_measurable":
            assert values == [None] * 4
        else:
            assert point["tpir_low"] <= point["tpir"] <= point["tpir_high"]


def test_groups_share_the_probes_among_them(document: dict[str, Any]) -> None:
    groups = {one["group"]["sex"]: one for one in document["groups"]}
    assert set(groups) == {"f", "m"}
    assert sum(one["tpir"]["of"] for one in groups.values()) == 8
    assert sum(one["fpir"]["of"] for one in groups.values()) == 2


def test_the_table_for_people_is_shown_and_logged(home: Fr, manifest: Path) -> None:
    result = home("evaluate", manifest)
    assert result.code == 0
    assert "not measurable" in result.stdout or "extrapolated" in result.stdout
    assert home.log()[-1]["dec"]["probes_mated"] == 8


def test_excluded_pairs_are_not_compared(home: Fr, manifest: Path, tmp_path: Path) -> None:
    # P010 is alike to P004: without the pair, a rank-1 miss of either cannot be the other.
    pairs = write_csv(tmp_path / "pairs.csv", ("subject_a", "subject_b"), ("P010", "P004"))
    assert home.json("evaluate", manifest, "--exclude", pairs)["rank1"] >= 0.75
    own = write_csv(
        tmp_path / "own.csv",
        ("subject_a", "subject_b"),
        *[("P009", other) for other in PEOPLE],
        *[("P007", other) for other in PEOPLE],
    )
    assert home.json("evaluate", manifest, "--exclude", own)["rank1"] >= 0.75
    wrong = write_csv(tmp_path / "wrong.csv", ("a", "b"), ("P010", "P004"))
    home.json("evaluate", manifest, "--exclude", wrong, code=2)
    home.json("evaluate", manifest, "--exclude", tmp_path / "missing.csv", code=2)


def test_photos_that_fail_count_as_failures_and_bad_lines_are_said(
    home: Fr, tmp_path: Path
) -> None:
    (tmp_path / "text.jpg").write_bytes(b"not a photo")
    rows = [
        ("a", photo("P001", "studio_portrait"), "reference", ""),
        ("b", "text.jpg", "reference", ""),
        ("a", photo("P001"), "probe", ""),
        ("a", "missing.jpg", "probe", ""),
        ("c", photo("P009"), "probe", ""),
        ("d", photo("P009"), "spectator", ""),
    ]
    path = write_csv(tmp_path / "manifest.csv", COLUMNS, *rows)
    document = home.json("evaluate", path, code=100)
    counts = document["counts"]
    assert (counts["references"], counts["fte"], counts["fta"]) == (1, 1, 1)
    assert (counts["probes_mated"], counts["unusable_rows"]) == (2, 1)
    assert document["rank1"] == 0.5  # a failure to acquire is a miss
    assert any("line 7" in warning for warning in document["warnings"])


def test_a_photo_that_is_both_reference_and_probe_is_left_out_as_probe(
    home: Fr, tmp_path: Path
) -> None:
    rows = [
        *[("a", photo("P001"), role, "") for role in ("probe", "reference")],
        ("b", photo("P002"), "reference", ""),
        ("c", photo("P009"), "probe", ""),
    ]
    path = write_csv(tmp_path / "manifest.csv", COLUMNS, *rows)
    document = home.json("evaluate", path, code=100)
    assert any("line 2 " in one and "both" in one for one in document["warnings"])
    counts = document["counts"]
    assert (counts["references"], counts["probes_mated"], counts["unusable_rows"]) == (2, 0, 1)


@pytest.mark.parametrize(
    ("columns", "rows", "options"),
    [
        (COLUMNS, [("a", "a.jpg", "reference", "")], ()),
        (COLUMNS, [("a", "a.jpg", "probe", "")], ()),
        (COLUMNS, [], ()),
        (("subject_id", "image"), [("a", "a.jpg")], ()),
        (COLUMNS, [("a", "a.jpg", "reference", ""), ("a", "a.jpg", "probe", "")], ()),
        (
            COLUMNS,
            [("a", "a.jpg", "reference", "m"), ("a", "a.jpg", "probe", "m")],
            ("--group-by", "age"),
        ),
    ],
    ids=["no probes", "no references", "no lines", "no role", "nothing enrolled", "no column"],
)
def test_a_manifest_that_cannot_be_evaluated_is_a_usage_error(
    home: Fr, tmp_path: Path, columns: tuple[str, ...], rows: list[Any], options: tuple[str, ...]
) -> None:
    path = write_csv(tmp_path / "manifest.csv", columns, *rows)
    assert home.json("evaluate", path, *options, code=2)["error"] == "UsageProblem"


def test_nothing_of_an_evaluation_enters_the_gallery(home: Fr, document: dict[str, Any]) -> None:
    assert home.json("gallery", "stats", code=10)["error"] == "GalleryMissing"


def test_too_few_photos_make_no_calibration(home: Fr, manifest: Path, tmp_path: Path) -> None:
    where = tmp_path / "calibration.json"
    error = home.json("evaluate", manifest, "--calibrate", where, code=2)
    assert "calibration" in error["message"]
    assert not where.exists()
