"""A home's own calibration is believed as it was signed, and not at all otherwise."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from fr_cli.audit.reader import Log
from fr_cli.errors import ConfigurationError
from fr_cli.face.pipeline import fingerprint
from fr_cli.keys import SigningKey
from fr_cli.operations.bench import Bench
from fr_cli.operations.calibration_files import SHIPPED, in_force, signed
from fr_cli.operations.init import init
from tests.conftest import ENROLLED, Fr, photo
from tests.decision.examples import made_up_calibration

MINE = replace(made_up_calibration(fingerprint()), note="made up")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    init(tmp_path / "home")
    return Bench(tmp_path / "home")


def put(bench: Bench, data: bytes) -> Path:
    path = bench.site.calibration / "ours.json"
    path.write_bytes(data)
    return path


def own(bench: Bench) -> bytes:
    return signed(MINE, bench.signer, bench.site.origin)


def test_what_comes_with_fr_is_pinned(bench: Bench) -> None:
    folder = resources.files("fr_cli.decision").joinpath("shipped")
    found = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.iterdir() if file.name.endswith(".json")
    }  # fmt: skip
    assert found == SHIPPED
    used = in_force(bench.site, bench.fingerprint, "best")
    assert used is not None
    assert used.digest in SHIPPED.values()
    assert used.note == ""
    assert in_force(bench.site, "another model", "best") is None
    assert in_force(bench.site, bench.fingerprint, "mean") is None


def test_an_altered_one_that_came_with_fr(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from fr_cli.operations import calibration_files

    monkeypatch.setattr(calibration_files, "SHIPPED", dict.fromkeys(SHIPPED, "0" * 64))
    with pytest.raises(ConfigurationError, match="altered"):
        in_force(bench.site, bench.fingerprint, "best")


def test_the_homes_own_takes_its_place(bench: Bench) -> None:
    path = put(bench, own(bench))
    used = in_force(bench.site, bench.fingerprint, "best")
    assert used is not None
    assert used.calibration == MINE
    assert used.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert used.note == ""
    assert (bench.calibration, bench.calibration_note) == (MINE, "")


def no_signature(document: dict[str, Any]) -> None:
    del document["signature"]


def other_sig(document: dict[str, Any]) -> None:
    document["signature"]["sig"] = base64.b64encode(bytes(64)).decode()


def no_base64(document: dict[str, Any]) -> None:
    document["signature"]["sig"] = "?"


def short_key(document: dict[str, Any]) -> None:
    document["signature"]["key"] = "AAAA"


def extra_field(document: dict[str, Any]) -> None:
    document["signature"]["by"] = "me"


def one_number(document: dict[str, Any]) -> None:
    document["tail"]["beta"] *= 0.9  # every score would rise


def another_home(document: dict[str, Any]) -> None:
    document["signature"]["origin"] = "fr.local/elsewhere"


def a_note(document: dict[str, Any]) -> None:
    document["note"] = "approved"


@pytest.mark.parametrize(
    "change",
    [no_signature, other_sig, no_base64, short_key, extra_field, one_number, another_home, a_note],
)
def test_what_is_not_as_it_was_signed(
    bench: Bench, change: Callable[[dict[str, Any]], None]
) -> None:
    document = json.loads(own(bench))
    change(document)
    put(bench, json.dumps(document).encode())
    with pytest.raises(ConfigurationError, match=r"sign|altered") as caught:
        in_force(bench.site, bench.fingerprint, "best")
    assert caught.value.code == 3
    assert "--calibrate" in caught.value.hint


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b'{"schema": 1}'])
def test_what_cannot_be_read(bench: Bench, data: bytes) -> None:
    put(bench, data)
    with pytest.raises(ConfigurationError):
        in_force(bench.site, bench.fingerprint, "best")


def test_the_form_of_the_json_is_not_signed(bench: Bench) -> None:
    put(bench, json.dumps(json.loads(own(bench)), indent=None, sort_keys=True).encode())
    used = in_force(bench.site, bench.fingerprint, "best")
    assert used is not None
    assert used.calibration == MINE


def test_one_of_another_home_says_whose_key_it_is(bench: Bench) -> None:
    stranger = SigningKey.new()
    put(bench, signed(MINE, stranger, "fr.local/elsewhere"))
    used = in_force(bench.site, bench.fingerprint, "best")
    assert used is not None
    assert "fr.local/elsewhere" in used.note
    assert base64.b64encode(stranger.public).decode() in used.note


def test_a_strangers_key_in_the_name_of_this_home(bench: Bench) -> None:
    put(bench, signed(MINE, SigningKey.new(), bench.site.origin))
    with pytest.raises(ConfigurationError, match="no key of this home"):
        in_force(bench.site, bench.fingerprint, "best")


def test_it_stays_good_when_the_key_is_changed(bench: Bench) -> None:
    put(bench, own(bench))
    for _ in range(3):  # the first key, one in the middle, and the one in force
        with Bench(bench.site.home) as later:
            assert in_force(later.site, later.fingerprint, "best") is not None
            later.audit.rotate(SigningKey.new(), later.site.keys)
            assert in_force(later.site, later.fingerprint, "best") is not None
        with Bench(bench.site.home) as later:
            put(later, own(later))


def test_no_search_reads_the_log_after_a_change_of_the_key(
    fr: Fr, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):  # signed by the first key, then by a later one; each before two changes
        with Bench(fr.home) as bench:
            put(bench, own(bench))
        assert fr("audit", "rotate", "--reason", "test").code == 0
        assert fr("audit", "rotate", "--reason", "test").code == 0

    def read(log: Log) -> Any:
        raise AssertionError("the whole log was read")

    monkeypatch.setattr(Log, "read", read)
    with Bench(fr.home) as bench:
        now = bench.signer.public
        used = in_force(bench.site, bench.fingerprint, "best", now)
        assert used is not None
        assert (used.calibration, used.note) == (MINE, "")
        sign = next(bench.site.calibration.glob("*.sig"))
        sign.write_bytes(base64.b64encode(SigningKey.new().sign(b"")))
        with pytest.raises(AssertionError, match="whole log"):
            in_force(bench.site, bench.fingerprint, "best", now)


def test_a_search_refuses_an_altered_one_and_names_nobody(fr: Fr) -> None:
    with Bench(fr.home) as bench:
        document = json.loads(own(bench))
        one_number(document)
        put(bench, json.dumps(document).encode())
    error = fr.identify(photo(ENROLLED[0]), code=3)
    assert "altered" in error["message"]
    last = fr.log()[-1]
    assert (last["ph"], last["cmd"]) == ("outcome", "identify")
    assert last["exit"] == 3
    assert set(last.get("dec", {})) <= {"gallery_known", "basis"}


def test_a_search_says_whose_calibration_it_used_and_beyond_which_n(fr: Fr) -> None:
    with Bench(fr.home) as bench:
        mine = replace(MINE, site_references=2)
        put(bench, signed(mine, SigningKey.new(), "fr.local/elsewhere"))
    warnings = fr.identify(photo(ENROLLED[0]))["warnings"]
    assert any("another home" in text for text in warnings)
    assert any("with 2 references" in text for text in warnings)
