"""`fr audit rotate` as an administrator, an auditor, a lawyer and a witness meet it."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from pathlib import Path

import pytest
import rfc8785

from fr_cli.audit.canonical import parse
from fr_cli.keys import load_public_key, signing
from tests.conftest import Fr, Result


@pytest.fixture
def fr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fr:
    monkeypatch.setattr(signing, "ROUNDS", 2)
    fr = Fr(tmp_path / "home")
    fr.json("init")
    return fr


def key_file(fr: Fr) -> bytes:
    return (fr.home / "keys" / "audit.key").read_bytes()


def test_the_log_goes_on_under_a_new_key_and_is_checked_with_the_old_one(fr: Fr) -> None:
    fr.json("audit", "show")
    public, secret = (fr.home / "keys" / "audit.pub").read_bytes(), key_file(fr)
    done = fr.json("audit", "rotate", "--reason", "Order 8/26")
    fr.json("audit", "show")
    assert (fr.home / "keys" / "audit.pub").read_bytes() == public
    assert key_file(fr) != secret
    found = fr.json("audit", "verify", "--full")
    entry = done["entry"]
    assert [(key["first"], key["last"]) for key in found["keys"]] == [
        (1, entry + 1), (entry + 2, found["entries"]),
    ]  # fmt: skip
    assert found["keys"][1]["key"] == done["key"]
    intent, rotation, outcome = fr.log()[entry - 1 : entry + 2]
    assert intent["why"] == {"reason": "Order 8/26"}
    assert (rotation["ph"], rotation["key"]) == ("rotation", done["key"])
    assert outcome["dec"] == {"entry": entry, "key": done["key"]}
    assert done["audit"]["size"] == entry + 2
    shown = fr.json("audit", "show")["acts"]
    assert [(one["command"], one["state"]) for one in shown][2:4] == [
        ("audit rotate", "done"), ("key-rotate", "done"),
    ]  # fmt: skip


def test_a_witness_needs_the_proof_that_is_named_and_nothing_else(
    fr: Fr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    public = fr.home / "keys" / "audit.pub"
    fr.json("audit", "witness", "--init", "w")
    fr("audit", "head", "--out", "before")
    fr.json("audit", "witness", "before", "--dir", "w", "--key", public)
    shown = fr("audit", "rotate")
    (command,) = re.findall(r"^fr (audit prove .*)$", shown.stdout, re.MULTILINE)
    assert fr(*command.split()).code == 0
    fr("audit", "prove", "--from", "1", "--out", "growth")
    ask = ("audit", "witness", "growth", "--dir", "w", "--key", public)
    fr.json(*ask, code=31)
    fr.json(*ask, "--key-change", "key-change")


def test_a_passphrase_is_set_kept_and_given_up(
    fr: Fr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fr_cli.cli.wiring.terminal", lambda: None)
    assert fr.json("audit", "rotate", "--passphrase", code=3)["code"] == 3
    assert b"OPENSSH" not in key_file(fr)
    named = tmp_path / "passphrase"
    named.write_text("eleven apples")
    named.chmod(0o600)
    monkeypatch.setenv("FR_PASSPHRASE_FILE", str(named))
    assert fr.json("audit", "rotate")["passphrase"] is False
    assert fr.json("audit", "rotate", "--passphrase")["passphrase"] is True
    assert b"OPENSSH" in key_file(fr)
    assert fr.json("audit", "rotate")["passphrase"] is True
    new = tmp_path / "new"
    new.write_text("twelve pears")
    new.chmod(0o600)
    monkeypatch.setenv("FR_NEW_PASSPHRASE_FILE", str(new))
    assert fr.json("audit", "rotate", "--passphrase")["passphrase"] is True
    monkeypatch.delenv("FR_NEW_PASSPHRASE_FILE")
    fr.json("audit", "show", code=3)
    monkeypatch.setenv("FR_PASSPHRASE_FILE", str(new))
    assert fr.json("audit", "rotate", "--no-passphrase")["passphrase"] is False
    monkeypatch.delenv("FR_PASSPHRASE_FILE")
    fr.json("audit", "show")
    assert len(fr.json("audit", "verify", "--full")["keys"]) == 6


def test_a_credential_is_not_replaced_behind_the_back_of_systemd(
    fr: Fr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "credentials"
    given.mkdir()
    (fr.home / "keys" / "audit.key").rename(given / "audit.key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given))
    before = len(fr.log())
    assert "Decrypt it" in fr.json("audit", "rotate", code=3)["hint"]
    assert len(fr.log()) == before
    assert not (fr.home / "keys" / "audit.key").exists()
    # As the hint says: outside of the unit, with the key in its file.
    (given / "audit.key").rename(fr.home / "keys" / "audit.key")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    fr.json("audit", "rotate")
    (fr.home / "keys" / "audit.key").rename(given / "audit.key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given))
    fr.json("audit", "show")
    assert len(fr.json("audit", "verify", "--full")["keys"]) == 2


def test_the_script_of_the_page_follows_the_change(fr: Fr, tmp_path: Path) -> None:
    fr.json("audit", "rotate")
    fr.json("audit", "rotate")
    page = Path(__file__).parents[2] / "docs" / "how-to" / "check-the-log.md"
    (script,) = re.findall(r"^```bash\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    log, public = fr.home / "audit" / "audit.jsonl", fr.home / "keys" / "audit.pub"

    def check() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", script, "check-log.sh", str(log), str(public)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert "every signature hold" in check().stdout
    lines = log.read_bytes().splitlines(keepends=True)
    named = next(line for line in lines if b'"ph":"rotation"' in line)
    log.write_bytes(b"".join(line for line in lines if line != named))
    assert check().returncode == 1


def test_a_certificate_is_signed_by_the_key_that_it_names(enrolled: Fr, tmp_path: Path) -> None:
    import shutil

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    shutil.copytree(enrolled.home, tmp_path / "home")
    fr = Fr(tmp_path / "home")
    key = fr.json("audit", "rotate")["key"]
    signed = fr.json("purge", "--subject", "P001", "--yes")["certificate"]
    said = signed["certificate"]
    assert said["key"] == key
    Ed25519PublicKey.from_public_bytes(base64.b64decode(key)).verify(
        base64.b64decode(signed["signature"]), rfc8785.dumps(said)
    )
    ranges = fr.json("audit", "verify")["keys"]
    (in_force,) = [
        one["key"] for one in ranges if one["first"] <= said["audit"]["size"] <= one["last"]
    ]
    assert in_force == key
    old = load_public_key(fr.home / "keys" / "audit.pub").public_bytes_raw()
    assert base64.b64encode(old).decode() != key


def test_a_disclosure_after_a_change_is_checked_from_the_first_key(fr: Fr, tmp_path: Path) -> None:
    from fr_cli.operations.bench import Bench

    with Bench(fr.home) as bench, bench.audit.act("x", "consultation", why={"case": "C/1"}):
        pass
    fr.json("audit", "rotate")
    fr.json("audit", "export", "--case", "C/1", "--to", "court", "--out", tmp_path / "out")
    done: Result | subprocess.CompletedProcess[str] = subprocess.run(
        ["sh", "check.sh", "audit.pub"], cwd=tmp_path / "out", capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert "unchanged" in done.stdout
    changes = json.loads((tmp_path / "out" / "manifest.json").read_text())["files"]
    assert "key-changes/001.tlog-proof" in changes
    assert parse((tmp_path / "out" / "entries" / "1.json").read_bytes())["cmd"] == "x"
