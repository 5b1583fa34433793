"""The other commands: purge, verify, gallery, models, policy, audit, init, demo."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fr_cli.face import weights
from fr_cli.face.pipeline import FacePipeline
from tests.conftest import ENROLLED, GROUNDS, MATED, STRANGER, Fr, jpeg, photo, small
from tests.gallery.test_purge import in_clear

# -- purge -----------------------------------------------------------------------------------


def test_a_purge_must_be_confirmed(fr: Fr) -> None:
    for words in ((), ("--json",)):
        result = fr("purge", "--subject", MATED, *words)
        assert (result.code, result.stdout) == (2, "")
    assert fr.found(jpeg(small(MATED))) == [MATED]


def test_a_purge_of_somebody_unknown_is_said(fr: Fr) -> None:
    assert fr.json("purge", "--subject", "nobody", "--yes", code=2)["error"] == "SubjectUnknown"
    assert fr.json("gallery", "stats")["subjects"] == len(ENROLLED)


def test_a_purged_subject_is_unfindable_when_the_command_returns(fr: Fr, models: Path) -> None:
    portrait = jpeg(small(MATED, "studio_portrait"))
    with FacePipeline.load([models]) as pipeline:
        template = pipeline.template(portrait).vector
    assert in_clear(template, fr.home) == []
    document = fr.json("purge", "--subject", MATED, "--yes")
    assert (document["schema"], document["subject_id"]) == ("fr/purge/1", MATED)
    assert (document["references"], document["generation"]) == (1, 2)
    assert document["audit"]["size"] == len(fr.log())
    assert fr.found(portrait) == []
    assert fr.found(jpeg(small("P001"))) == ["P001"]
    assert fr.json("verify", photo(MATED), MATED, *GROUNDS, code=2)["error"] == "SubjectUnknown"
    assert in_clear(template, fr.home) == []
    for path in fr.home.rglob("*"):
        assert not path.is_file() or MATED.encode() not in path.read_bytes(), path
    fr.whole()


def test_everybody_can_be_purged_and_is_enrolled_again_only_when_that_is_lifted(
    fr: Fr, tmp_path: Path
) -> None:
    document = fr.json("purge", "--all", "--yes")
    assert (document["subjects"], document["references"]) == (len(ENROLLED), len(ENROLLED))
    assert document["generation"] == 2  # one pass for all of them
    assert fr.identify(jpeg(small(MATED)), code=10)["error"] == "GalleryMissing"
    fr.whole()
    portrait = jpeg(small(MATED, "studio_portrait"))
    for person in (MATED, "again"):
        (tmp_path / "feed" / person).mkdir(parents=True)
        (tmp_path / "feed" / person / "a.jpg").write_bytes(portrait)
    refused = fr.json("enroll", tmp_path / "feed", code=100)
    assert {(one["error"], one["reason"]) for one in refused["rejects"]} == {
        ("Purged", "purged: this person may no longer be kept")
    }
    assert (refused["added"], refused["rejected"]) == (0, 2)
    assert fr.json("enroll", tmp_path / "feed")["rejected_before"] == 2
    assert fr.json("purge", "--lift", MATED, code=2)["hint"] == "Confirm it with --yes."
    assert fr.json("purge", "--lift", MATED, "--yes")["lifted"] == 2
    assert (fr.log()[-1]["act"], fr.log()[-3]["lift"]) == ("administration", True)
    fr.json("enroll", tmp_path / "feed")
    assert sorted(fr.found(jpeg(small(MATED)))) == [MATED, "again"]
    assert fr.json("purge", "--lift", MATED, "--yes", code=2)["error"] == "SubjectUnknown"


# -- verify ----------------------------------------------------------------------------------


def test_a_person_verifies_as_themselves_and_not_as_another(enrolled: Fr) -> None:
    own = enrolled.json("verify", photo(MATED), MATED, *GROUNDS)
    assert own["schema"] == "fr/verify/1"
    assert own["outcome"] == "at_or_above_threshold"
    assert own["score"] >= own["threshold"]["score"]
    assert (own["reference_id"], own["references"]) == ("studio_portrait.jpg", 1)
    other = enrolled.json("verify", photo("P001"), MATED, *GROUNDS)
    assert other["outcome"] == "below_threshold"
    assert other["cosine"] < other["threshold"]["cosine"]


def test_verifying_compares_with_the_score_that_identifying_gives(enrolled: Fr) -> None:
    image = jpeg(small(MATED))
    (candidate,) = enrolled.identify(image)["candidates"]
    verified = enrolled.json("verify", "-", MATED, *GROUNDS, stdin=image)
    assert verified["cosine"] == pytest.approx(candidate["cosine"], abs=1e-6)


def test_verifying_refuses_what_identifying_refuses(enrolled: Fr) -> None:
    for words, code in (
        ((photo(MATED), "nobody", *GROUNDS), 2),
        ((photo(MATED), MATED, "--case", "1", "--reason", "curiosity"), 4),
        ((photo(MATED, "emotions_sheet"), MATED, *GROUNDS), 22),
        (("missing.jpg", MATED, *GROUNDS), 20),
    ):
        enrolled.json("verify", *words, code=code)


# -- gallery ---------------------------------------------------------------------------------


def test_stats_count_what_is_enrolled(enrolled: Fr) -> None:
    stats = enrolled.json("gallery", "stats")
    assert stats["schema"] == "fr/gallery-stats/1"
    assert (stats["subjects"], stats["references"]) == (len(ENROLLED), len(ENROLLED))
    assert (stats["generation"], stats["beside_generation"]) == (1, 0)
    assert stats["engine"] == "exact"
    assert enrolled("gallery", "stats").code == 0


def test_check_finds_a_destroyed_key_and_names_what_mends_it(fr: Fr) -> None:
    slots = fr.home / "keys" / "subjects.slots"
    data = bytearray(slots.read_bytes())
    data[70] ^= 1
    slots.write_bytes(data)
    result = fr("gallery", "check", "--json")
    assert result.code == 12
    (finding,) = result.document["findings"]
    assert "fr purge --subject P002" in finding["mend"]
    assert fr.log()[-1]["exit"] == 12
    fr.json("purge", "--subject", "P002", "--yes")
    fr.whole()
    assert "fr purge --lift P002" in finding["mend"]
    assert fr.json("purge", "--lift", "P002", "--yes")["lifted"] == 2


def test_check_says_that_a_whole_gallery_is_whole(enrolled: Fr) -> None:
    result = enrolled("gallery", "check")
    assert (result.code, result.stdout.strip()) == (0, "The gallery is whole.")


@pytest.mark.parametrize("words", [("stats",), ("check",), ("rebuild",)])
def test_without_a_gallery_each_command_says_so(fresh: Fr, words: tuple[str, ...]) -> None:
    assert fresh.json("gallery", *words, code=10)["error"] == "GalleryMissing"


# -- models, policy, init --------------------------------------------------------------------


def test_the_catalogue_is_listed_with_hashes_and_licences(fresh: Fr) -> None:
    models = {one["name"]: one for one in fresh.json("models", "list")["models"]}
    assert models["SFace"]["sha256"].startswith("0ba9fbfa01b5270c")
    assert all(one["licence"] and one["provenance"] for one in models.values())
    assert models["ArcFace"]["sha256"] is None
    assert fresh("models", "list").code == 0


def test_weights_are_checked_byte_by_byte(fresh: Fr, models: Path) -> None:
    states = fresh.json("models", "check")["models"]
    assert {one["status"] for one in states} == {"ok"}
    name = weights.catalogue()["YuNet"].file
    data = (models / name).read_bytes()
    (fresh.home / "models" / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    result = fresh("models", "check", "--json")
    assert result.code == 50
    assert "wrong" in result.stdout


def test_weights_are_taken_from_a_folder(
    fresh: Fr, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(models, tmp_path / "stick")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "empty"))
    assert fresh("models", "check").code == 50
    pulled = fresh.json("models", "pull", "--from", tmp_path / "stick")["models"]
    assert {Path(one["path"]).parent for one in pulled} == {fresh.home / "models"}
    assert fresh("models", "check").code == 0
    assert (fresh.log()[-1]["cmd"], fresh.log()[-1]["exit"]) == ("models pull", 0)
    unknown = fresh("models", "pull", "Nonsense", "--json")
    assert unknown.code in (2, 3)
    assert "SFace" in unknown.error["hint"]


def test_the_policy_names_the_reasons(fresh: Fr) -> None:
    document = fresh.json("policy", "show")
    assert document["schema"] == "fr/policy-show/1"
    assert {"unknown-person", "test"} <= set(document["reasons"])
    assert all(reason["legal_basis"] for reason in document["reasons"].values())
    assert "unknown-person" in fresh("policy", "show").stdout
    assert fresh.json("policy", "check")["valid"] is True


@pytest.mark.parametrize("change", ["reasons: {}", "floor_score: none", "identify: [", "no: 1"])
def test_a_policy_that_is_not_valid_stops_every_act(fr: Fr, change: str) -> None:
    path = fr.home / "policy.yaml"
    path.write_text(path.read_text() + f"\n{change}\n")
    assert fr.json("policy", "check", code=3)["error"] == "ConfigurationError"
    assert fr.identify(photo(MATED), code=3)["error"] == "ConfigurationError"


def test_a_stricter_policy_holds(fr: Fr) -> None:
    path = fr.home / "policy.yaml"
    text = path.read_text()
    path.write_text(text.replace("floor_score: 0.60", "floor_score: 1.9"))
    assert fr.found(jpeg(small(MATED))) == []
    path.write_text(text.replace("evaluation: warn", "evaluation: refuse"))
    document = fr.identify(jpeg(small(MATED)))
    assert (document["outcome"], document["candidates"]) == ("inconclusive", [])
    path.write_text(text.replace("InterEyeDistance: 24", "InterEyeDistance: 2000"))
    fr.identify(jpeg(small(MATED)), code=23)


def test_a_home_is_made_once_and_only_its_owner_can_read_it(fresh: Fr) -> None:
    assert fresh.json("init", code=3)["error"] == "ConfigurationError"
    assert fresh.home.stat().st_mode & 0o077 == 0
    for path in (fresh.home / "keys").glob("*.key"):
        assert path.stat().st_mode & 0o077 == 0
    assert [entry["ph"] for entry in fresh.log()] == ["genesis"]


def test_a_key_that_others_can_read_is_refused(fr: Fr) -> None:
    (fr.home / "keys" / "site.key").chmod(0o644)
    assert "chmod 600" in fr.identify(photo(MATED), code=3)["hint"]


def test_the_demo_tells_the_whole_story(models: Path, tmp_path: Path) -> None:
    document = Fr(tmp_path / "unused").json("demo", "--keep", tmp_path / "demo")
    results = [chapter["result"] for chapter in document["chapters"]]
    asked = [result for result in results if "candidates" in result]
    found = [[one["subject_id"] for one in result["candidates"]] for result in asked]
    assert found[0] == ["P003"]
    assert found[1] == []
    assert "P010" in found[2]
    assert found[3] == []
    Fr(tmp_path / "demo").whole()
    assert not (tmp_path / "unused").exists()


def test_without_a_command_the_next_one_is_named(enrolled: Fr) -> None:
    assert "identify" in enrolled().stdout
    assert enrolled("--version").stdout.startswith("fr ")
    for command in ("init", "enroll", "identify", "verify", "evaluate", "purge", "demo"):
        assert enrolled(command, "--help").code == 0


def test_a_stranger_is_nobody_of_those_enrolled() -> None:
    assert STRANGER not in ENROLLED
