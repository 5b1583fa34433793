"""Keys that do not lie in the home: on another volume, behind a link, as credentials of systemd."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fr_cli.keys import signing, site
from tests.conftest import MATED, Fr, jpeg, photo, small

SLOTS = {"epoch.key", "generations.slots", "subjects.slots"}


def go_through(fr: Fr) -> None:
    """What changes keys and what reads them."""
    assert fr.found(photo(MATED)) == [MATED]
    fr.json("purge", "--subject", "P001", "--yes")
    fr.whole()


# -- credentials -----------------------------------------------------------------------------------


@pytest.fixture
def given(fr: Fr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which systemd gives a unit its credentials; neither key is in keys/."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    for name in ("audit.key", "site.key"):
        (fr.home / "keys" / name).rename(folder / name)
        (folder / name).chmod(0o440)  # as systemd's access list shows
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


def test_a_night_with_credentials(fr: Fr, given: Path, tmp_path: Path) -> None:
    feed = tmp_path / "tonight" / "P009"
    feed.mkdir(parents=True)
    (feed / "p.jpg").write_bytes(jpeg(small("P009", "studio_portrait")))
    fr.json("enroll", feed.parent)
    go_through(fr)
    fr.json("gallery", "rebuild")
    assert {path.name for path in (fr.home / "keys").iterdir()} >= SLOTS
    assert not {"audit.key", "site.key"} & {path.name for path in (fr.home / "keys").iterdir()}


def test_without_them_nothing_opens_and_nothing_is_done(
    fr: Fr, given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(fr.log())
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    error = fr.identify(photo(MATED), code=3)
    assert "cannot be read" in error["message"]
    assert len(fr.log()) == before
    fr.json("audit", "verify", "--full")  # needs the public key alone


def test_a_credential_is_exchanged_by_hand_as_the_hint_says(
    fr: Fr, given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(fr.log())
    assert "Decrypt it" in fr.json("gallery", "rotate-key", code=3)["hint"]
    assert len(fr.log()) == before
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    for name in ("audit.key", "site.key"):
        (given / name).rename(fr.home / "keys" / name)
        (fr.home / "keys" / name).chmod(0o600)
    fr.json("gallery", "rotate-key")
    for name in ("audit.key", "site.key"):
        (fr.home / "keys" / name).rename(given / name)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given))
    go_through(fr)


def test_the_passphrase_may_be_a_credential_too(
    fr: Fr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "ROUNDS", 2)
    monkeypatch.setattr(site, "COST", 16)
    monkeypatch.setattr("fr_cli.cli.wiring.terminal", lambda: None)
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "passphrase").write_text("eleven apples")
    (folder / "passphrase").chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    monkeypatch.setenv("FR_PASSPHRASE_FILE", str(folder / "passphrase"))
    fr.json("audit", "rotate", "--passphrase")
    fr.json("gallery", "rotate-key", "--passphrase")
    go_through(fr)


# -- another volume --------------------------------------------------------------------------------


def test_keys_behind_a_link(models: Path, tmp_path: Path) -> None:
    fr = Fr(tmp_path / "home")
    fr.home.mkdir()
    (tmp_path / "volume").mkdir(mode=0o700)
    (fr.home / "keys").symlink_to(tmp_path / "volume")
    fr.json("init")
    for person in ("P001", MATED):
        folder = tmp_path / "feed" / person
        folder.mkdir(parents=True)
        (folder / "p.jpg").write_bytes(jpeg(small(person, "studio_portrait")))
    fr.json("enroll", tmp_path / "feed")
    go_through(fr)
    fr.json("audit", "rotate")
    fr.json("gallery", "rotate-key")
    fr.whole()
    assert (fr.home / "keys").is_symlink()
    assert {path.name for path in (tmp_path / "volume").iterdir()} == SLOTS | {
        "audit.key", "audit.pub", "site.key",
    }  # fmt: skip


def test_a_link_among_the_keys_is_not_followed(fr: Fr, tmp_path: Path) -> None:
    slots = fr.home / "keys" / "subjects.slots"
    slots.rename(tmp_path / "elsewhere")
    slots.symlink_to(tmp_path / "elsewhere")
    fr.json("purge", "--subject", "P001", "--yes", code=12)


def _may_mount() -> bool:
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


MOUNTED = """
set -e
fr() { "$python" -c 'from fr_cli.cli.main import app; app()' "$@"; }
mkdir "$volume"; mount -t tmpfs -o mode=700 tmpfs "$volume"
cp -p "$FR_HOME"/keys/* "$volume"; rm "$FR_HOME"/keys/*
fr gallery stats --json > /dev/null 2> unmounted || echo "unmounted $?"
mount --bind "$volume" "$FR_HOME/keys"
fr purge --subject P001 --yes > /dev/null
fr gallery rotate-key > /dev/null
fr gallery check
mount -o remount,bind,ro "$FR_HOME/keys"
fr identify "$photo" --case 1 --reason test --json | grep -o '"subject_id": "[^"]*"'
fr purge --subject P002 --yes --json 2> read-only || echo "read-only $?"
mount -o remount,bind,rw "$FR_HOME/keys"
fr purge --subject P002 --yes > /dev/null
fr gallery check
"""


@pytest.mark.skipif(not _may_mount(), reason="a volume cannot be mounted here")
def test_keys_on_a_mounted_volume(fr: Fr, tmp_path: Path) -> None:
    environment = {
        **os.environ, "FR_HOME": str(fr.home), "volume": str(tmp_path / "volume"),
        "python": sys.executable, "photo": str(photo(MATED)),
    }  # fmt: skip
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", MOUNTED], cwd=tmp_path, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "unmounted 3", "The gallery is whole.", f'"subject_id": "{MATED}"', "read-only 12",
        "The gallery is whole.",
    ], done.stderr  # fmt: skip
    assert "mount the volume" in (tmp_path / "unmounted").read_text()
    assert "Read-only file system" in (tmp_path / "read-only").read_text()
