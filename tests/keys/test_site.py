"""The site key: in clear, under a passphrase, as a credential of systemd."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from fr_cli.errors import ConfigurationError
from fr_cli.keys import SITE_KEY, Passphrase, SiteKey, site

PASSPHRASE = b"correct horse"
COST = site.COST  #: the tests use less


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "COST", 16)


def says(*answers: str) -> Passphrase:
    left = list(answers)
    return Passphrase(lambda prompt: left.pop(0))


def test_a_plain_key_is_64_digits_for_its_owner_alone(tmp_path: Path) -> None:
    key = SiteKey.create(tmp_path)
    assert (tmp_path / SITE_KEY).read_text() == key.secret.hex() + "\n"
    assert stat.S_IMODE((tmp_path / SITE_KEY).stat().st_mode) == 0o600
    assert SiteKey.load(tmp_path) == key
    (tmp_path / SITE_KEY).chmod(0o604)
    with pytest.raises(ConfigurationError, match="other accounts"):
        SiteKey.load(tmp_path)


def test_under_a_passphrase_nothing_of_it_is_in_the_file(tmp_path: Path) -> None:
    key = SiteKey.create(tmp_path, PASSPHRASE)
    text = (tmp_path / SITE_KEY).read_text()
    assert stat.S_IMODE((tmp_path / SITE_KEY).stat().st_mode) == 0o600
    assert key.secret.hex() not in text
    assert SiteKey.load(tmp_path, says("correct horse")) == key
    assert SiteKey.load(tmp_path, says("correct horse")).under == PASSPHRASE
    with pytest.raises(ConfigurationError, match="does not open"):
        SiteKey.load(tmp_path, says("wrong"))
    with pytest.raises(ConfigurationError, match="nobody can be asked"):
        SiteKey.load(tmp_path)
    assert COST >= 2**17


def test_two_files_of_one_key_and_passphrase_differ(tmp_path: Path) -> None:
    key = SiteKey.create(tmp_path, PASSPHRASE)
    assert key.written() != key.written()


def test_any_other_scrypt_makes_the_same(tmp_path: Path) -> None:
    import hashlib

    from cryptography.hazmat.primitives.keywrap import aes_key_unwrap

    key = SiteKey.create(tmp_path, PASSPHRASE)
    file = json.loads((tmp_path / SITE_KEY).read_text())
    salt = bytes.fromhex(file["salt"])
    stretched = hashlib.scrypt(PASSPHRASE, salt=salt, n=file["n"], r=file["r"], p=1, dklen=32)
    assert aes_key_unwrap(stretched, bytes.fromhex(file["wrapped"])) == key.secret


@pytest.mark.parametrize(
    "change",
    [{"n": 2**30}, {"n": "16"}, {"r": 9}, {"p": 2}, {"kdf": "none"}, {"schema": "x"},
     {"salt": None}, {"salt": "x"}, {"wrapped": "00"}],
)  # fmt: skip
def test_a_file_of_another_form_is_refused_before_anyone_is_asked(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    SiteKey.create(tmp_path, PASSPHRASE)
    file = json.loads((tmp_path / SITE_KEY).read_text()) | change
    (tmp_path / SITE_KEY).write_text(json.dumps(file))
    with pytest.raises(ConfigurationError, match="is not a site key"):
        SiteKey.load(tmp_path, says())


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "00" * 31, "zz" * 32])
def test_what_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    SiteKey.create(tmp_path)
    (tmp_path / SITE_KEY).write_text(text)
    with pytest.raises(ConfigurationError, match="is not a site key"):
        SiteKey.load(tmp_path, says())


def test_a_credential_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("home", "credentials"):
        (tmp_path / name).mkdir()
    own = SiteKey.create(tmp_path / "home")
    given = SiteKey.create(tmp_path / "credentials", PASSPHRASE)
    (tmp_path / "credentials" / SITE_KEY).chmod(0o440)  # as systemd's access list shows
    assert SiteKey.load(tmp_path / "home") == own
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert SiteKey.load(tmp_path / "home", says("correct horse")) == given


def test_the_secret_is_not_shown(tmp_path: Path) -> None:
    key = SiteKey.create(tmp_path, PASSPHRASE)
    assert str(key.secret) not in repr(key)
    assert str(PASSPHRASE) not in repr(key)
