"""A policy as a file: the one of a new home, keys of operators, loading."""

from __future__ import annotations

from pathlib import Path

import pytest

from fr_cli.authority.policy import Policy, Reading, default_policy, load_policy, parse_policy
from fr_cli.errors import ConfigurationError

DEFAULT = default_policy().decode()


def read(text: str) -> Reading:
    return parse_policy(text.encode())


def problems(text: str) -> list[tuple[int, str, str, str]]:
    return [(one.line, one.key, one.message, one.hint) for one in read(text).problems]


def changed(old: str, new: str) -> str:
    """The default policy with one line changed."""
    assert DEFAULT.count(old) == 1, old
    return DEFAULT.replace(old, new)


def line_of(text: str, part: str) -> int:
    """The number of the only line that holds this."""
    (found,) = [at for at, line in enumerate(text.splitlines(), 1) if part in line]
    return found


def test_a_new_homes_policy_is_valid_and_names_nobody() -> None:
    policy = read(DEFAULT).policy
    assert isinstance(policy, Policy)
    assert policy.operators == {}
    assert (policy.places, policy.supervised, policy.approvals.acts) == ((), (), ())


@pytest.mark.parametrize(
    "key",
    ["AAAAC3NzaC1lZDI1NTE5", "-----BEGIN OPENSSH PRIVATE KEY-----",
     "ssh-ed25519 AAAA\\nmallory ssh-ed25519 BBBB"],
)  # fmt: skip
def test_a_key_is_one_line_of_a_public_key_file(key: str) -> None:
    operators = 'operators: {pc1: {roles: [reviewer], key: "%s"}}\n'
    assert [one.key for one in read(DEFAULT + operators % key).problems] == ["operators.pc1.key"]
    good = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB6u pc1@station"
    assert read(DEFAULT + operators % good).policy is not None


def test_loading_names_every_line_and_the_digest_is_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(changed("backup_days: 30", "backup_days: 0") + "x: 1\n")
    with pytest.raises(ConfigurationError, match=r"line \d+, backup_days .*; line \d+, x "):
        load_policy(path)
    path.write_bytes(default_policy())
    import hashlib

    assert load_policy(path)[1] == hashlib.sha256(default_policy()).hexdigest()


def test_a_policy_that_cannot_be_opened_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        load_policy(tmp_path / "policy.yaml")
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        load_policy(tmp_path)
