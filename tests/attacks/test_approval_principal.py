"""Attack: a name that means more than itself in a list of signers, or another's name."""

from __future__ import annotations

import pytest

from fr_cli.errors import ConfigurationError

from .two_people import Station


@pytest.mark.parametrize(
    "name", ["*", "a,b", "!bob", "bob carol", "-bob", "bob\nx", "b?b", '"bob"']
)
def test_no_such_name_may_have_a_key(pair: Station, name: str) -> None:
    pair.policy(
        operators={
            "alice": {"roles": ["administrator"]},
            name: {"roles": ["reviewer"], "key": pair.public("bob")},
        }
    )
    with pair.bench() as bench, pytest.raises(ConfigurationError):
        _ = bench.policy


@pytest.mark.parametrize(
    "line",
    [
        "cert-authority {key}", '*,bob {key}', "{key}\nmallory {key}", "ssh-rsa {blob}",
        "ssh-ed25519 AAAA", "{key}x", "no key", 'namespaces="file" {key}',
    ],
)  # fmt: skip
def test_a_key_is_one_key_and_nothing_else(pair: Station, line: str) -> None:
    key = pair.public("bob")
    said = line.format(key=key, blob=key.split()[1])
    pair.policy(
        operators={
            "alice": {"roles": ["administrator"]},
            "bob": {"roles": ["reviewer"], "key": said},
        }
    )
    with pair.bench() as bench, pytest.raises(ConfigurationError):
        _ = bench.policy


def test_the_signature_of_one_counts_for_nobody_else(pair: Station) -> None:
    """The log names whose key it was, whatever the comment of the key says."""
    key = pair.keys / "named-bob"
    pair.keygen("-q", "-t", "ed25519", "-N", "", "-C", "bob", "-f", key)
    pair.policy(
        operators={
            "alice": {"roles": ["administrator"], "key": pair.public("alice")},
            "bob": {"roles": ["reviewer"], "key": pair.public("bob")},
            "carol": {"roles": ["reviewer"], "key": (key.with_suffix(".pub")).read_text().strip()},
        }
    )
    request = pair.ask()
    pair.do(request.data, pair.sign(request.data, "named-bob"))
    (intent,) = [entry for entry in pair.log() if "approval" in entry]
    listed = pair.keygen("-l", "-f", f"{key}.pub").decode().split()
    assert intent["approval"] == {
        "request": request.sha256, "approver": "carol", "key": listed[1],
    }  # fmt: skip
