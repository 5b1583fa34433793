"""Time stamps on heads, from an authority that this test makes with openssl."""

from __future__ import annotations

import json
import shlex
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fr_cli.audit.reader import Log
from fr_cli.cli.main import app
from fr_cli.errors import AuditBroken, ConfigurationError
from fr_cli.operations import stamp
from fr_cli.operations.audit import trusted

from .conftest import ORIGIN, Bench

CONFIG = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
[stamping]
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
"""


class Authority:
    """A root, and a certificate for time stamps that it has issued."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "serial").write_text("01\n")
        (folder / "config").write_text(CONFIG.format(folder=folder))
        curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config config -days 2"
        self.openssl(f"req -x509 {curve} -extensions root -subj /CN=Root -keyout r.key -out r.pem")
        self.openssl(
            f"req -x509 {curve} -extensions stamping -subj /CN=TSA -keyout t.key -out t.pem "
            "-CA r.pem -CAkey r.key"
        )

    @property
    def root(self) -> Path:
        return self.folder / "r.pem"

    def openssl(self, words: str) -> None:
        command = ["openssl", *shlex.split(words)]
        # The configuration has no names to ask for: -subj gives them.
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

    def answer(self, request: Path) -> Path:
        out = request.with_suffix(".tsr")
        self.openssl(
            f"ts -reply -config config -queryfile {request} -signer t.pem -inkey t.key -out {out}"
        )
        return out


def log_of(bench: Bench) -> Log:
    return Log(bench.log.path, bench.signer.public, ORIGIN)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    pytest.importorskip("rfc3161_client")
    return Authority(tmp_path_factory.mktemp("tsa") / "authority")


class Stamped:
    """A head of a log, and what the authority answered."""

    def __init__(self, bench: Bench, authority: Authority) -> None:
        self.public = bench.home / "audit.pub"
        self.keys = trusted(self.public, [])
        self.head = bench.home / "head.note"
        self.head.write_text(log_of(bench).head().text())
        request = bench.home / "head.tsq"
        request.write_bytes(stamp.request(self.head, self.keys))
        self.response = authority.answer(request)


@pytest.fixture
def stamped(bench: Bench, authority: Authority) -> Stamped:
    bench.some_act()
    return Stamped(bench, authority)


def test_a_stamp_says_when_the_head_was_there(stamped: Stamped, authority: Authority) -> None:
    found = stamp.check(stamped.head, stamped.keys, stamped.response, authority.root)
    assert found.note.head.size == 3
    assert abs(datetime.now(UTC) - found.time) < timedelta(minutes=5)


def test_openssl_agrees(stamped: Stamped, authority: Authority) -> None:
    authority.openssl(
        f"ts -verify -data {stamped.head} -in {stamped.response} -CAfile {authority.root}"
    )


def test_a_stamp_on_another_head_is_none(
    stamped: Stamped, authority: Authority, bench: Bench
) -> None:
    bench.some_act()
    stamped.head.write_text(log_of(bench).head().text())
    with pytest.raises(AuditBroken, match="no time stamp of this authority"):
        stamp.check(stamped.head, stamped.keys, stamped.response, authority.root)


def test_a_stamp_of_another_authority_is_none(
    stamped: Stamped, authority: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other")
    with pytest.raises(AuditBroken):
        stamp.check(stamped.head, stamped.keys, stamped.response, other.root)
    theirs = other.answer(stamped.head.with_suffix(".tsq"))
    with pytest.raises(AuditBroken):
        stamp.check(stamped.head, stamped.keys, theirs, authority.root)
    stamp.check(stamped.head, stamped.keys, theirs, other.root)


def test_a_changed_answer_is_none(stamped: Stamped, authority: Authority) -> None:
    whole = stamped.response.read_bytes()
    for at in range(0, len(whole), 37):
        changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        stamped.response.write_bytes(changed)
        try:
            found = stamp.check(stamped.head, stamped.keys, stamped.response, authority.root)
        except AuditBroken:
            continue
        # What no signature covers, as the words around a certificate that is sent along.
        stamped.response.write_bytes(whole)
        true = stamp.check(stamped.head, stamped.keys, stamped.response, authority.root)
        assert found == true


def test_a_head_that_the_log_has_not_signed_is_not_stamped(
    stamped: Stamped, authority: Authority
) -> None:
    text = stamped.head.read_text().splitlines(keepends=True)
    stamped.head.write_text("".join([text[0], "2\n", *text[2:]]))
    with pytest.raises(AuditBroken):
        stamp.request(stamped.head, stamped.keys)
    with pytest.raises(AuditBroken):
        stamp.check(stamped.head, stamped.keys, stamped.response, authority.root)


def test_no_certificate_is_a_mistake_in_the_question(stamped: Stamped) -> None:
    with pytest.raises(ConfigurationError, match="no certificate"):
        stamp.check(stamped.head, stamped.keys, stamped.response, stamped.head)


def test_by_the_command_line(stamped: Stamped, authority: Authority, tmp_path: Path) -> None:
    def fr(*words: object) -> Any:
        line = ["--json", "audit", "stamp", *map(str, words), "--key", str(stamped.public)]
        return CliRunner().invoke(app, line, env={"FR_HOME": str(tmp_path / "none")})

    made = fr(stamped.head, "--request", tmp_path / "again.tsq")
    assert json.loads(made.stdout)["request"] == str(tmp_path / "again.tsq")
    answer = authority.answer(tmp_path / "again.tsq")
    found = json.loads(fr(stamped.head, "--response", answer, "--authority", authority.root).stdout)
    assert (found["schema"], found["size"]) == ("fr/audit-stamp/1", 3)
    assert found["time"].startswith(str(datetime.now(UTC).year))
    assert fr(stamped.head).exit_code == 2
    assert fr(stamped.head, "--response", answer).exit_code == 2
    assert (
        fr(stamped.head, "--response", stamped.head, "--authority", authority.root).exit_code == 31
    )
