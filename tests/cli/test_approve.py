"""`fr approve`, and the acts that take an approval, as two operators type them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.attacks.two_people import NUMBERS, Station, become
from tests.conftest import ENROLLED, MATED, Fr, jpeg, small

As = Callable[[str], None]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Station:
    """People with keys; their home is not used here."""
    return Station.make(tmp_path_factory.mktemp("station"))


@pytest.fixture
def as_(monkeypatch: pytest.MonkeyPatch) -> As:
    """Says in whose account `fr` runs."""

    become(monkeypatch, "alice")
    return lambda name: become(monkeypatch, name)


@pytest.fixture
def duo(fr: Fr, keys: Station, as_: As) -> Fr:
    """Five people are enrolled; Alice manages the gallery, Bob reviews."""
    listed(fr, keys, "purge", "lift")
    return fr


def listed(fr: Fr, keys: Station, *acts: str) -> None:
    Station(fr.home, keys.keys).duo(*acts)


def references(fr: Fr) -> int:
    return int(fr.json("status")["references"])


def test_a_purge_by_two_people(duo: Fr, keys: Station, tmp_path: Path) -> None:
    request = tmp_path / "r.json"
    error = duo.json("purge", "--subject", MATED, "--yes", code=4)
    assert error["message"] == "The policy asks for a second person: purge."
    made = duo.json("purge", "--subject", MATED, "--request", request)
    assert (made["schema"], made["kind"]) == ("fr/requested/1", "purge")
    assert references(duo) == 5
    signed = duo.json("approve", request, "--key", keys.keys / "bob", "--yes")
    assert signed["what"] == json.loads(request.read_text())["what"]
    assert {"value": MATED, "people": 1, "references": 1}.items() <= signed["what"].items()
    done = duo.json("purge", "--subject", MATED, "--approved", request, "--yes")
    assert done["references"] == 1
    assert references(duo) == 4
    assert MATED not in duo.said()
    duo.whole()


def test_plain_ssh_keygen_does_as_well(duo: Fr, keys: Station, tmp_path: Path) -> None:
    """The very commands of docs/how-to/two-person-acts.md."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "two-person-acts.md").read_text()
    sign = "ssh-keygen -Y sign -n fr-approval@v1 -f ~/.ssh/id_ed25519 request.json"
    check = (
        "ssh-keygen -Y verify -f signers -I bob -n fr-approval@v1 -s request.json.sig "
        "< request.json"
    )
    assert sign in page
    assert check in page
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_bytes((keys.keys / "bob").read_bytes())
    (tmp_path / ".ssh" / "id_ed25519").chmod(0o600)
    (tmp_path / "signers").write_text(f"bob {keys.public('bob')}\n")
    duo.json("purge", "--subject", MATED, "--request", tmp_path / "request.json")
    home = {**os.environ, "HOME": str(tmp_path)}
    for command in (sign, check):
        subprocess.run(["bash", "-c", command], cwd=tmp_path, env=home, check=True)
    duo.json("purge", "--subject", MATED, "--approved", tmp_path / "request.json", "--yes")
    assert references(duo) == 4


def test_what_an_approver_is_told_is_what_is_signed(duo: Fr, keys: Station, tmp_path: Path) -> None:
    request = tmp_path / "r.json"
    told = duo("purge", "--all", "--request", request).stdout
    assert "Delete several people for good:" in told
    assert "people: 5" in told
    error = duo.json("approve", request, "--key", keys.keys / "bob", code=2)
    assert error["message"] == "An approval is given knowingly."
    said = duo("approve", request, "--key", keys.keys / "bob", "--yes").stderr
    assert f"alice (user {NUMBERS['alice']}) asks" in said
    assert "selection: all" in said
    assert duo.json("approve", request, "--key", keys.keys / "bob", "--yes", code=2)[
        "message"
    ].endswith("r.json.sig is there already.")


def test_a_hostile_request_steers_no_terminal(duo: Fr, keys: Station, tmp_path: Path) -> None:
    import rfc8785

    request = tmp_path / "r.json"
    duo.json("purge", "--subject", MATED, "--request", request)
    document = json.loads(request.read_text())
    document["what"]["value"] = "\x1b[2J\x1b[1;31mP001\n  value: P002"
    request.write_bytes(rfc8785.dumps(document) + b"\n")
    said = duo("approve", request, "--key", keys.keys / "bob", "--yes").stderr
    assert "\x1b" not in said
    assert "\n  value: P002" not in said


def test_one_reference_more_is_not_what_was_approved(
    duo: Fr, keys: Station, tmp_path: Path
) -> None:
    request = tmp_path / "r.json"
    duo.json("purge", "--subject", MATED, "--request", request)
    duo.json("approve", request, "--key", keys.keys / "bob", "--yes")
    (tmp_path / "more" / MATED).mkdir(parents=True)
    (tmp_path / "more" / MATED / "new.jpg").write_bytes(jpeg(small(MATED)))
    duo.json("enroll", tmp_path / "more")
    error = duo.json("purge", "--subject", MATED, "--approved", request, "--yes", code=4)
    assert error["message"] == (
        "What was approved is not what is about to be done: ids, references."
    )
    assert references(duo) == 6


def test_the_schedule_needs_nobody_and_what_steps_outside_of_it_does(duo: Fr) -> None:
    assert duo.json("purge", "--expired")["references"] == 0
    path = duo.home / "policy.yaml"
    said = yaml.safe_load(path.read_text())
    said["retention"] = {"default": 1}
    path.write_text(yaml.safe_dump(said))
    from fr_cli.gallery.store import Store

    store = Store.open(duo.home / "gallery" / "gallery.db")
    with store.transaction():
        store.db.execute("UPDATE refs SET enrolled_at = '2001-01-01T00:00:00Z'")
    store.close()
    error = duo.json("purge", "--expired", "--include-held", "--yes", code=4)
    assert error["message"] == "The policy asks for a second person: bulk-delete."
    assert duo.json("purge", "--expired")["references"] == 5


@pytest.mark.parametrize(("who", "code"), [(("--subject", MATED), 0), (("--all",), 4)])
def test_a_policy_may_ask_for_two_only_where_several_people_go(
    duo: Fr, keys: Station, who: tuple[str, ...], code: int
) -> None:
    listed(duo, keys, "bulk-delete")
    duo.json("purge", *who, "--yes", code=code)
    assert references(duo) == (4 if code == 0 else 5)


def test_lifting_takes_two(duo: Fr, keys: Station, tmp_path: Path) -> None:
    duo.json("purge", "--subject", MATED, "--yes", "--override", "order 7")
    error = duo.json("purge", "--lift", MATED, "--yes", code=4)
    assert error["message"] == "The policy asks for a second person: lift."
    request = tmp_path / "r.json"
    duo.json("purge", "--lift", MATED, "--request", request)
    assert json.loads(request.read_text())["what"] == {"subject_id": MATED}
    duo.json("approve", request, "--key", keys.keys / "bob", "--yes")
    assert duo.json("purge", "--lift", MATED, "--approved", request, "--yes")["lifted"] > 0
    assert MATED not in duo.said()


def test_an_override_is_seen_everywhere_until_it_is_approved(
    duo: Fr, keys: Station, as_: As, tmp_path: Path
) -> None:
    listed(duo, keys, "purge")
    duo.json("purge", "--subject", "P001", "--yes", "--override", "order 7")
    (waiting,) = duo.json("status")["overrides"]
    assert (waiting["kind"], waiting["user"]) == ("purge", "alice")
    assert f"fr approve --override {waiting['act']}" in duo("status").stdout
    assert waiting["act"] in duo("gallery", "stats").stderr
    answer = duo.identify(jpeg(small(MATED)))
    (warning,) = [one for one in answer["warnings"] if "second person" in one]
    assert warning.startswith(f"Without a second person since {waiting['since']}: purge")
    said = duo("identify", "-", "--case", "1", "--reason", "test", stdin=jpeg(small(MATED)))
    assert (said.stdout + said.stderr).count("Without a second person") == 1

    as_("bob")
    own = ("approve", "--override", waiting["act"], "--yes")
    error = duo.json(*own, "--key", keys.keys / "alice", code=4)
    assert error["message"] == "alice asked for this, and cannot approve it as well."
    done = duo.json(*own, "--key", keys.keys / "bob")
    assert (done["act"], done["approver"]) == (waiting["act"], "bob")
    assert duo.json("status")["overrides"] == []
    assert "second person" not in duo("status").stdout
    as_("alice")
    duo.whole()


def test_an_override_approved_by_files(duo: Fr, keys: Station, as_: As, tmp_path: Path) -> None:
    duo.json("purge", "--subject", "P001", "--yes", "--override", "order 7")
    act = duo.json("status")["overrides"][0]["act"]
    as_("bob")
    request = tmp_path / "r.json"
    made = duo.json("approve", "--override", act, "--request", request)
    assert made["kind"] == "override"
    keys.keygen("-Y", "sign", "-n", "fr-approval@v1", "-f", keys.keys / "bob", request)
    duo.json("approve", "--override", act, "--approved", request)
    assert duo.json("status")["overrides"] == []


def test_overdue_is_named(duo: Fr, monkeypatch: pytest.MonkeyPatch) -> None:
    duo.json("purge", "--subject", "P001", "--yes", "--override", "order 7")
    monkeypatch.setattr("fr_cli.operations.owed.Override.due", lambda self, hours: "2001-01-01")
    assert "OVERDUE since 2001-01-01" in duo("gallery", "stats").stderr
    assert "OVERDUE" in duo("status").stdout


def test_slips_on_the_command_line(duo: Fr, keys: Station, tmp_path: Path) -> None:
    request, purge = tmp_path / "r.json", ("purge", "--all", "--yes")
    for words in (
        ("approve",),
        ("approve", request, "--override", "x"),
        ("approve", request, "--request", request),
        (*purge, "--request", request, "--override", "x"),
        (*purge, "--signature", request),
        ("purge", "--expired", "--request", request),
    ):
        assert duo.json(*words, code=2)["error"] == "UsageProblem"
    assert not request.exists()
    request.write_text("mine")
    assert "there already" in duo.json(*purge, "--request", request, code=2)["message"]
    inside = duo.home / "r.json"
    assert duo.json(*purge, "--request", inside, code=3)["error"] == "ConfigurationError"
    assert duo.json("approve", request, "--yes", code=4)["message"].startswith("The file is no")
    assert references(duo) == len(ENROLLED)


def test_no_key_of_ones_own(duo: Fr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    request = tmp_path / "r.json"
    duo.json("purge", "--all", "--request", request)
    error = duo.json("approve", request, "--yes", code=3)
    assert "id_ed25519" in error["message"]
    assert not (tmp_path / "r.json.sig").exists()


def test_the_policy_is_put_in_force_by_two(duo: Fr, keys: Station, tmp_path: Path) -> None:
    listed(duo, keys, "policy")
    duo.json("gallery", "stats")
    new = tmp_path / "new.yaml"
    said: dict[str, Any] = yaml.safe_load((duo.home / "policy.yaml").read_text())
    new.write_text(yaml.safe_dump(said | {"backup_days": 7}))
    duo.json("policy", "put", new, code=4)
    duo.json("policy", "put", new, "--request", tmp_path / "r.json")
    duo.json("approve", tmp_path / "r.json", "--key", keys.keys / "bob", "--yes")
    done = duo.json("policy", "put", new, "--approved", tmp_path / "r.json")
    assert done["changes"] == ["backup_days: 30 -> 7"]
    assert duo.json("policy", "show")["sha256"] == done["sha256"]
    path = duo.home / "policy.yaml"
    path.write_text(path.read_text() + "# edited\n")
    error = duo.json("identify", "-", "--case", "1", "--reason", "test", stdin=b"x", code=4)
    assert "policy.in-force.yaml" in error["hint"]
    duo.json("audit", "verify")
