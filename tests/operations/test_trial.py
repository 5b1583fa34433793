"""Protocols through `fr evaluate`, on made-up people; and input that must not give a number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fr_cli.operations.bench import Bench
from fr_cli.operations.gathering import gather
from fr_cli.operations.study import Study
from fr_cli.operations.trial import compare, play
from fr_cli.records import Silence
from tests.conftest import ENROLLED, Fr, jpeg, small, write_csv

PEOPLE = [f"P{number:03d}" for number in range(1, 7)]
COLUMNS = ("subject_id", "image", "role")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder a person; P005 and P006 have one photo, the others two."""
    folder = tmp_path_factory.mktemp("people") / "photos"
    for person in PEOPLE:
        (folder / person).mkdir(parents=True)
        (folder / person / "b.jpg").write_bytes(jpeg(small(person, "amateur_selfie")))
        if person < "P005":
            (folder / person / "a.jpg").write_bytes(jpeg(small(person, "studio_portrait")))
    return folder


@pytest.fixture(scope="module")
def home(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Fr:
    """One home for all: its cache makes each photo's template once."""
    fr = Fr(tmp_path_factory.mktemp("evaluating") / "home")
    fr.json("init")
    return fr


def counts(document: dict[str, Any]) -> tuple[int, int, int, int]:
    said = document["counts"]
    return (
        said["references"], said["subjects"], said["probes_mated"], said["probes_nonmated"]
    )  # fmt: skip


def test_a_folder_is_asked_about_photo_by_photo(home: Fr, folder: Path) -> None:
    document = home.json("evaluate", folder)
    assert counts(document) == (10, 6, 8, 10)
    assert document["rank1"] >= 0.75
    assert home.log()[-1]["dec"]["protocol"] == "leave-one-out"
    assert document == home.json("evaluate", folder, "--protocol", "leave-one-out") | {
        "audit": document["audit"]
    }


def test_in_a_folder_the_first_photo_may_be_the_reference(home: Fr, folder: Path) -> None:
    document = home.json("evaluate", folder, "--protocol", "open-set")
    assert counts(document) == (6, 6, 4, 0)
    assert any("non-mated" in warning for warning in document["warnings"])


def test_drawn_galleries_make_strangers_of_the_rest(home: Fr, folder: Path) -> None:
    words = ("evaluate", folder, "--protocol", "open-set", "--random-galleries", 4)
    document = home.json(*words, "--gallery-size", 3)
    _, _, mated, nonmated = counts(document)
    assert mated + nonmated == 4 * 4  # four probes in each of four galleries
    draws = document["draws"]
    assert draws["galleries"] == 4
    assert len(draws["fpir_at_floor"]["values"]) == 4
    assert home.json(*words, "--gallery-size", 3)["draws"] == draws
    assert home.log()[-1]["dec"]["galleries"] == 4
    for size in (0, 7):
        error = home.json(*words, "--gallery-size", size, code=2)
        assert "gallery-size" in error["hint"]


def test_n_is_what_a_search_compares(home: Fr, folder: Path) -> None:
    def compared(**wishes: Any) -> int:
        with Bench(home.home) as bench:
            with bench.audit.act("evaluate", "combination") as act:
                trial = gather(Study(folder, **wishes), frozenset(), bench, act, Silence())
            return trial.compared

    assert compared() == 9  # ten photos, one of which is asked about
    assert compared(fusion="mean") == 5
    assert compared(protocol="open-set") == 6
    assert compared(protocol="open-set", random_galleries=3, gallery_size=2) == 2


def test_verification_compares_every_two(home: Fr, folder: Path) -> None:
    with Bench(home.home) as bench:
        study = Study(folder, protocol="verification")
        with bench.audit.act("evaluate", "combination") as act:
            trial = gather(study, frozenset(), bench, act, Silence())
        assert trial.comparisons is not None
        assert trial.comparisons.mated.cosines.size == 4
        assert trial.comparisons.nonmated.comparisons == 45 - 4
        assert trial.probes.mated.size == 0
        mean = compare(trial.data, frozenset(), "mean")
        assert mean.mated.cosines.size == 8
        assert mean.nonmated.comparisons == 10 * 5
        pair = frozenset({frozenset(("P001", "P002"))})
        assert compare(trial.data, pair, "best").nonmated.comparisons == 41 - 4
    home.json("evaluate", folder, "--protocol", "verification")


def test_without_the_gate_photos_below_the_floors_are_searched_too(fresh: Fr, folder: Path) -> None:
    policy = fresh.home / "policy.yaml"
    policy.write_text(policy.read_text().replace("InterEyeDistance: 24", "InterEyeDistance: 90"))
    with Bench(fresh.home) as bench:
        with bench.audit.act("evaluate", "combination") as act:
            trial = gather(Study(folder), frozenset(), bench, act, Silence())
        gated = trial.probes.failures_to_acquire
        free = play(Study(folder), trial.data, frozenset(), gate=False)
    assert gated > 0
    assert free.probes.failures_to_acquire == 0
    assert free.probes.mated_count == trial.probes.mated_count


def test_closed_set_leaves_strangers_out_and_says_so(
    home: Fr, folder: Path, tmp_path: Path
) -> None:
    rows = [
        ("P001", folder / "P001" / "a.jpg", "reference"),
        ("P002", folder / "P002" / "a.jpg", "reference"),
        ("P001", folder / "P001" / "b.jpg", "probe"),
        ("P006", folder / "P006" / "b.jpg", "probe"),
    ]
    path = write_csv(tmp_path / "manifest.csv", COLUMNS, *rows)
    document = home.json("evaluate", path, "--protocol", "closed-set")
    assert counts(document) == (2, 2, 1, 0)
    assert any("left out (1)" in one for one in document["warnings"])


# -- the home's own gallery --------------------------------------------------------------------


def test_probes_are_searched_in_the_gallery_of_the_home(
    enrolled: Fr, folder: Path, tmp_path: Path
) -> None:
    rows = [
        ("P001", folder / "P001" / "b.jpg", "probe"),
        ("P002", folder / "P002" / "b.jpg", ""),
        ("P006", folder / "P006" / "b.jpg", "probe"),
        ("P006", folder / "P006" / "missing.jpg", "reference"),
    ]
    path = write_csv(tmp_path / "probes.csv", COLUMNS, *rows)
    with Bench(enrolled.home) as bench, bench.audit.act("evaluate", "combination") as act:
        trial = gather(Study(path, gallery=True, cache=False), frozenset(), bench, act, Silence())
    assert (trial.references, trial.subjects, trial.fte) == (len(ENROLLED), len(ENROLLED), 0)
    assert trial.probes.mated.tolist() == [True, True, False]
    assert trial.probes.rank[:2].tolist() == [1, 1]
    for row, sample in enumerate(trial.samples[:2]):
        # The same score as a search gives.
        found = enrolled.identify(Path(folder / sample.subject / "b.jpg"))["candidates"]
        if found:
            assert trial.probes.mate[row] == pytest.approx(found[0]["cosine"], abs=1e-6)
    assert any("passed over (1)" in note for note in trial.notes)


def test_an_enrolled_photo_is_no_probe_and_the_search_is_logged(
    fr: Fr, folder: Path, tmp_path: Path
) -> None:
    portrait = tmp_path / "enrolled.jpg"
    portrait.write_bytes(jpeg(small("P001", "studio_portrait")))
    rows = [("P001", portrait, "probe"), ("P002", folder / "P002" / "b.jpg", "probe")]
    path = write_csv(tmp_path / "probes.csv", COLUMNS, *rows)
    document = fr.json("evaluate", path, "--gallery", code=100)
    assert document["counts"]["probes_mated"] == 1
    assert any("this very photo is enrolled" in warning for warning in document["warnings"])
    said = fr.log()[-1]["dec"]["gallery"]
    assert (said["generation"], said["references"]) == (1, len(ENROLLED))


def test_what_the_gallery_cannot_be_asked(fr: Fr, fresh: Fr, folder: Path, tmp_path: Path) -> None:
    row = ("P002", folder / "P002" / "b.jpg", "probe")
    path = write_csv(tmp_path / "probes.csv", COLUMNS, row)
    fresh.json("evaluate", path, "--gallery", code=10)
    for options in (("--protocol", "verification"), ("--calibrate", tmp_path / "c.json")):
        fr.json("evaluate", path, "--gallery", *options, code=2)


# -- bad input ---------------------------------------------------------------------------------


def rows_of(folder: Path) -> list[tuple[str, Path, str]]:
    return [
        ("P001", folder / "P001" / "a.jpg", "reference"),
        ("P002", folder / "P002" / "a.jpg", "reference"),
        ("P001", folder / "P001" / "b.jpg", "probe"),
        ("P005", folder / "P005" / "b.jpg", "probe"),
    ]


@pytest.mark.parametrize("role", ["reference", "probe"])
def test_a_photo_of_two_subjects_is_of_neither(
    home: Fr, folder: Path, tmp_path: Path, role: str
) -> None:
    rows = [*rows_of(folder), ("P003", folder / "P001" / "b.jpg", role)]
    path = write_csv(tmp_path / "manifest.csv", COLUMNS, *rows)
    document = home.json("evaluate", path, code=100)
    assert counts(document) == (2, 2, 0, 1)
    assert document["counts"]["unusable_rows"] == 2
    said = [warning for warning in document["warnings"] if "another subject" in warning]
    assert [warning.split(" was")[0] for warning in said] == ["line 4", "line 6"]


def test_a_photo_that_is_listed_twice_counts_once(home: Fr, folder: Path, tmp_path: Path) -> None:
    rows = rows_of(folder)
    path = write_csv(tmp_path / "manifest.csv", COLUMNS, *rows, rows[2], rows[0])
    document = home.json("evaluate", path, code=100)
    assert counts(document) == (2, 2, 1, 1)
    assert sum("same photo as line" in warning for warning in document["warnings"]) == 2


def test_a_copy_under_another_name_is_the_same_photo(
    home: Fr, folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.jpg"
    copy.write_bytes((folder / "P001" / "a.jpg").read_bytes())
    path = write_csv(tmp_path / "manifest.csv", COLUMNS, *rows_of(folder), ("P001", copy, "probe"))
    document = home.json("evaluate", path, code=100)
    assert document["counts"]["probes_mated"] == 1
    assert any("both reference" in warning for warning in document["warnings"])


def test_photos_of_one_subject_show_nothing(home: Fr, folder: Path, tmp_path: Path) -> None:
    rows = [row for row in rows_of(folder) if row[0] == "P001"]
    path = write_csv(tmp_path / "manifest.csv", COLUMNS, *rows)
    for protocol in ("open-set", "leave-one-out", "verification"):
        error = home.json("evaluate", path, "--protocol", protocol, code=2)
        assert "fewer than two subjects" in error["message"]


def test_roles_are_needed_or_not(home: Fr, folder: Path, tmp_path: Path) -> None:
    rows = [row[:2] for row in rows_of(folder)]
    path = write_csv(tmp_path / "manifest.csv", COLUMNS[:2], *rows)
    assert "leave-one-out" in home.json("evaluate", path, code=2)["hint"]
    document = home.json("evaluate", path, "--protocol", "leave-one-out")
    assert counts(document) == (4, 3, 2, 4)


def test_unreadable_rows_are_named(home: Fr, folder: Path, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "manifest.csv", COLUMNS, *rows_of(folder))
    with path.open("ab") as file:
        file.write(b"P001,,probe\nP001,\xff.jpg,probe\nP001,a.jpg,probe,more\n")
    document = home.json("evaluate", path, code=100)
    assert counts(document) == (2, 2, 1, 1)
    assert document["counts"]["unusable_rows"] == 3
    assert [warning.split(" was")[0] for warning in document["warnings"][:3]] == [
        "line 6", "line 7", "line 8"
    ]  # fmt: skip


def test_a_folder_of_one_person_or_of_none(home: Fr, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    home.json("evaluate", tmp_path / "photos", code=2)
    (tmp_path / "photos" / "P001").mkdir()
    home.json("evaluate", tmp_path / "photos", code=2)
