"""A policy that says that it takes two people to change it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from fr_cli.errors import ConfigurationError, NotAllowed
from fr_cli.operations.approvals import Consent
from fr_cli.operations.approve import approve_after
from fr_cli.operations.bench import Bench
from fr_cli.operations.owed import owed
from fr_cli.operations.policy_in_force import COPY, put
from tests.attacks.two_people import Station, rotate


@pytest.fixture(scope="module")
def _station(tmp_path_factory: pytest.TempPathFactory) -> Station:
    station = Station.make(tmp_path_factory.mktemp("station"))
    station.policy(approvals={"acts": ["policy"], "valid_hours": 48})
    return station


@pytest.fixture
def station(_station: Station, tmp_path: Path) -> Station:
    return _station.copy(tmp_path)


@pytest.fixture
def new(station: Station, tmp_path: Path) -> Path:
    """A policy that takes the rule away."""
    said = yaml.safe_load((station.home / "policy.yaml").read_text())
    path = tmp_path / "new.yaml"
    path.write_text(yaml.safe_dump(said | {"approvals": {"acts": []}}))
    return path


def acts(station: Station) -> None:
    """Some act goes through."""
    with station.bench() as bench, bench.act("models pin", "administration"):
        pass


def refused(station: Station) -> None:
    with station.bench() as bench, pytest.raises(NotAllowed, match=r"policy\.yaml was changed"):
        rotate(bench)


def test_a_change_that_two_people_made_comes_in_force(station: Station, new: Path) -> None:
    acts(station)
    assert (station.home / COPY).read_bytes() == (station.home / "policy.yaml").read_bytes()
    assert (station.home / COPY).stat().st_mode & 0o077 == 0
    with station.bench() as bench, pytest.raises(NotAllowed, match="second person: policy"):
        put(new, bench)
    request = station.ask(lambda bench: put(new, bench))
    assert request.what["changes"] == [
        "approvals.acts: ['policy'] -> []",
        "approvals.valid_hours: 48 -> 72",
    ]
    station.do(request.data, station.sign(request.data), lambda bench: put(new, bench))
    assert (station.home / "policy.yaml").read_bytes() == new.read_bytes()
    assert not (station.home / COPY).exists()
    acts(station)
    station.policy(approvals={"acts": []}, backup_days=7)
    acts(station)  # from now on anybody with the file may change it, as that policy says
    assert "owed" not in station.log()[-2]


def test_what_was_edited_is_obeyed_by_nothing_until_it_is_put_back(
    station: Station, new: Path
) -> None:
    acts(station)
    (station.home / "policy.yaml").write_bytes(new.read_bytes())
    refused(station)
    refused(station)
    (station.home / "policy.yaml").write_bytes((station.home / COPY).read_bytes())
    acts(station)


def test_what_was_edited_can_be_approved_as_it_lies_there(station: Station, new: Path) -> None:
    """The keys that count are those of the policy in force, not of the edited one."""
    acts(station)
    said = yaml.safe_load(new.read_text())
    said["operators"]["carol"]["key"] = station.public("mallory")
    new.write_text(yaml.safe_dump(said))
    path = station.home / "policy.yaml"
    path.write_bytes(new.read_bytes())
    request = station.ask(lambda bench: put(path, bench))
    with pytest.raises(NotAllowed, match="nobody who may approve"):
        station.do(
            request.data, station.sign(request.data, "mallory"), lambda bench: put(path, bench)
        )
    station.do(request.data, station.sign(request.data), lambda bench: put(path, bench))
    acts(station)


@pytest.mark.parametrize("how", ["lost", "altered"])
def test_nobody_is_locked_out_for_good(station: Station, new: Path, how: str) -> None:
    """Neither policy.yaml nor its copy is what is in force: an override, which stays flagged."""
    acts(station)
    (station.home / "policy.yaml").write_bytes(new.read_bytes())
    if how == "lost":
        (station.home / COPY).unlink()
    else:
        (station.home / COPY).write_text("version: 1\n")
    with station.bench() as bench, pytest.raises(NotAllowed):
        put(new, bench)
    with station.bench(consent=Consent(override="the copy is lost")) as bench:
        put(new, bench)
    acts(station)
    (waiting,) = owed(station.home / "audit" / "audit.jsonl").overrides
    assert (waiting.kind, waiting.user) == ("policy", "alice")
    request = station.ask(lambda bench: approve_after(waiting.act, bench), "bob")
    signature = station.sign(request.data)
    station.do(request.data, signature, lambda bench: approve_after(waiting.act, bench), "bob")
    assert owed(station.home / "audit" / "audit.jsonl").overrides == ()


def test_a_crash_before_the_outcome_changes_nothing_for_good(
    station: Station, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts(station)
    request = station.ask(lambda bench: put(new, bench))

    def dies(*given: object, **more: object) -> None:
        raise KeyboardInterrupt

    before = (station.home / "policy.yaml").read_bytes()
    with monkeypatch.context() as then:
        then.setattr("fr_cli.audit.log.Act.decide", dies)
        with pytest.raises(KeyboardInterrupt):
            station.do(request.data, station.sign(request.data), lambda bench: put(new, bench))
    assert (station.home / "policy.yaml").read_bytes() == new.read_bytes()
    refused(station)
    assert (station.home / COPY).read_bytes() == before
    (station.home / "policy.yaml").write_bytes(before)
    acts(station)


def test_where_no_second_person_is_asked_for_it_is_a_logged_change(
    station: Station, new: Path
) -> None:
    station.policy(approvals={"acts": []})
    with station.bench() as bench:
        before = bench.policy_digest
        done = put(new, bench)
    assert done.before == before
    intent, outcome = station.log()[-2:]
    assert (intent["cmd"], intent["policy"], intent["new"]) == ("policy", before, done.sha256)
    assert outcome["dec"] == {"in_force": done.sha256, "guarded": ""}


def test_what_is_not_valid_is_not_put_in_force(station: Station, tmp_path: Path) -> None:
    acts(station)
    before = len(station.log())
    for text in ("version: 2\n", "[", ""):
        (tmp_path / "bad.yaml").write_text(text)
        with station.bench() as bench, pytest.raises(ConfigurationError):
            put(tmp_path / "bad.yaml", bench)
    assert len(station.log()) == before


def test_only_who_may_change_it_may_put_it_in_force(station: Station, new: Path) -> None:
    station.policy(approvals={"acts": []})
    with station.bench("carol") as bench, pytest.raises(NotAllowed, match="carol may not"):
        put(new, bench)


def test_acts_that_nobody_could_approve_are_refused(station: Station) -> None:
    for operators in (
        {},
        {"alice": {"roles": ["administrator"], "key": station.public("alice")}},
        {"alice": {"roles": ["administrator"]}, "bob": {"roles": ["reviewer"]}},
        {
            "alice": {"roles": ["administrator"]},
            "dave": {"roles": ["officer"], "key": station.public("dave")},
        },
    ):
        station.policy(operators=operators)
        with Bench(station.home) as bench, pytest.raises(ConfigurationError, match="two operators"):
            _ = bench.policy
