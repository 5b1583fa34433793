"""Where the policy keeps photos: enrolled with them, counted, held, and purged with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fr_cli.errors import ConfigurationError
from fr_cli.operations import enroll as enroll_module
from tests.conftest import Fr, jpeg, opened, small, write_csv

COLUMNS = ("subject_id", "image", "reference_id", "hold")


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    """Portraits of two people, and a second photo of the first."""
    folder = tmp_path / "feed"
    folder.mkdir()
    for person in ("P001", "P002"):
        (folder / f"{person}.jpg").write_bytes(jpeg(small(person, "studio_portrait")))
    (folder / "other.jpg").write_bytes(jpeg(small("P001")))
    return folder


def keep(fr: Fr) -> None:
    policy = fr.home / "policy.yaml"
    policy.write_text(policy.read_text().replace("keep_photos: false", "keep_photos: true"))


def stored(fr: Fr) -> dict[str, bytes]:
    """The kept photos by subject and reference."""
    with opened(fr) as (_bench, gallery):
        return {
            f"{one.subject_id}/{one.reference_id}": photo
            for one in gallery.store.newer_than(0)
            if (photo := gallery.photo_of(one)) is not None
        }


def both(feed: Path) -> Path:
    rows = [(who, f"{who}.jpg", "front", "") for who in ("P001", "P002")]
    return write_csv(feed / "feed.csv", COLUMNS, *rows)


def test_photos_are_kept_only_where_the_policy_says_so_and_gone_with_a_purge(
    fresh: Fr, feed: Path
) -> None:
    assert fresh.json("enroll", both(feed))["photos"] == 0
    assert stored(fresh) == {}
    keep(fresh)
    # The next night takes the photos in, without embedding anybody.
    document = fresh.json("enroll", both(feed))
    assert (document["added"], document["unchanged"], document["photos"]) == (0, 2, 2)
    assert stored(fresh) == {
        f"{who}/front": (feed / f"{who}.jpg").read_bytes() for who in ("P001", "P002")
    }
    assert fresh.json("enroll", both(feed))["photos"] == 0
    stats = fresh.json("gallery", "stats")
    sizes = [(feed / f"{who}.jpg").stat().st_size for who in ("P001", "P002")]
    assert stats["photos"] == 2
    assert stats["photo_bytes"] == sum(sizes) + 2 * 28  # nonce and tag
    purged = fresh.json("purge", "--subject", "P001", "--yes")
    assert purged["photos"] == purged["certificate"]["certificate"]["photos"] == 1
    assert list(stored(fresh)) == ["P002/front"]
    fresh.whole()


def test_photos_are_kept_at_enrolment_in_batches_of_bounded_size(
    fresh: Fr, feed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enroll_module, "BATCH_BYTES", 10)
    keep(fresh)
    document = fresh.json("enroll", both(feed))
    assert (document["added"], document["photos"]) == (2, 2)
    assert len(stored(fresh)) == 2
    batches = [entry for entry in fresh.log() if "photos" in entry]
    assert [entry["photos"] for entry in batches] == [1, 1]


def test_photos_of_those_who_are_enrolled_are_kept_some_at_a_time(
    fresh: Fr, feed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.json("enroll", both(feed))
    keep(fresh)
    monkeypatch.setattr(enroll_module, "BATCH", 1)
    assert fresh.json("enroll", both(feed))["photos"] == 2
    assert len(stored(fresh)) == 2
    assert [entry["photos"] for entry in fresh.log() if "photos" in entry] == [0, 1, 1]


def test_a_hold_keeps_the_feed_from_replacing_a_reference(fresh: Fr, feed: Path) -> None:
    keep(fresh)

    def night(image: str, hold: str) -> Path:
        return write_csv(feed / "feed.csv", COLUMNS, ("P001", image, "front", hold))

    fresh.json("enroll", night("P001.jpg", "true"))
    document = fresh.json("enroll", night("other.jpg", ""), code=100)
    assert [one["error"] for one in document["rejects"]] == ["Held"]
    assert document["rejects"][0]["reason"].startswith("held:")
    assert stored(fresh) == {"P001/front": (feed / "P001.jpg").read_bytes()}
    assert fresh.json("enroll", night("other.jpg", ""))["rejected_before"] == 1
    # Lifted in so many words, it is replaced.
    assert fresh.json("enroll", night("other.jpg", "no"))["replaced"] == 1
    assert stored(fresh) == {"P001/front": (feed / "other.jpg").read_bytes()}
    fresh.whole()


def test_a_held_reference_does_not_lose_its_name_to_another_photo(fresh: Fr, feed: Path) -> None:
    write_csv(
        feed / "feed.csv", COLUMNS, ("P001", "P001.jpg", "a", "yes"), ("P001", "other.jpg", "b", "")
    )
    fresh.json("enroll", feed / "feed.csv")
    write_csv(feed / "feed.csv", COLUMNS, ("P001", "other.jpg", "a", ""))
    document = fresh.json("enroll", feed / "feed.csv", code=100)
    assert [one["error"] for one in document["rejects"]] == ["Held"]
    assert document["gallery"]["references"] == 2
    # Of two that change places, none is lost.
    write_csv(
        feed / "feed.csv",
        COLUMNS,
        ("P001", "P001.jpg", "b", "yes"),
        ("P001", "other.jpg", "a", ""),
    )
    document = fresh.json("enroll", feed / "feed.csv")
    assert (document["updated"], document["gallery"]["references"]) == (2, 2)
    fresh.whole()


def test_a_policy_from_before_photos_could_be_kept_keeps_none(fresh: Fr, feed: Path) -> None:
    policy = fresh.home / "policy.yaml"
    policy.write_text(policy.read_text().partition("# Whether the enrolled photos")[0])
    assert fresh.json("enroll", both(feed))["photos"] == 0


def test_the_policy_says_yes_or_no(fresh: Fr, feed: Path) -> None:
    policy = fresh.home / "policy.yaml"
    policy.write_text(policy.read_text().replace("keep_photos: false", "keep_photos: maybe"))
    error = fresh.json("enroll", both(feed), code=ConfigurationError.code)
    assert "keep_photos" in error["message"]
    assert "Traceback" not in json.dumps(error)
