"""Requests as they are written and read, and SSH keys and signatures."""

from __future__ import annotations

import base64
import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fr_cli.authority import ssh
from fr_cli.authority.approval import KINDS, LONGEST, Request, make, parse
from fr_cli.authority.identity import Person
from fr_cli.authority.ssh import PublicKey, may_sign_as, sign, signed_by
from fr_cli.errors import ConfigurationError, NotAllowed

AT = datetime(2026, 3, 2, 10, 11, 12, tzinfo=UTC)


def request(kind: str = "purge", **what: Any) -> Request:
    return make(
        kind, what, origin="fr.local/a", policy="0" * 64, requester=Person(1001, "alice"), at=AT,
        hours=48,
    )  # fmt: skip


def keygen(folder: Path, name: str, kind: str = "ed25519") -> PublicKey:
    command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "who", "-f", str(folder / name)]
    subprocess.run(command, check=True)
    return PublicKey.parse((folder / f"{name}.pub").read_text().strip())


def test_a_request_is_read_as_it_was_made() -> None:
    made = request(value="P003", people=1)
    read = parse(made.data)
    assert read == made
    assert (read.kind, dict(read.what)) == ("purge", {"value": "P003", "people": 1})
    assert (read.made, read.expires) == ("2026-03-02T10:11:12Z", "2026-03-04T10:11:12Z")
    assert read.requester == Person(1001, "alice", None)
    assert made.data.endswith(b"}\n")
    assert list(json.loads(made.data)) == sorted(json.loads(made.data))


def test_two_requests_for_the_same_have_nothing_in_common_that_the_log_could_show() -> None:
    assert request(value="P003").sha256 != request(value="P003").sha256


@pytest.mark.parametrize("kind", KINDS)
def test_the_words_hold_all_that_is_asked(kind: str) -> None:
    what = {"value": "P003", "changes": ["a: 1 -> 2", "b"], "data": {"subjects": 7}}
    assert request(kind, **what).words() == [
        f"{KINDS[kind]}:",
        "  changes:", "    a: 1 -> 2", "    b",
        "  data:", "    subjects: 7",
        "  value: P003",
    ]  # fmt: skip


def test_every_kind_that_a_policy_may_list_can_be_asked_for() -> None:
    from typing import get_args

    from fr_cli.authority.policy import TwoPerson

    assert set(get_args(TwoPerson)) | {"override"} == set(KINDS)


def test_what_is_too_long_is_refused_when_it_is_made() -> None:
    with pytest.raises(NotAllowed, match="does not fit"):
        request(value="x" * LONGEST)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_keys_and_fingerprints_are_those_of_openssh(tmp_path: Path, kind: str) -> None:
    key = keygen(tmp_path, "k", kind)
    listed = subprocess.run(
        ["ssh-keygen", "-l", "-f", tmp_path / "k.pub"], capture_output=True, text=True, check=True
    )
    assert key.fingerprint == listed.stdout.split()[1]
    signature = sign(b"message", tmp_path / "k")
    assert signed_by(b"message", signature, {"bob": key}) == "bob"
    with pytest.raises(NotAllowed, match="does not hold"):
        signed_by(b"other", signature, {"bob": key})


def test_the_public_half_signs_by_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = keygen(tmp_path, "k")
    socket = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        while not socket.exists():
            assert agent.poll() is None
        subprocess.run(["ssh-add", "-q", tmp_path / "k"], check=True)
        (tmp_path / "k").unlink()
        assert signed_by(b"m", sign(b"m", tmp_path / "k.pub"), {"bob": key}) == "bob"
    finally:
        agent.terminate()
        agent.wait()


def test_a_key_that_cannot_sign_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="There is no key"):
        sign(b"m", tmp_path / "none")
    (tmp_path / "bad").write_text("not a key")
    (tmp_path / "bad").chmod(0o600)
    with pytest.raises(ConfigurationError, match="did not sign with"):
        sign(b"m", tmp_path / "bad")


def test_without_openssh_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keygen(tmp_path, "k")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError) as trouble:
        sign(b"m", tmp_path / "k")
    assert "openssh-client" in trouble.value.hint


def test_only_plain_names_stand_in_a_list_of_signers() -> None:
    for name in ("alice", "a.b-c_d", "alice@force.example", "2nd"):
        assert may_sign_as(name)
    for name in ("", "*", "a,b", "-a", ".a", "a b", "a\n", "a?", "!a", 'a"', "#a", "ä"):
        assert not may_sign_as(name)


def test_a_key_whose_parts_disagree_is_none(tmp_path: Path) -> None:
    key = keygen(tmp_path, "k")
    blob = base64.b64encode(key.blob).decode()
    for line in ("", f"ssh-rsa {blob}", f"ssh-ed25519 {blob[:8]}", f"{key.kind} {blob}\n", "x"):
        with pytest.raises(ValueError, match="is not"):
            PublicKey.parse(line)


def test_the_fingerprint_of_nothing_is_that_of_sha256() -> None:
    assert ssh.fingerprint(b"") == "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
