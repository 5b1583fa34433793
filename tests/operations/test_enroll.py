"""A feed is enrolled line by line, and run again it costs hashes and changes what has changed."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fr_cli.face.pipeline import FacePipeline
from fr_cli.gallery import lock
from fr_cli.gallery.gallery import Gallery
from fr_cli.keys import SiteKey
from fr_cli.operations import enroll as enroll_module
from fr_cli.operations.bench import Bench
from tests.conftest import Fr, jpeg, photo, small, write_csv

COLUMNS = ("subject_id", "image")


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    """A folder with the portraits of three people and files that are no photos."""
    folder = tmp_path / "feed"
    folder.mkdir()
    for person in ("P001", "P002", "P003"):
        (folder / f"{person}.jpg").write_bytes(jpeg(small(person, "studio_portrait")))
    (folder / "text.jpg").write_bytes(b"not a photo")
    (folder / "empty.jpg").write_bytes(b"")
    shutil.copy(photo("P001", "emotions_sheet"), folder / "many.jpg")
    return folder


@pytest.fixture
def embeddings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one for each photo that is embedded."""
    made: list[int] = []
    real = FacePipeline.template

    def counted(self: FacePipeline, data: bytes, *choice: Any) -> Any:
        made.append(len(data))
        return real(self, data, *choice)

    monkeypatch.setattr(FacePipeline, "template", counted)
    return made


def counts(document: dict[str, Any]) -> tuple[int, int, int, int, int]:
    names = ("added", "updated", "unchanged", "rejected", "rejected_before")
    added, updated, unchanged, rejected, before = (int(document[name]) for name in names)
    return added, updated, unchanged, rejected, before


def as_folder(feed: Path) -> Path:
    for person in ("P001", "P002", "P003"):
        (feed / "tree" / person).mkdir(parents=True)
        shutil.copy(feed / f"{person}.jpg", feed / "tree" / person / "front.jpg")
    (feed / "tree" / "P001" / ".notes").write_text("hidden, and not taken for a photo")
    return feed / "tree"


def as_csv(feed: Path) -> Path:
    return write_csv(
        feed / "feed.csv", COLUMNS, *[(p, f"{p}.jpg") for p in ("P001", "P002", "P003")]
    )


def as_absolute_csv(feed: Path) -> Path:
    rows = [(p, feed / f"{p}.jpg") for p in ("P001", "P002", "P003")]
    return write_csv(feed.parent / "elsewhere.csv", COLUMNS, *rows)


def as_csv_with_mark(feed: Path) -> Path:
    path = as_csv(feed)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    return path


def as_jsonl(feed: Path) -> Path:
    lines = [{"subject_id": p, "image": f"{p}.jpg"} for p in ("P001", "P002", "P003")]
    path = feed / "feed.jsonl"
    path.write_text("\n\n".join(json.dumps(line) for line in lines))
    return path


@pytest.mark.parametrize("form", [as_folder, as_csv, as_absolute_csv, as_csv_with_mark, as_jsonl])
def test_every_form_of_feed_enrols_the_same_people_and_the_second_night_costs_hashes(
    fresh: Fr, feed: Path, form: Callable[[Path], Path], embeddings: list[int]
) -> None:
    source = form(feed)
    document = fresh.json("enroll", source)
    assert document["schema"] == "fr/enroll/1"
    assert counts(document) == (3, 0, 0, 0, 0)
    assert document["gallery"]["subjects"] == document["gallery"]["references"] == 3
    assert len(embeddings) == 3
    assert counts(fresh.json("enroll", source)) == (0, 0, 3, 0, 0)
    assert len(embeddings) == 3
    assert fresh.found(jpeg(small("P002")))[0] == "P002"
    fresh.whole()


def test_paths_of_a_manifest_start_at_its_folder(
    fresh: Fr, feed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_csv(feed)
    monkeypatch.chdir(feed.parent)
    assert counts(fresh.json("enroll", "feed/feed.csv")) == (3, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("feed.csv", ""),
        ("feed.csv", "image\na.jpg\n"),
        ("feed.csv", "subject_id\nP001\n"),
        ("feed.csv", "Subject,Photo\nP001,a.jpg\n"),
        ("missing.csv", None),
    ],
)
def test_a_manifest_without_its_columns_is_a_usage_error(
    fresh: Fr, tmp_path: Path, name: str, text: str | None
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    error = fresh.json("enroll", tmp_path / name, code=2)
    assert error["error"] == "UsageProblem"
    assert error["hint"]


def test_a_folder_without_folders_is_a_usage_error(fresh: Fr, feed: Path) -> None:
    assert "SUBJECT" in fresh.json("enroll", feed, code=2)["hint"]


def test_a_manifest_of_no_lines_enrols_nobody_and_is_no_error(fresh: Fr, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "feed.csv", COLUMNS)
    assert counts(fresh.json("enroll", source)) == (0, 0, 0, 0, 0)
    assert fresh.identify(jpeg(small("P001")), code=10)["error"] == "GalleryMissing"


def bad_feed(feed: Path) -> Path:
    """Lines 2 to 9: good, text, empty, several faces, missing, no subject, too long, good."""
    return write_csv(
        feed / "feed.csv",
        COLUMNS,
        ("P001", "P001.jpg"),
        ("bad", "text.jpg"),
        ("bad", "empty.jpg"),
        ("bad", "many.jpg"),
        ("bad", "missing.jpg"),
        ("", "P003.jpg"),
        ("P003", "P003.jpg", "one field too many"),
        ("P002", "P002.jpg"),
    )


def test_what_cannot_be_enrolled_is_reported_once_and_the_rest_is_enrolled(
    fresh: Fr, feed: Path, embeddings: list[int]
) -> None:
    source, rejects = bad_feed(feed), feed / "rejects.csv"
    document = fresh.json("enroll", source, "--rejects", rejects, code=100)
    assert counts(document) == (2, 0, 0, 6, 0)
    with rejects.open(newline="") as file:
        rows = list(csv.DictReader(file))
    by_line = {row["line"]: (row["subject_id"], row["image"], row["error"]) for row in rows}
    assert by_line == {
        "3": ("bad", "text.jpg", "PhotoUnreadable"),
        "4": ("bad", "empty.jpg", "PhotoUnreadable"),
        "5": ("bad", "many.jpg", "SeveralFaces"),
        "6": ("bad", "missing.jpg", "FileUnreadable"),
        "7": ("", "", "BadRow"),
        "8": ("", "", "BadRow"),
    }
    assert all(row["reason"] for row in rows)
    assert {str(one["line"]) for one in document["rejects"]} == set(by_line)

    # The second night: nothing new, so no mail to anybody.
    made = len(embeddings)
    document = fresh.json("enroll", source, "--rejects", rejects)
    assert counts(document) == (0, 0, 2, 0, 6)
    assert len(embeddings) == made
    assert rejects.read_text().count("\n") == 1

    # Asked to try again, they are refused again, and that is news.
    document = fresh.json("enroll", source, "--retry", code=100)
    assert counts(document) == (0, 0, 2, 6, 0)
    assert len(embeddings) == made + 3
    fresh.whole()


def test_an_image_refused_before_is_enrolled_once_it_can_be(fresh: Fr, feed: Path) -> None:
    source = write_csv(feed / "feed.csv", COLUMNS, ("P001", "many.jpg"))
    assert counts(fresh.json("enroll", source, code=100)) == (0, 0, 0, 1, 0)
    assert counts(fresh.json("enroll", source, "--largest", "--retry")) == (1, 0, 0, 0, 0)
    assert counts(fresh.json("enroll", source)) == (0, 0, 1, 0, 0)


def test_a_missing_file_that_comes_later_is_enrolled(fresh: Fr, feed: Path) -> None:
    source = write_csv(feed / "feed.csv", COLUMNS, ("P004", "late.jpg"))
    fresh.json("enroll", source, code=100)
    (feed / "late.jpg").write_bytes(jpeg(small("P004", "studio_portrait")))
    assert counts(fresh.json("enroll", source)) == (1, 0, 0, 0, 0)


def test_rejects_that_cannot_be_written_stop_the_run_before_it_begins(
    fresh: Fr, feed: Path, tmp_path: Path
) -> None:
    where = tmp_path / "no folder" / "rejects.csv"
    fresh.json("enroll", bad_feed(feed), "--rejects", where, code=3)
    assert fresh.json("gallery", "stats", code=10)["error"] == "GalleryMissing"


@pytest.mark.parametrize(
    "line",
    [
        b"{not json",
        b'["P001", "P001.jpg"]',
        b'{"subject_id": "P001"}',
        b'{"subject_id": "\\ud800", "image": "P001.jpg"}',
        b'{"subject_id": "P001", "image": "a\\u0000b.jpg"}',
        b'{"subject_id": "\xff\xfe", "image": "P001.jpg"}',
        b"[" * 100_000,
        b'{"subject_id": "P001", "image": "' + b"a" * 5000 + b'.jpg"}',
        b'{"subject_id": "P001", "image": "."}',
    ],
    ids=["no json", "a list", "no image", "surrogate", "nul", "no utf-8", "deep", "long", "folder"],
)
def test_a_line_that_makes_no_sense_is_refused_and_the_run_goes_on(
    fresh: Fr, feed: Path, line: bytes
) -> None:
    source = feed / "feed.jsonl"
    source.write_bytes(line + b'\n{"subject_id": "P002", "image": "P002.jpg"}\n')
    document = fresh.json("enroll", source, code=100)
    assert counts(document) == (1, 0, 0, 1, 0)
    assert document["rejects"][0]["line"] == 1
    assert counts(fresh.json("enroll", source)) == (0, 0, 1, 0, 1)


@pytest.mark.parametrize(
    "bad", [b"\xff\xfe,P001.jpg", b"P001,a\x00.jpg", b"P001," + b"a" * 200_000]
)
def test_a_csv_line_that_makes_no_sense_is_refused_and_the_run_goes_on(
    fresh: Fr, feed: Path, bad: bytes
) -> None:
    source = feed / "feed.csv"
    source.write_bytes(b"subject_id,image\n" + bad + b"\nP002,P002.jpg\n")
    assert counts(fresh.json("enroll", source, code=100)) == (1, 0, 0, 1, 0)


def test_names_beyond_ascii_are_kept(fresh: Fr, feed: Path) -> None:
    subject, image = "Žofie Müller 李小龙 🙂", "fotó – größe.jpg"
    shutil.copy(feed / "P001.jpg", feed / image)
    source = write_csv(feed / "přehled.csv", COLUMNS, (subject, image))
    assert counts(fresh.json("enroll", source)) == (1, 0, 0, 0, 0)
    (candidate,) = fresh.identify(feed / image)["candidates"]
    assert (candidate["subject_id"], candidate["reference_id"]) == (subject, image)


def test_a_file_name_that_is_no_text_does_not_stop_the_run(fresh: Fr, feed: Path) -> None:
    tree = as_folder(feed)
    name = os.fsdecode(b"\xff\xfe.jpg")
    shutil.copy(feed / "P001.jpg", tree / "P001" / name)
    document = fresh.json("enroll", tree, code=100)
    assert counts(document) == (3, 0, 0, 1, 0)
    fresh.whole()


def test_a_line_that_comes_twice_is_enrolled_once(fresh: Fr, feed: Path) -> None:
    rows = [("P001", "P001.jpg"), ("P001", "P001.jpg"), ("P002", "P002.jpg")]
    source = write_csv(feed / "feed.csv", COLUMNS, *rows)
    assert counts(fresh.json("enroll", source)) == (2, 0, 1, 0, 0)
    assert counts(fresh.json("enroll", source)) == (0, 0, 3, 0, 0)


def test_two_copies_of_a_photo_change_nothing_from_night_to_night(fresh: Fr, feed: Path) -> None:
    shutil.copy(feed / "P001.jpg", feed / "copy.jpg")
    source = write_csv(feed / "feed.csv", COLUMNS, ("P001", "P001.jpg"), ("P001", "copy.jpg"))
    fresh.json("enroll", source)
    for _ in range(2):
        assert counts(fresh.json("enroll", source)) == (0, 0, 2, 0, 0)


def test_changed_metadata_of_an_unchanged_image_is_applied(
    fresh: Fr, feed: Path, embeddings: list[int]
) -> None:
    columns = ("subject_id", "image", "watchlist", "source", "custody_number")
    source = write_csv(feed / "feed.csv", columns, ("P001", "P001.jpg", "missing", "NSPIS", "1"))
    fresh.json("enroll", source)
    probe = jpeg(small("P001"))
    assert fresh.found(probe, "--watchlist", "missing") == ["P001"]
    write_csv(source, columns, ("P001", "P001.jpg", "wanted", "Athena", "2"))
    assert counts(fresh.json("enroll", source)) == (0, 1, 0, 0, 0)
    assert counts(fresh.json("enroll", source)) == (0, 0, 1, 0, 0)
    assert len(embeddings) == 3 - 1  # one enrolment, one probe
    assert fresh.found(probe, "--watchlist", "wanted") == ["P001"]
    assert fresh.identify(probe, "--watchlist", "missing", code=10)["code"] == 10
    stats = fresh.json("gallery", "stats")
    assert (stats["watchlists"], stats["sources"]) == ({"wanted": 1}, {"Athena": 1})


@pytest.mark.parametrize("in_generation", [False, True])
def test_a_changed_image_under_a_reference_id_replaces_the_old_one(
    fresh: Fr, feed: Path, in_generation: bool
) -> None:
    columns = ("subject_id", "image", "reference_id")
    rows = [("A", "P001.jpg", "front"), ("B", "P002.jpg", "front")]
    source = write_csv(feed / "feed.csv", columns, *rows)
    fresh.json("enroll", source)
    if in_generation:
        fresh.json("gallery", "rebuild")
    write_csv(source, columns, ("A", "P003.jpg", "front"), rows[1])
    document = fresh.json("enroll", source)
    assert counts(document) == (1, 0, 1, 0, 0)
    assert document["gallery"]["references"] == 2
    assert fresh.found(jpeg(small("P003"))) == ["A"]
    assert fresh.found(jpeg(small("P001"))) == []
    fresh.json("gallery", "rebuild")
    assert fresh.found(jpeg(small("P001"))) == []
    fresh.whole()


def test_a_reference_id_that_moves_to_another_image_of_the_subject_is_applied(
    fresh: Fr, feed: Path
) -> None:
    columns = ("subject_id", "image", "reference_id")
    source = write_csv(
        feed / "feed.csv", columns, ("A", "P001.jpg", "one"), ("A", "P002.jpg", "two")
    )
    fresh.json("enroll", source)
    write_csv(source, columns, ("A", "P001.jpg", "two"), ("A", "P002.jpg", "one"))
    fresh.json("enroll", source)
    (candidate,) = fresh.identify(jpeg(small("P002")))["candidates"]
    assert candidate["reference_id"] == "one"
    assert counts(fresh.json("enroll", source)) == (0, 0, 2, 0, 0)
    fresh.whole()


def test_two_images_under_one_reference_id_do_not_replace_each_other_every_night(
    fresh: Fr, feed: Path
) -> None:
    columns = ("subject_id", "image", "reference_id")
    source = write_csv(
        feed / "feed.csv", columns, ("A", "P001.jpg", "front"), ("A", "P002.jpg", "front")
    )
    fresh.json("enroll", source, code=100)  # one of them is refused, and said to be
    assert counts(fresh.json("enroll", source)) == (0, 0, 1, 0, 1)


def test_one_image_under_two_subjects_is_enrolled_and_said(fresh: Fr, feed: Path) -> None:
    source = write_csv(feed / "feed.csv", COLUMNS, ("A", "P001.jpg"))
    assert fresh.json("enroll", source)["shared_images"] == 0
    write_csv(source, COLUMNS, ("A", "P001.jpg"), ("B", "P001.jpg"))
    document = fresh.json("enroll", source)
    assert counts(document) == (1, 0, 1, 0, 0)
    assert document["shared_images"] == 1
    assert sorted(fresh.found(feed / "P001.jpg")) == ["A", "B"]


def test_one_image_under_two_subjects_of_one_feed_is_said(fresh: Fr, feed: Path) -> None:
    source = write_csv(feed / "feed.csv", COLUMNS, ("A", "P001.jpg"), ("B", "P001.jpg"))
    assert fresh.json("enroll", source)["shared_images"] > 0


def test_a_run_cut_short_keeps_the_batches_before(
    fresh: Fr, feed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = as_csv(feed)
    monkeypatch.setattr(enroll_module, "BATCH", 1)
    real, calls = Gallery.enrol, []

    def failing(self: Gallery, *values: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(self, *values)

    with monkeypatch.context() as patched:
        patched.setattr(Gallery, "enrol", failing)
        assert fresh("enroll", source).code == 130
    assert fresh.found(jpeg(small("P001")))[0] == "P001"
    outcome = next(e for e in reversed(fresh.log()) if (e["cmd"], e["ph"]) == ("enroll", "outcome"))
    assert outcome["exit"] == 130
    assert sum("enrolled" in e for e in fresh.log() if e["cmd"] == "enroll") == 2
    assert counts(fresh.json("enroll", source)) == (1, 0, 2, 0, 0)
    fresh.whole()


def test_what_a_run_cut_short_refused_is_news_the_next_night(
    fresh: Fr, feed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_csv(feed / "feed.csv", COLUMNS, ("bad", "text.jpg"), ("P001", "P001.jpg"))

    def failing(*_: object) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Gallery, "enrol", failing)
        assert fresh("enroll", source).code == 130
    assert counts(fresh.json("enroll", source, code=100)) == (1, 0, 0, 1, 0)


def test_an_enrolment_that_cannot_be_logged_does_not_happen(fresh: Fr, feed: Path) -> None:
    (fresh.home / "audit" / "audit.jsonl").unlink()
    assert fresh.json("enroll", as_csv(feed), code=30)["error"] == "AuditUnwritable"
    assert not (fresh.home / "gallery" / "gallery.db").exists()


def test_new_references_are_taken_into_a_generation_when_they_are_many(
    fresh: Fr, feed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fr_cli.gallery.gallery.SIDE_LIMIT", 2)
    assert fresh.json("enroll", as_csv(feed))["gallery"]["generation"] == 1
    assert fresh.json("gallery", "stats")["beside_generation"] == 0
    assert fresh.found(jpeg(small("P002"))) == ["P002"]


def test_a_gallery_that_another_process_changes_is_not_enrolled_into(
    fr: Fr, feed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "PATIENCE", 0.1)
    with (
        Bench(fr.home) as bench,
        Gallery.open(bench.site, SiteKey.load(bench.site.keys), fingerprint=None) as gallery,
        gallery.writing(),
    ):
        error = fr.json("enroll", as_csv(feed), code=11)
    assert "process" in error["message"]
    assert (fr.log()[-1]["ph"], fr.log()[-1]["exit"]) == ("outcome", 11)
