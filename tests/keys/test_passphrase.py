"""A passphrase is asked for once, or read from a file of one's own; a new one is typed twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from fr_cli.errors import ConfigurationError
from fr_cli.keys import Passphrase, SigningKey, SiteKey, signing, site
from fr_cli.keys.passphrase import FILE, NEW_FILE, new_passphrase


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "COST", 16)
    monkeypatch.setattr(signing, "ROUNDS", 1)


class Person:
    """Types what they are told to; remembers what they were asked."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), list[str]()

    def __call__(self, prompt: str) -> str:
        self.asked.append(prompt)
        return self.answers.pop(0)


def secret_file(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def load_both(folder: Path, passphrase: Passphrase) -> None:
    SigningKey.load(folder, passphrase)
    SiteKey.load(folder, passphrase)


def test_both_keys_are_opened_by_one_question(tmp_path: Path) -> None:
    SigningKey.create(tmp_path, b"both of them")
    SiteKey.create(tmp_path, b"both of them")
    person = Person("both of them")
    load_both(tmp_path, Passphrase(person))
    assert len(person.asked) == 1
    assert str(tmp_path / "audit.key") in person.asked[0]


def test_keys_under_two_passphrases_are_each_asked_for(tmp_path: Path) -> None:
    SigningKey.create(tmp_path, b"the first of two")
    SiteKey.create(tmp_path, b"the second of two")
    person = Person("the first of two", "the second of two")
    passphrase = Passphrase(person)
    load_both(tmp_path, passphrase)
    load_both(tmp_path, passphrase)
    assert [str(tmp_path / "audit.key") in asked for asked in person.asked] == [True, False]


def test_nobody_is_asked_twice_for_a_wrong_one(tmp_path: Path) -> None:
    SiteKey.create(tmp_path, b"right and long")
    person = Person("wrong", "right and long")
    with pytest.raises(ConfigurationError, match="does not open") as caught:
        SiteKey.load(tmp_path, Passphrase(person))
    assert "Try again" in caught.value.hint
    assert len(person.asked) == 1


def test_a_file_goes_before_a_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SiteKey.create(tmp_path, b"right and long")
    monkeypatch.setenv(FILE, secret_file(tmp_path / "p", "right and long\n"))
    SiteKey.load(tmp_path, Passphrase(Person()))
    secret_file(tmp_path / "p", "wrong")
    with pytest.raises(ConfigurationError, match="does not open"):
        SiteKey.load(tmp_path, Passphrase(Person()))
    (tmp_path / "p").unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        SiteKey.load(tmp_path, Passphrase(Person()))


def test_while_a_passphrase_is_changed_either_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SigningKey.create(tmp_path, b"the new one")
    SiteKey.create(tmp_path, b"the old one")
    monkeypatch.setenv(FILE, secret_file(tmp_path / "old", "the old one"))
    with pytest.raises(ConfigurationError, match="does not open"):
        load_both(tmp_path, Passphrase())
    monkeypatch.setenv(NEW_FILE, secret_file(tmp_path / "new", "the new one"))
    load_both(tmp_path, Passphrase())
    assert new_passphrase(None) == b"the new one"


def test_a_passphrase_file_that_is_a_credential_may_be_open_to_the_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SiteKey.create(tmp_path, b"right and long")
    (tmp_path / "given").mkdir()
    monkeypatch.setenv(FILE, secret_file(tmp_path / "given" / "p", "right and long"))
    (tmp_path / "given" / "p").chmod(0o440)
    with pytest.raises(ConfigurationError, match="other accounts"):
        SiteKey.load(tmp_path)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "given"))
    SiteKey.load(tmp_path)


def test_a_new_one_is_typed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    person = Person("long enough", "long enough")
    assert new_passphrase(person) == b"long enough"
    assert len(person.asked) == 2
    with pytest.raises(ConfigurationError, match="not the same"):
        new_passphrase(Person("long enough", "long enougj"))
    with pytest.raises(ConfigurationError, match="at least 8"):
        new_passphrase(Person("short"))
    with pytest.raises(ConfigurationError, match="Nobody can be asked"):
        new_passphrase(None)
    monkeypatch.setenv(FILE, secret_file(tmp_path / "p", "from a file\n"))
    assert new_passphrase(Person()) == b"from a file"
    secret_file(tmp_path / "p", "\n")
    with pytest.raises(ConfigurationError, match="at least 8"):
        new_passphrase(Person())
