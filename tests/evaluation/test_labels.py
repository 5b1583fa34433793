"""Labels as they stand in a table: grouped as written, and what is wrong with them said."""

from __future__ import annotations

from fr_cli.evaluation.labels import grouping


def rows(*labels: str, column: str = "sex") -> list[dict[str, str]]:
    return [{column: label} for label in labels]


def test_photos_are_grouped_by_each_column_and_by_all_together() -> None:
    table = [
        {"sex": "f", "age": "young"},
        {"sex": "m", "age": "old"},
        {"sex": "f", "age": "old"},
    ]
    by_sex, by_age = grouping(("sex",), table), grouping(("age",), table)
    by_both = grouping(("sex", "age"), table)
    assert (by_sex.labels, by_sex.codes.tolist()) == (("f", "m"), [0, 1, 0])
    assert by_age.labels == ("old", "young")
    assert by_both.names == (("f", "old"), ("f", "young"), ("m", "old"))
    assert by_both.labels[1] == "f · young"
    assert [one.problems for one in (by_sex, by_age, by_both)] == [(), (), ()]


def test_missing_labels_are_in_no_group_and_said() -> None:
    for word in ("", "NA", "n/a", " Unknown "):
        one = grouping(("sex",), rows("f", word, "m"))
        assert one.codes.tolist() == [0, -1, 1]
        assert one.problems == ("1 of 3 photos have no label for sex; they are in no group.",)
    absent = grouping(("sex",), [{}, {}])
    assert absent.labels == ()
    assert "Nobody has a label for sex." in absent.problems


def test_two_spellings_stay_apart_and_are_said() -> None:
    one = grouping(("sex",), rows("Female", "female ", "male"))
    assert one.labels == ("Female", "female ", "male")
    (problem,) = one.problems
    assert "'Female' and 'female '" in problem
    wide = grouping(("sex",), rows("Asian", "Ａｓｉａｎ"))
    assert "several spellings" in wide.problems[0]


def test_one_group_is_no_comparison() -> None:
    one = grouping(("sex",), rows("f", "f"))
    assert one.problems == ("sex makes one group only, so there is nothing to compare.",)
