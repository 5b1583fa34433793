"""Where the signing key rests: a file, a passphrase, a credential of systemd."""

from __future__ import annotations

import base64
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fr_cli.errors import ConfigurationError
from fr_cli.keys import (
    AUDIT_KEY,
    AUDIT_NEXT,
    AUDIT_PUBLIC,
    Passphrase,
    SigningKey,
    load_public_key,
    signing,
)

PASSPHRASE = "correct horse"
ROUNDS = signing.ROUNDS  #: the tests use fewer


def refused(prompt: str) -> str:
    raise AssertionError(f"nobody must be asked: {prompt}")


nobody = Passphrase(refused)


def says(passphrase: str) -> Passphrase:
    return Passphrase(lambda prompt: passphrase)


@pytest.fixture
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SigningKey:
    pytest.importorskip("bcrypt")
    monkeypatch.setattr(signing, "ROUNDS", 2)
    return SigningKey.create(tmp_path, PASSPHRASE.encode())


def test_a_plain_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    key = SigningKey.create(tmp_path)
    assert stat.S_IMODE((tmp_path / AUDIT_KEY).stat().st_mode) == 0o600
    assert SigningKey.load(tmp_path, nobody) == key
    assert load_public_key(tmp_path / AUDIT_PUBLIC).public_bytes_raw() == key.public
    (tmp_path / AUDIT_KEY).chmod(0o640)
    with pytest.raises(ConfigurationError, match="other accounts"):
        SigningKey.load(tmp_path)


def test_a_plain_key_may_have_any_form_that_the_library_reads(tmp_path: Path) -> None:
    key, path = SigningKey.create(tmp_path), tmp_path / AUDIT_KEY
    pem = path.read_bytes()
    loaded = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(loaded, Ed25519PrivateKey)
    assert loaded.public_key().public_bytes_raw() == key.public
    begin, text, end = pem.splitlines()
    for form in (
        pem.replace(b"\n", b"\r\n"),
        b"\n".join([begin, text[:40], text[40:], end, b""]),
        b"# mine\n" + pem,
        pem.rstrip(),
    ):
        path.write_bytes(form)
        assert SigningKey.load(tmp_path) == key


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    SigningKey.create(tmp_path)
    path = tmp_path / AUDIT_KEY
    other = X25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    assert len(other) == len(path.read_bytes())  # its number is another, and nothing else
    path.write_bytes(other)
    with pytest.raises(ConfigurationError, match="not an Ed25519 key"):
        SigningKey.load(tmp_path)


def test_a_passphrase_is_asked_for(sealed: SigningKey, tmp_path: Path) -> None:
    assert SigningKey.load(tmp_path, says(PASSPHRASE)) == sealed
    with pytest.raises(ConfigurationError, match="does not open"):
        SigningKey.load(tmp_path, says("wrong"))
    with pytest.raises(ConfigurationError, match="nobody can be asked"):
        SigningKey.load(tmp_path)


def test_a_passphrase_is_read_from_a_file(
    sealed: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text(PASSPHRASE + "\n")
    monkeypatch.setenv("FR_PASSPHRASE_FILE", str(secret))
    secret.chmod(0o644)
    with pytest.raises(ConfigurationError, match="other accounts"):
        SigningKey.load(tmp_path, nobody)
    secret.chmod(0o600)
    assert SigningKey.load(tmp_path, nobody) == sealed


def test_openssh_opens_it(sealed: SigningKey, tmp_path: Path) -> None:
    shown = subprocess.run(
        ["ssh-keygen", "-y", "-P", PASSPHRASE, "-f", str(tmp_path / AUDIT_KEY)],
        check=True,
        capture_output=True,
    ).stdout
    assert base64.b64decode(shown.split()[1]).endswith(sealed.public)
    assert ROUNDS >= 100


@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
def test_a_key_that_ssh_keygen_made_is_read(tmp_path: Path, passphrase: str) -> None:
    pytest.importorskip("bcrypt")
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-a", "2", "-N", passphrase, "-f", AUDIT_KEY]
    subprocess.run(command, check=True, cwd=tmp_path)
    key = SigningKey.load(tmp_path, says(passphrase) if passphrase else nobody)
    line = (tmp_path / f"{AUDIT_KEY}.pub").read_bytes()
    assert base64.b64decode(line.split()[1]).endswith(key.public)


def test_a_credential_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("home", "credentials"):
        (tmp_path / name).mkdir()
    own = SigningKey.create(tmp_path / "home")
    given = SigningKey.create(tmp_path / "credentials")
    (tmp_path / "credentials" / AUDIT_KEY).chmod(0o440)  # as systemd's access list shows
    assert SigningKey.load(tmp_path / "home") == own
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert SigningKey.load(tmp_path / "home") == given
    assert list(SigningKey.load(tmp_path / "home").others()) == [given, own]
    (tmp_path / "credentials" / AUDIT_KEY).unlink()
    assert SigningKey.load(tmp_path / "home") == own


def test_a_staged_key_takes_the_place(tmp_path: Path) -> None:
    old = SigningKey.create(tmp_path)
    new = SigningKey.new().stage(tmp_path)
    assert list(old.others()) == [old, new]
    assert stat.S_IMODE((tmp_path / AUDIT_NEXT).stat().st_mode) == 0o600
    assert new.install() == new
    assert SigningKey.load(tmp_path) == new
    assert old.install() == old
    assert list(SigningKey.new().others()) == []


@pytest.mark.parametrize("content", [b"", b"x", b"-----BEGIN OPENSSH PRIVATE KEY-----\nx"])
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / AUDIT_KEY).write_bytes(content)
    (tmp_path / AUDIT_KEY).chmod(0o600)
    with pytest.raises(ConfigurationError):
        SigningKey.load(tmp_path)


def test_the_secret_is_not_shown(sealed: SigningKey, tmp_path: Path) -> None:
    shown = repr(SigningKey.load(tmp_path, says(PASSPHRASE)))
    assert PASSPHRASE not in shown
    assert "passphrase" not in shown
