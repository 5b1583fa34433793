"""Acts of two people: asked for, approved, done; or done without, and approved after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fr_cli.errors import NotAllowed, UsageProblem
from fr_cli.operations.approvals import Consent, Requested, approved
from fr_cli.operations.approve import approve_after
from fr_cli.operations.bench import Bench
from fr_cli.operations.disclosure import export
from fr_cli.operations.extract import extract
from fr_cli.operations.keys import rotate_site_key
from fr_cli.operations.owed import MOST, owed
from fr_cli.records import Silence
from tests.attacks.two_people import Doing, Station, rotate


@pytest.fixture(scope="module")
def _station(tmp_path_factory: pytest.TempPathFactory) -> Station:
    return Station.make(tmp_path_factory.mktemp("station"))


@pytest.fixture
def station(_station: Station, tmp_path: Path) -> Station:
    return _station.copy(tmp_path)


def approve(station: Station, act: str, signer: str = "bob") -> None:
    """Bob hands in an approval after the fact."""
    request = station.ask(lambda bench: approve_after(act, bench), "bob")
    signature = station.sign(request.data, signer)
    station.do(request.data, signature, lambda bench: approve_after(act, bench), "bob")


def override(station: Station, doing: Doing = rotate, words: str = "fire") -> str:
    with station.bench(consent=Consent(override=words)) as bench:
        doing(bench)
        assert bench.second is not None
        assert bench.second.act is not None
        return bench.second.act.id


def test_one_person_alone_is_asked_for_nothing(tmp_path: Path) -> None:
    from fr_cli.operations.init import init

    init(tmp_path / "home")
    with Bench(tmp_path / "home") as bench:
        rotate(bench)
    station = Station(tmp_path / "home", tmp_path)
    assert all("owed" not in entry for entry in station.log())
    assert not (station.home / "policy.in-force.yaml").exists()


def test_without_a_second_person_it_is_refused_and_says_how_to_ask(station: Station) -> None:
    with station.bench() as bench, pytest.raises(NotAllowed) as trouble:
        rotate(bench)
    assert trouble.value.message == "The policy asks for a second person: key-rotation."
    assert "--request FILE" in trouble.value.hint
    assert "fr approve FILE" in trouble.value.hint
    assert station.log()[-1]["exit"] == 4


def test_asked_approved_done(station: Station) -> None:
    request = station.ask()
    asked, made = station.log()[-2:]
    assert (asked["cmd"], asked["of"], asked["act"]) == (
        "request", "audit rotate", "administration",
    )  # fmt: skip
    assert made["dec"]["requested"] == request.sha256
    assert (made["exit"], "error" in made) == (0, False)
    station.do(request.data, station.sign(request.data))
    (intent,) = [one for one in station.log() if "approval" in one]
    key = station.keygen("-l", "-f", station.keys / "bob.pub").decode().split()[1]
    assert intent["approval"] == {"request": request.sha256, "approver": "bob", "key": key}
    assert station.log()[-1]["exit"] == 0


def test_a_signature_that_another_program_laid_out_is_taken(station: Station) -> None:
    """Some write the file with the line ends of another system."""
    request = station.ask()
    signature = station.sign(request.data).replace(b"\n", b"\r\n")
    station.do(request.data, signature)


@pytest.mark.parametrize("consent", [Consent(asking=True), Consent(override="in haste")])
def test_a_consent_that_nobody_asked_for_is_a_slip(station: Station, consent: Consent) -> None:
    station.policy(approvals={"acts": ["export"]})
    key = (station.home / "keys" / "audit.key").read_bytes()
    with station.bench(consent=consent) as bench, pytest.raises(UsageProblem) as trouble:
        rotate(bench)
    assert trouble.value.message == "The policy asks for no second person here."
    assert (station.home / "keys" / "audit.key").read_bytes() == key
    assert owed(station.home / "audit" / "audit.jsonl").overrides == ()


def test_a_request_needs_the_right_to_the_act(station: Station) -> None:
    with (
        pytest.raises(NotAllowed, match="dave may not do this: audit rotate"),
        station.bench("dave", Consent(asking=True)) as bench,
    ):
        rotate(bench)


def kinds(tmp_path: Path) -> dict[str, tuple[str, Doing, dict[str, Any]]]:
    """Every act that needs no gallery: its kind, and what a request for it says."""
    out = tmp_path / "out"
    silent = Silence()
    return {
        "log key": ("key-rotation", rotate, {"key": "audit.key, which signs the log"}),
        "site key": (
            "key-rotation", lambda bench: rotate_site_key("", bench),
            {"key": "site.key, which wraps all other keys"},
        ),
        "export": (
            "export", lambda bench: export("CR/1", "the court", out, bench, silent),
            {"case": "CR/1", "to": "the court"},
        ),
        "extract": (
            "export", lambda bench: extract("2026-01-01", "", "the court", bench, silent),
            {"since": "2026-01-01", "until": "", "to": "the court"},
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["log key", "site key", "export", "extract"])
def test_each_says_exactly_what_it_will_do(station: Station, tmp_path: Path, name: str) -> None:
    kind, doing, what = kinds(tmp_path)[name]
    station.policy(
        operators={
            "alice": {"roles": ["administrator", "auditor"]},
            "bob": {"roles": ["reviewer"], "key": station.public("bob")},
        }
    )
    with station.bench() as bench, pytest.raises(NotAllowed, match=f"second person: {kind}"):
        doing(bench)
    assert not (tmp_path / "out").exists()
    request = station.ask(doing)
    assert (request.kind, dict(request.what)) == (kind, what)


def test_a_look_of_ones_own_needs_nobody(station: Station) -> None:
    station.policy(
        operators={
            "alice": {"roles": ["auditor"]},
            "bob": {"roles": ["reviewer"], "key": station.public("bob")},
        }
    )
    with station.bench() as bench:
        extract("", "", "", bench, Silence())


def test_an_override_is_done_and_told_until_it_is_approved(station: Station) -> None:
    act = override(station, words="Order 7/26, by telephone")
    intent = next(one for one in station.log() if one["req"] == act)
    assert intent["override"] == "Order 7/26, by telephone"
    assert {"overridden": "key-rotation"}.items() <= station.log()[-3].items()
    for name in ("alice", "bob", "carol"):
        with station.bench(name) as bench, pytest.raises(NotAllowed):  # whatever they do
            export("c", "t", station.home.parent / "x", bench, Silence())
        (notice,) = bench.notices
        assert f"fr approve --override {act}" in notice
    approve(station, act)
    assert owed(station.home / "audit" / "audit.jsonl").overrides == ()
    with station.bench("alice") as bench, pytest.raises(NotAllowed):
        rotate(bench)
    assert bench.notices == []
    approval = station.log()[-3]
    assert (approval["cmd"], approval["dec"]["approves"]) == ("approve", act)


def test_who_overrode_cannot_approve_it(station: Station) -> None:
    act = override(station)
    request = station.ask(lambda bench: approve_after(act, bench), "bob")
    assert request.requester.user == "alice"
    assert request.what["words"] == "fire"
    said = station.refused(
        request.data,
        station.sign(request.data, "alice"),
        lambda bench: approve_after(act, bench),
        "bob",
    )
    assert said == "alice asked for this, and cannot approve it as well."
    assert len(owed(station.home / "audit" / "audit.jsonl").overrides) == 1


def test_an_approval_of_one_override_is_none_of_another(station: Station) -> None:
    first, second = override(station), override(station)
    request = station.ask(lambda bench: approve_after(first, bench), "bob")
    said = station.refused(
        request.data, station.sign(request.data), lambda bench: approve_after(second, bench), "bob"
    )
    assert said.startswith("What was approved is not what is about to be done: act")
    with station.bench("bob") as bench, pytest.raises(NotAllowed, match="second person: override"):
        approve_after(first, bench)
    words = Consent(override="I approve myself")
    with station.bench("bob", words) as bench, pytest.raises(NotAllowed, match="override"):
        approve_after(first, bench)


def test_only_what_stands_open_can_be_approved(station: Station) -> None:
    with station.bench("bob") as bench, pytest.raises(UsageProblem, match="No act"):
        approve_after("0" * 32, bench)
    act = override(station)
    approve(station, act)
    with station.bench("bob") as bench, pytest.raises(UsageProblem, match="No act"):
        approve_after(act, bench)


def test_an_override_that_is_cut_short_stands_open_too(station: Station) -> None:
    def dies(bench: Bench) -> None:
        with bench.act("audit rotate", "administration"):
            approved(bench, "key-rotation", {})
            raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        override(station, dies)
    assert len(owed(station.home / "audit" / "audit.jsonl").overrides) == 1


def test_there_are_not_more_overrides_than_anybody_would_look_at(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST == 20
    monkeypatch.setattr("fr_cli.operations.approvals.MOST", 2)
    override(station)
    override(station)
    with pytest.raises(NotAllowed, match="2 acts without a second person"):
        override(station)


@pytest.mark.parametrize("words", ["  ", "x" * 201, "a\nb"])
def test_an_override_needs_words(station: Station, words: str) -> None:
    with pytest.raises(UsageProblem):
        override(station, words=words)


def test_a_request_for_an_act_that_is_refused_otherwise_is_not_made(station: Station) -> None:
    with (
        pytest.raises(UsageProblem, match="there already"),
        station.bench(consent=Consent(asking=True)) as bench,
    ):
        export("c", "t", station.home, bench, Silence())


def test_requested_names_its_request(station: Station) -> None:
    with pytest.raises(Requested) as made, station.bench(consent=Consent(asking=True)) as bench:
        rotate(bench)
    assert str(made.value) == made.value.request.sha256
