"""Kept templates of evaluation photos: the same bits, sealed, for some days, forgotten whole."""

from __future__ import annotations

import os
import shutil
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fr_cli.errors import ConfigurationError, NoFace, PhotoUnreadable
from fr_cli.face import batch
from fr_cli.keys import SiteKey
from fr_cli.operations import cache
from fr_cli.operations.cache import BATCH, DAYS, Cache, expire, forget, forget_photos
from fr_cli.records import Quality, QualityMeasure, Template
from fr_cli.site import Site, create_site
from tests.conftest import Fr, jpeg, small, write_csv

PRINT = "f" * 64


def template(seed: int) -> Template:
    vector = np.random.default_rng(seed).standard_normal(128).astype(np.float32)
    measures = (
        QualityMeasure("InterEyeDistance", 31.7 + seed / 3, "px", 14, "move closer"),
        QualityMeasure("HeadPoseYaw", None, "degrees", None),
    )
    return Template(vector, PRINT, Quality(measures))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = create_site(tmp_path / "home", model="SFace")
    SiteKey.create(made.keys)
    return made


def opened(site: Site, face: Any = "central", fingerprint: str = PRINT) -> Cache:
    return Cache(site, SiteKey.load(site.keys), fingerprint, face)


def database(site: Site) -> Path:
    return site.evaluation / "templates.db"


def test_what_was_made_comes_back_bit_for_bit(site: Site) -> None:
    with opened(site) as first:
        assert first.find(b"photo") is None
        first.keep(b"photo", template(1))
        first.keep(b"empty", NoFace("No face was found in the photo."))
        first.keep(b"slow", PhotoUnreadable("The photo takes too long to decode."))
    with opened(site) as second:
        found = second.find(b"photo")
        assert isinstance(found, Template)
        assert found.vector.tobytes() == template(1).vector.tobytes()
        assert found.quality.measures == template(1).quality.measures
        assert found.fingerprint == PRINT
        missing = second.find(b"empty")
        assert isinstance(missing, NoFace)
        assert (missing.message, missing.hint) == (
            "No face was found in the photo.", NoFace.default_hint
        )  # fmt: skip
        assert second.find(b"slow") is None  # a busy machine is no property of the photo
        assert second.find(b"another") is None


def test_another_face_model_or_library_is_another_template(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(site) as one:
        one.keep(b"photo", template(1))
    with opened(site, "largest") as other:
        assert other.find(b"photo") is None
    with opened(site, fingerprint="e" * 64) as other:
        assert other.find(b"photo") is None
    monkeypatch.setattr(cache, "version", lambda name: "99")
    with opened(site) as other:
        assert other.find(b"photo") is None


def test_the_file_gives_nothing_away(site: Site) -> None:
    import hashlib

    photo = b"the bytes of a photo"
    with opened(site) as one:
        one.keep(photo, template(1))
    data = b"".join(file.read_bytes() for file in site.evaluation.iterdir())
    assert template(1).vector.tobytes()[:16] not in data
    assert b"InterEye" not in data
    assert hashlib.sha256(photo).digest() not in data
    assert {file.stat().st_mode & 0o077 for file in site.evaluation.iterdir()} == {0}
    assert site.evaluation.stat().st_mode & 0o077 == 0


def test_a_kill_costs_less_than_a_batch(site: Site) -> None:
    child = os.fork()
    if not child:
        one = opened(site).__enter__()
        for number in range(BATCH + 9):
            one.keep(str(number).encode(), template(number))
        os._exit(0)  # without leaving the block
    os.waitpid(child, 0)
    with opened(site) as again:
        found = [again.find(str(number).encode()) is not None for number in range(BATCH + 9)]
    assert found == [True] * BATCH + [False] * 9


def at(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    """Let the clock of the cache be so many days ahead."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(days=days)

    monkeypatch.setattr(cache, "datetime", Later)


def test_entries_end_after_their_days(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(site) as one:
        one.keep(b"old", template(1))
    at(monkeypatch, 5)
    with opened(site) as one:
        one.keep(b"newer", template(2))
    before = [path.read_bytes() for path in (database(site), site.keys / "evaluation.slots")]
    at(monkeypatch, DAYS)
    expire(site, SiteKey.load(site.keys))
    with opened(site) as one:
        assert one.find(b"old") is not None
    at(monkeypatch, DAYS + 1)
    expire(site, SiteKey.load(site.keys))
    with sqlite3.connect(database(site)) as db:
        assert db.execute("SELECT count(*) FROM made").fetchone() == (1,)
    with opened(site) as one:
        assert one.find(b"old") is None
        assert one.find(b"newer") is not None
    # The key of that day is gone: a copy of the file from before says nothing any more.
    database(site).write_bytes(before[0])
    at(monkeypatch, 6)
    with opened(site) as one:
        assert one.find(b"old") is None
        assert one.find(b"newer") is not None


def test_forgetting_destroys_the_keys(site: Site) -> None:
    with opened(site) as one:
        one.keep(b"photo", template(1))
    copy = database(site).read_bytes()
    assert forget(site, SiteKey.load(site.keys)) == 1
    assert list(site.evaluation.iterdir()) == []
    database(site).write_bytes(copy)
    with opened(site) as one:
        assert one.find(b"photo") is None
        one.keep(b"photo", template(2))  # and the day gets a new key
    with opened(site) as one:
        found = one.find(b"photo")
        assert isinstance(found, Template)
        assert found.vector.tobytes() == template(2).vector.tobytes()
    assert forget(site, SiteKey.load(site.keys)) == 1
    assert forget(site, SiteKey.load(site.keys)) == 0


def test_what_was_altered_is_not_used(site: Site) -> None:
    with opened(site) as one:
        one.keep(b"photo", template(1))
    with sqlite3.connect(database(site)) as db:
        (sealed,) = db.execute("SELECT sealed FROM made").fetchone()
        altered = sealed[:40] + bytes([sealed[40] ^ 1]) + sealed[41:]
        db.execute("UPDATE made SET sealed = ?", (altered,))
    with opened(site) as one:
        assert one.find(b"photo") is None


def test_an_entry_in_anothers_place_is_not_used(site: Site) -> None:
    with opened(site) as one:
        one.keep(b"a", template(1))
        one.keep(b"b", template(2))
    with sqlite3.connect(database(site)) as db:
        (a, first), (b, second) = db.execute("SELECT entry, sealed FROM made").fetchall()
        db.execute("UPDATE made SET sealed = ? WHERE entry = ?", (second, a))
        db.execute("UPDATE made SET sealed = ? WHERE entry = ?", (first, b))
    with opened(site) as one:
        assert one.find(b"a") is None
        assert one.find(b"b") is None


def test_a_damaged_file_is_said_and_can_be_forgotten(site: Site) -> None:
    with opened(site) as one:
        one.keep(b"photo", template(1))
    database(site).write_bytes(b"no database at all, but text of some length" * 200)
    with pytest.raises(ConfigurationError, match="earlier evaluations"):
        opened(site)
    assert forget(site, SiteKey.load(site.keys)) == 0
    with opened(site) as one:
        assert one.find(b"photo") is None


def test_a_photo_is_forgotten_by_the_gallerys_hash(site: Site) -> None:
    import hashlib
    import hmac

    with opened(site) as one:
        one.keep(b"purged", template(1))
        one.keep(b"stays", template(2))
    secret = SiteKey.load(site.keys).derive("image")
    forget_photos(
        site, SiteKey.load(site.keys), [hmac.new(secret, b"purged", hashlib.sha256).hexdigest()]
    )
    with opened(site) as one:
        assert one.find(b"purged") is None
        assert one.find(b"stays") is not None


# -- with photos -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelled")
    rows = []
    for person, kind, role in (
        ("P001", "studio_portrait", "reference"), ("P002", "studio_portrait", "reference"),
        ("P001", "amateur_selfie", "probe"), ("P009", "amateur_selfie", "probe"),
    ):  # fmt: skip
        (folder / f"{person}-{role}.jpg").write_bytes(jpeg(small(person, kind)))
        rows.append((person, f"{person}-{role}.jpg", role))
    return write_csv(folder / "manifest.csv", ("subject_id", "image", "role"), *rows)


def without_head(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "audit"}


def test_a_second_evaluation_makes_no_template_and_says_the_same(
    fresh: Fr, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fresh.json("evaluate", labelled, "--no-cache")
    assert not (fresh.home / "evaluation").exists()
    assert without_head(fresh.json("evaluate", labelled)) == without_head(first)

    def refuse(*_: object) -> None:
        raise AssertionError("a template was made anew")

    monkeypatch.setattr(batch, "_template", refuse)
    assert without_head(fresh.json("evaluate", labelled)) == without_head(first)
    # The floors are applied on reading: what the policy refuses now is refused now.
    policy = fresh.home / "policy.yaml"
    policy.write_text(policy.read_text().replace("InterEyeDistance: 24", "InterEyeDistance: 4000"))
    assert "None of the references" in fresh.json("evaluate", labelled, code=2)["message"]


def test_forgetting_is_an_act(fresh: Fr, labelled: Path) -> None:
    fresh.json("evaluate", labelled)
    assert fresh.json("evaluate", "--forget-cache")["forgotten"] == 4
    assert fresh.json("evaluate", "--forget-cache")["forgotten"] == 0
    assert fresh.log()[-1]["dec"] == {"forgotten": 0}
    assert "are forgotten" in fresh("evaluate", "--forget-cache").stdout


def count(fr: Fr) -> int:
    with sqlite3.connect(fr.home / "evaluation" / "templates.db") as db:
        return int(db.execute("SELECT count(*) FROM made").fetchone()[0])


def test_a_purge_takes_the_kept_templates_of_the_same_photos(
    fr: Fr, labelled: Path, tmp_path: Path
) -> None:
    photo = jpeg(small("P001", "studio_portrait"))  # as it is enrolled
    shutil.copytree(labelled.parent, tmp_path / "photos")
    (tmp_path / "photos" / "P001-reference.jpg").write_bytes(photo)
    fr.json("evaluate", tmp_path / "photos" / "manifest.csv")
    assert count(fr) == 4
    fr.json("purge", "--subject", "P001", "--yes")
    assert count(fr) == 3
    fr.json("purge", "--all", "--yes")
    assert not list((fr.home / "evaluation").iterdir())
