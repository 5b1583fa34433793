"""`fr gallery rotate-key` as an administrator meets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fr_cli.keys import signing, site
from tests.conftest import MATED, Fr, photo


def secret_file(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def test_the_gallery_goes_on_under_a_new_key(fr: Fr) -> None:
    old = (fr.home / "keys" / "site.key").read_bytes()
    fr.json("purge", "--subject", "P001", "--yes")
    done = fr.json("gallery", "rotate-key", "--reason", "Order 9/26")
    assert done["epoch"] == 3
    assert done["passphrase"] is False
    assert (fr.home / "keys" / "site.key").read_bytes() != old
    fr.whole()
    assert fr.found(photo(MATED)) == [MATED]
    # Whoever was purged is still known as such.
    portrait = fr.home.parent / "again" / "P001"
    portrait.mkdir(parents=True)
    (portrait / "p.jpg").write_bytes(photo("P001", "studio_portrait").read_bytes())
    (reject,) = fr.json("enroll", portrait.parent, code=100)["rejects"]
    assert reject["error"] == "Purged"
    intent, outcome = fr.log()[-8:-6]
    assert (intent["cmd"], intent["why"]) == ("gallery rotate-key", {"reason": "Order 9/26"})
    assert outcome["dec"] == {"epoch": 3}


def test_a_passphrase_is_put_on_both_keys_changed_and_taken_off(
    fr: Fr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "COST", 16)
    monkeypatch.setattr(signing, "ROUNDS", 2)
    monkeypatch.setattr("fr_cli.cli.wiring.terminal", lambda: None)
    fr.json("gallery", "rotate-key", "--passphrase", code=3)
    monkeypatch.setenv("FR_PASSPHRASE_FILE", secret_file(tmp_path / "p", "eleven apples"))
    for words in (("gallery", "rotate-key"), ("audit", "rotate")):
        assert fr.json(*words, "--passphrase")["passphrase"] is True
    fr.whole()
    assert fr.json("gallery", "rotate-key")["passphrase"] is True
    monkeypatch.setenv("FR_NEW_PASSPHRASE_FILE", secret_file(tmp_path / "n", "twelve pears"))
    for words in (("gallery", "rotate-key"), ("audit", "rotate")):
        fr.json(*words, "--passphrase")
        fr.json("gallery", "stats")  # with the one under the old, and the other under the new
    monkeypatch.setenv("FR_PASSPHRASE_FILE", str(tmp_path / "n"))
    monkeypatch.delenv("FR_NEW_PASSPHRASE_FILE")
    fr.whole()
    for words in (("gallery", "rotate-key"), ("audit", "rotate")):
        assert fr.json(*words, "--no-passphrase")["passphrase"] is False
    monkeypatch.delenv("FR_PASSPHRASE_FILE")
    fr.whole()


def test_a_home_in_which_nobody_is_enrolled_has_a_key_to_exchange_too(tmp_path: Path) -> None:
    fr = Fr(tmp_path / "home")
    fr.json("init")
    assert fr.json("gallery", "rotate-key")["epoch"] == 2


def test_a_home_without_an_epoch_is_read_as_it_is(fr: Fr) -> None:
    """As a home of an earlier version: its site key wraps the slots itself."""
    from fr_cli.gallery.rewrapping import rewrap_file
    from fr_cli.keys import SiteKey

    keys = fr.home / "keys"
    key = SiteKey.load(keys)
    for name in ("subjects.slots", "generations.slots"):
        rewrap_file(keys / name, key.epoch.key, key.derive("wrap"))
    (keys / "epoch.key").unlink()
    assert fr.found(photo(MATED)) == [MATED]
    fr.whole()
    assert not (keys / "epoch.key").exists()
    fr.json("purge", "--subject", "P001", "--yes")
    fr.whole()
    assert fr.json("gallery", "rotate-key")["epoch"] == 2
    fr.whole()


def test_a_disk_that_is_full_is_said_and_nothing_is_lost(
    fr: Fr, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fr_cli.gallery import wrapping

    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(wrapping, "rewrap_file", full)
        error = fr.json("gallery", "rotate-key", code=12)
    assert "No space left" in error["message"]
    assert fr.found(photo(MATED)) == [MATED]
    (finding,) = fr("gallery", "check", "--json").document["findings"]
    assert finding["mend"] == "fr gallery rebuild"
    fr.json("gallery", "rebuild")
    fr.whole()
