"""A home whose key may be exchanged by two people only, and the people: each with an SSH key.

Whoever acts is given to the bench as a service gives it; signatures are made by ssh-keygen itself.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from fr_cli.audit.canonical import JSON
from fr_cli.authority.approval import Request
from fr_cli.authority.policy import default_policy
from fr_cli.cli.output import plain
from fr_cli.cli.wiring import Session
from fr_cli.errors import FrError
from fr_cli.operations.approvals import Consent, Requested
from fr_cli.operations.bench import Bench
from fr_cli.operations.init import init
from fr_cli.operations.keys import rotate_signer

Doing = Callable[[Bench], object]
NUMBERS = {"alice": 4001, "bob": 4002, "carol": 4003, "dave": 4004}


def rotate(bench: Bench) -> object:
    """The act that these tests ask for: no gallery and no model is needed for it."""
    return rotate_signer("", bench)


def who(name: str, **other: JSON) -> dict[str, JSON]:
    """An account as the log says it."""
    uid = NUMBERS[name]
    return {"uid": uid, "user": name, "loginuid": uid, "tty": "", **other}


@dataclass
class Station:
    """Alice is administrator, Bob reviewer, Carol gallery manager; Dave is an officer."""

    home: Path
    keys: Path

    @classmethod
    def make(cls, folder: Path) -> Station:
        station = cls(folder / "home", folder / "ssh")
        station.keys.mkdir()
        for name in (*NUMBERS, "mallory"):
            station.keygen("-q", "-t", "ed25519", "-N", "", "-C", "", "-f", station.keys / name)
        init(station.home)
        roles = {
            "alice": "administrator", "bob": "reviewer", "carol": "gallery-manager",
            "dave": "officer",
        }  # fmt: skip
        station.policy(
            operators={
                name: {"roles": [role], "key": station.public(name)} for name, role in roles.items()
            },
            approvals={"acts": ["key-rotation", "export"], "valid_hours": 48},
        )
        return station

    def keygen(self, *words: object, stdin: bytes = b"") -> bytes:
        """Run ssh-keygen, which must succeed."""
        done = subprocess.run(
            ["ssh-keygen", *map(str, words)], input=stdin, capture_output=True, check=True
        )
        return done.stdout

    def public(self, name: str) -> str:
        """Somebody's public key, as a policy has it."""
        return " ".join((self.keys / f"{name}.pub").read_text().split()[:2])

    def policy(self, **changes: Any) -> None:
        """Change keys of the policy; without any, of a new home."""
        path = self.home / "policy.yaml"
        text = path.read_bytes() if "approvals" in path.read_text() else default_policy()
        path.write_text(yaml.safe_dump(yaml.safe_load(text) | changes, sort_keys=False))

    def duo(self, *acts: str) -> None:
        """Alice does everything in this home, Bob reviews; these acts take both."""
        roles = ["gallery-manager", "administrator", "tester", "officer"]
        self.policy(
            operators={
                "alice": {"roles": roles, "key": self.public("alice")},
                "bob": {"roles": ["reviewer"], "key": self.public("bob")},
            },
            approvals={"acts": [*acts], "valid_hours": 24},
        )

    def bench(self, name: str = "alice", consent: Consent | None = None, **other: JSON) -> Bench:
        """The tools of the home, in somebody's hands."""
        bench = Bench(self.home, asker=who(name, **other))
        if consent:
            bench.consent = consent
        return bench

    def ask(self, doing: Doing = rotate, name: str = "alice", **other: JSON) -> Request:
        """Somebody's request for an act."""
        with (
            pytest.raises(Requested) as made,
            self.bench(name, Consent(asking=True), **other) as bench,
        ):
            doing(bench)
        return made.value.request

    def sign(self, data: bytes, name: str = "bob", namespace: str = "fr-approval@v1") -> bytes:
        """Somebody's signature, by plain ssh-keygen."""
        return self.keygen("-Y", "sign", "-n", namespace, "-f", self.keys / name, stdin=data)

    def do(
        self,
        data: bytes,
        signature: bytes,
        doing: Doing = rotate,
        name: str = "alice",
        **other: JSON,
    ) -> None:
        """Carry out an act with an approved request."""
        with self.bench(name, Consent(request=data, signature=signature), **other) as bench:
            doing(bench)

    def refused(
        self,
        data: bytes,
        signature: bytes,
        doing: Doing = rotate,
        name: str = "alice",
        **other: JSON,
    ) -> str:
        """The sentence by which it is refused; nothing is done, and the attempt is in the log."""
        key = (self.home / "keys" / "audit.key").read_bytes()
        before = len(self.log())
        with pytest.raises(FrError) as trouble:
            self.do(data, signature, doing, name, **other)
        assert trouble.value.code == 4, trouble.value
        assert (self.home / "keys" / "audit.key").read_bytes() == key
        intent, outcome = self.log()[before:]
        assert intent["op"]["user"] == name
        assert (outcome["exit"], outcome["error"]) == (4, "NotAllowed")
        return trouble.value.message

    def log(self) -> list[dict[str, Any]]:
        """The entries of the log that are not erased."""
        text = (self.home / "audit" / "audit.jsonl").read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        return [line["e"] for line in lines if "e" in line]

    def copy(self, folder: Path) -> Station:
        """Another one, with the same people and the same log."""
        shutil.copytree(self.home, folder / "home")
        return Station(folder / "home", self.keys)


def become(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """From now on `fr` runs in somebody's account."""

    def bench(self: Session, *, wait: float | None = None) -> Bench:
        made = Bench(self.home, None, wait=wait, asker=who(name))
        made.tell = lambda notice: self.output.note(plain(notice))
        return made

    monkeypatch.setattr(Session, "bench", bench)


def edited(data: bytes, **changes: Any) -> bytes:
    """The request with other fields, written as fr writes it."""
    import rfc8785

    return rfc8785.dumps(json.loads(data) | changes) + b"\n"
