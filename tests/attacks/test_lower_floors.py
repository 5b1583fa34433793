"""No option and no variable of the environment lowers what the policy says."""

from __future__ import annotations

import os

import pytest

from tests.conftest import MATED, Fr, jpeg, small, write_csv

#: As somebody would guess them who looks for one.
VARIABLES = {
    f"{start}_{name}": value
    for start in ("FR", "FR_CLI", "FR_IDENTIFY", "FR_POLICY", "TYPER")
    for name, value in {
        "FLOOR": "0", "FLOOR_SCORE": "0", "THRESHOLD": "0", "FPIR_TARGET": "0.99",
        "MAX_CANDIDATES": "200", "MIN_QUALITY": "0", "INTEREYEDISTANCE": "0", "EVALUATION": "warn",
        "POLICY": "/dev/null", "POLICY_FILE": "/dev/null", "OPERATOR": "root", "USER": "root",
    }.items()
} | {"USER": "root", "LOGNAME": "root", "SUDO_USER": "root", "SUDO_UID": "0"}  # fmt: skip
OPTIONS = [
    (), ("--max-candidates", "200"), ("--engine", "exact"), ("--engine", "annoy"), ("--largest",),
    ("--max-candidates", "200", "--engine", "exact", "--largest"),
]  # fmt: skip


def change(fr: Fr, old: str, new: str) -> None:
    path = fr.home / "policy.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture(params=[False, True], ids=["as it is", "hostile environment"])
def _environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        for name, value in VARIABLES.items():
            monkeypatch.setenv(name, value)
        assert os.environ["FR_FLOOR_SCORE"] == "0"


@pytest.mark.usefixtures("_environment")
@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_the_floor_of_the_score_stays(fr: Fr, options: tuple[str, ...]) -> None:
    assert fr.found(jpeg(small(MATED)), *options) == [MATED]
    change(fr, "floor_score: 0.60", "floor_score: 1.9")
    document = fr.identify(jpeg(small(MATED)), *options)
    assert document["threshold"]["score"] >= 1.9
    assert (document["outcome"], document["candidates"]) == ("no_candidate", [])


@pytest.mark.usefixtures("_environment")
@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_the_floor_of_the_quality_stays(fr: Fr, options: tuple[str, ...]) -> None:
    change(fr, "InterEyeDistance: 24", "InterEyeDistance: 4000")
    fr.identify(jpeg(small(MATED)), *options, code=23)


@pytest.mark.usefixtures("_environment")
@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_without_an_evaluation_a_strict_policy_names_nobody(
    fr: Fr, options: tuple[str, ...]
) -> None:
    change(fr, "evaluation: warn", "evaluation: refuse")
    document = fr.identify(jpeg(small(MATED)), *options)
    assert (document["outcome"], document["candidates"]) == ("inconclusive", [])


@pytest.mark.usefixtures("_environment")
def test_the_list_is_never_longer_than_the_policy_allows(
    fr: Fr, tmp_path: pytest.TempPathFactory
) -> None:
    # The same person under several ids: all of them are candidates.
    feed = fr.home.parent / "feed"
    feed.mkdir()
    (feed / "p.jpg").write_bytes(jpeg(small(MATED, "studio_portrait")))
    rows = [(f"TWIN{number}", "p.jpg") for number in range(4)]
    fr.json("enroll", write_csv(feed / "feed.csv", ("subject_id", "image"), *rows))
    assert len(fr.found(jpeg(small(MATED)))) == 5
    change(fr, "max_candidates: 6", "max_candidates: 2")
    for wanted in ("1", "2", "3", "200", "999999"):
        found = fr.found(jpeg(small(MATED)), "--max-candidates", wanted)
        assert len(found) == min(int(wanted), 2)
