"""A list of another system's scores: what is read of it, and what is refused by its line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fr_cli.errors import UsageProblem
from fr_cli.operations.scores import read_scores
from fr_cli.records import Silence
from tests.conftest import Fr, write_csv

COLUMNS = ("probe", "probe_subject", "reference", "reference_subject", "score")
#: Six people: A, B and C have references, E's could not be enrolled; D and F have none.
SIX = [
    ("a2", "A", "a1", "A", "90"), ("a2", "A", "b1", "B", "30"), ("a2", "A", "c1", "C", "20"),
    ("b2", "B", "a1", "A", "50"), ("b2", "B", "b1", "B", "40"),
    ("c2", "C", "a1", "A", "10"), ("c2", "C", "b1", "B", "15"),
    ("d1", "D", "a1", "A", "35"), ("d1", "D", "c1", "C", "60"),
    ("e2", "E", "c1", "C", "12"),
    ("f1", "F", "", "", ""),
    ("", "", "e1", "E", ""),
]  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Fr:
    fr = Fr(tmp_path / "home")
    fr.json("init")
    return fr


def test_six_people_by_hand(home: Fr, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "scores.csv", COLUMNS, *SIX)
    document = home.json("evaluate", "--scores", path)
    counts = document["counts"]
    assert (counts["references"], counts["subjects"], counts["fte"]) == (3, 3, 1)
    assert (counts["probes_mated"], counts["probes_nonmated"], counts["fta"]) == (4, 2, 1)
    # A finds A first; B finds A before B; C is not on its own list; E's reference failed.
    assert document["rank1"] == 0.25
    assert document["cmc"][1] == 0.5
    assert document["calibration"] is None
    assert all(point["threshold_score"] is None for point in document["points"])
    assert [one["image"] for one in document["failures"]] == ["f1"]


def test_what_needs_the_homes_floor_is_said_to_be_left_out(home: Fr, tmp_path: Path) -> None:
    rows = [(*row, "f") for row in SIX]
    path = write_csv(tmp_path / "scores.csv", (*COLUMNS, "sex"), *rows)
    document = home.json("evaluate", "--scores", path, "--group-by", "sex")
    assert document["groups"] == []
    assert any("Groups are not measured" in warning for warning in document["warnings"])
    assert any("another system" in warning for warning in document["warnings"])


def test_closed_set_asks_only_about_the_mated(home: Fr, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "scores.csv", COLUMNS, *SIX)
    counts = home.json("evaluate", "--scores", path, "--protocol", "closed-set")["counts"]
    assert (counts["probes_mated"], counts["probes_nonmated"]) == (4, 0)


def test_json_lines_say_the_same(home: Fr, tmp_path: Path) -> None:
    lines = [json.dumps(dict(zip(COLUMNS, row, strict=True))) for row in SIX]
    (tmp_path / "scores.jsonl").write_text("\n".join(lines) + "\n")
    one = read_scores(tmp_path / "scores.jsonl", Silence()).listed
    other = read_scores(write_csv(tmp_path / "s.csv", COLUMNS, *SIX), Silence()).listed
    assert one.score.tolist() == other.score.tolist()
    assert one.probe_subject.tolist() == other.probe_subject.tolist()


def test_a_matrix_of_all_with_all_has_no_photo_as_its_own_mate(home: Fr, tmp_path: Path) -> None:
    whose = {"a1": "A", "a2": "A", "b1": "B", "c1": "C"}
    rows = [
        (one, whose[one], other, whose[other], 1.0 if one == other else 0.1)
        for one in whose
        for other in whose
    ]
    path = write_csv(tmp_path / "scores.csv", COLUMNS, *rows)
    document = home.json("evaluate", "--scores", path, code=100)
    counts = document["counts"]
    assert (counts["probes_mated"], counts["probes_nonmated"]) == (2, 2)
    assert counts["unusable_rows"] == 4
    assert any("itself" in warning for warning in document["warnings"])


def test_random_galleries_of_a_list(home: Fr, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "scores.csv", COLUMNS, *SIX)
    options = ("--scores", path, "--random-galleries", 3, "--gallery-size", 2)
    document = home.json("evaluate", *options)
    counts = document["counts"]
    assert counts["probes_mated"] + counts["probes_nonmated"] == 3 * 6
    assert len(document["draws"]["rank1"]["values"]) == 3
    error = home.json("evaluate", *options[:-1], 9, code=2)
    assert "9" in error["message"]


A1 = ("a2", "A", "a1", "A", "0.9")


@pytest.mark.parametrize(
    ("rows", "line", "word"),
    [
        ([A1, ("b2", "B", "a1", "A", "nan")], 3, "finite"),
        ([A1, ("b2", "B", "a1", "A", "inf")], 3, "finite"),
        ([A1, ("b2", "B", "a1", "A", "1e999")], 3, "finite"),
        ([A1, ("b2", "B", "a1", "A", "high")], 3, "not a number"),
        ([A1, ("b2", "B", "a1", "A")], 3, "4 fields"),
        ([A1, ("", "", "", "", "")], 3, "neither"),
        ([A1, ("b2", "", "a1", "A", "0.1")], 3, "belong together"),
        ([A1, ("b2", "B", "", "", "0.1")], 3, "both"),
        ([A1, A1], 3, "line 2"),
        ([A1, ("a2", "B", "b1", "B", "0.1")], 3, "another subject than on line 2"),
        ([A1, ("b2", "B", "a1", "B", "0.1")], 3, "another subject than on line 2"),
        ([A1, ("a1", "B", "b1", "B", "0.1")], 3, "as probe than as reference"),
        ([A1, ("a2", "A", "", "", "")], 3, "a failure"),
        ([("a2", "A", "", "", ""), A1], 3, "a failure"),
    ],
)
def test_what_contradicts_itself_is_refused_by_its_line(
    tmp_path: Path, rows: list[tuple[str, ...]], line: int, word: str
) -> None:
    path = write_csv(tmp_path / "scores.csv", COLUMNS, *rows)
    with pytest.raises(UsageProblem, match=f"line {line}: .*{word}"):
        read_scores(path, Silence())


@pytest.mark.parametrize(
    ("acquired", "score", "said"),
    [("no", "0.5", "nothing was acquired"), ("perhaps", "", "neither true nor false")],
)
def test_acquired_must_fit(tmp_path: Path, acquired: str, score: str, said: str) -> None:
    row = ("b2", "B", "a1", "A", score, acquired)
    path = write_csv(tmp_path / "scores.csv", (*COLUMNS, "acquired"), (*A1, ""), row)
    with pytest.raises(UsageProblem, match=said):
        read_scores(path, Silence())


def test_an_empty_candidate_list_is_no_failure(tmp_path: Path) -> None:
    rows = [(*A1, "yes"), ("b2", "B", "", "", "", "yes"), ("c2", "C", "", "", "", "no")]
    path = write_csv(tmp_path / "scores.csv", (*COLUMNS, "acquired"), *rows)
    assert read_scores(path, Silence()).listed.acquired.tolist() == [True, True, False]


def test_a_probe_is_in_one_group(tmp_path: Path) -> None:
    columns = (*COLUMNS, "sex")
    rows = [(*A1, "f"), ("a2", "A", "b1", "B", "0.1", "f"), ("b2", "B", "a1", "A", "0.2", "m")]
    scores = read_scores(write_csv(tmp_path / "s.csv", columns, *rows), Silence(), ("sex",))
    assert scores.groups == [{"sex": "f"}, {"sex": "m"}]
    rows[1] = ("a2", "A", "b1", "B", "0.1", "m")
    with pytest.raises(UsageProblem, match="another group"):
        read_scores(write_csv(tmp_path / "s.csv", columns, *rows), Silence(), ("sex",))


@pytest.mark.parametrize(
    "text",
    ["", "probe,score\na,1\n", ",".join(COLUMNS) + "\n", "\udcff", '"' + "x" * 200_000],
    ids=["empty", "columns", "no rows", "not UTF-8", "an open quote"],
)
def test_what_is_no_list_is_a_usage_error(home: Fr, tmp_path: Path, text: str) -> None:
    path = tmp_path / "scores.csv"
    path.write_bytes(text.encode(errors="surrogateescape"))
    assert home.json("evaluate", "--scores", path, code=2)["error"] == "UsageProblem"


def test_what_does_not_go_together_is_a_usage_error(home: Fr, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "scores.csv", COLUMNS, *SIX)
    for options in (
        (path, "--scores", path),
        (),
        ("--scores", path, "--protocol", "leave-one-out"),
        ("--scores", path, "--calibrate", tmp_path / "c.json"),
        ("--scores", path, "--group-by", "sex"),
        ("--scores", tmp_path / "missing.csv"),
        ("--scores", path, "--protocol", "verification", "--random-galleries", "2"),
    ):
        home.json("evaluate", *options, code=2)
    alone = write_csv(tmp_path / "alone.csv", COLUMNS, A1)
    assert "one subject" in home.json("evaluate", "--scores", alone, code=2)["message"]


def test_a_million_lines(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    scores = np.random.default_rng(0).random((1000, 1000)).round(4)
    with path.open("w") as file:
        file.write(",".join(COLUMNS) + "\n")
        for i, row in enumerate(scores):
            file.writelines(f"p{i},S{i},r{j},S{j},{score}\n" for j, score in enumerate(row))
    listed = read_scores(path, Silence()).listed
    assert np.array_equal(listed.score.reshape(1000, 1000), scores)
    from fr_cli.evaluation.listed import search_lists

    (found,) = search_lists(listed, [np.ones(1000, bool)], "best")
    np.fill_diagonal(scores, -1.0)
    assert np.array_equal(found.nonmate, scores.max(axis=1))
