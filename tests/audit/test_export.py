"""The bundle for a court, checked by the commands that it tells its reader to use."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fr_cli.errors import AuditUnwritable, ConfigurationError, UsageProblem
from fr_cli.keys import SigningKey
from fr_cli.operations.bench import Bench as Home
from fr_cli.operations.disclosure import Bundle, export
from fr_cli.operations.in_force import FILE
from fr_cli.operations.init import init
from fr_cli.operations.kept import keep
from fr_cli.records import Silence

from .test_show import SUBJECT, identified, log_entries


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    init(tmp_path / "home")
    with Home(tmp_path / "home") as bench:
        for number in range(5):
            identified(bench.audit, f"CR/{number}", SUBJECT)
        yield bench


def exported(home: Home, case: str = "CR/2") -> Path:
    return export(case, "Smith & Co", home.site.home.parent / "bundle", home, Silence()).out


def checked(bundle: Path, key: Path) -> subprocess.CompletedProcess[str]:
    """The script of the bundle, with nothing but a shell, openssl and coreutils."""
    return subprocess.run(
        ["dash" if shutil.which("dash") else "sh", bundle / "check.sh", key],
        capture_output=True, text=True, check=False, timeout=60,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": os.environ.get("TMPDIR", "/tmp")},
    )  # fmt: skip


def resummed(bundle: Path) -> None:
    """The list of files as a forger would write it anew."""
    names = [line[66:] for line in (bundle / "SHA256SUMS").read_text().splitlines()]
    sums = [f"{hashlib.sha256((bundle / n).read_bytes()).hexdigest()}  {n}\n" for n in names]
    (bundle / "SHA256SUMS").write_text("".join(sums))


def test_the_script_in_the_bundle_says_that_it_is_genuine(home: Home) -> None:
    bundle = exported(home)
    done = checked(bundle, home.site.keys / "audit.pub")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "files: as listed",
        "head: signed by this key, over 12 entries",
        "entries: all 3 are in the log, unchanged",
    ]


def test_every_command_of_the_readme_works_as_it_says(home: Home, tmp_path: Path) -> None:
    bundle = exported(home)
    text = (bundle / "README.txt").read_text()
    commands = re.findall(r"^    \$ (.*)$", text, re.M)
    assert len(commands) == 6
    script = "\n".join(commands).replace("/tmp/", f"{tmp_path}/")
    done = subprocess.run(
        ["sh", "-e"], input=script, cwd=bundle, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    fingerprint, *listed = done.stdout.splitlines()
    assert fingerprint.split()[0] in text
    assert "Signature Verified Successfully" in listed
    assert listed[-1] == "entries: all 3 are in the log, unchanged"
    assert listed[-1] in text
    assert sum(line.endswith(": OK") for line in listed) == len(
        (bundle / "SHA256SUMS").read_text().splitlines()
    )


def test_what_is_in_the_bundle(home: Home) -> None:
    bundle = exported(home)
    files = {str(file.relative_to(bundle)) for file in bundle.rglob("*") if file.is_file()}
    assert files == {
        "README.html", "README.txt", "SHA256SUMS", "acts.csv", "audit.pub", "check.sh",
        "entries/11.json", "entries/5.json", "entries/6.json", "head.note", "manifest.json",
        "proofs/11.tlog-proof", "proofs/5.tlog-proof", "proofs/6.tlog-proof",
    }  # fmt: skip
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["schema"] == "fr/disclosure/1"
    assert set(manifest["files"]) == files - {"manifest.json", "SHA256SUMS"}
    assert json.loads((bundle / "entries" / "5.json").read_bytes())["why"]["case"] == "CR/2"
    assert all(oct(p.stat().st_mode & 0o77) == "0o0" for p in [bundle])
    page = (bundle / "README.html").read_text()
    assert "Smith &amp; Co" in page
    assert "http" not in page.replace("http-equiv", "")  # nothing is fetched


def test_the_disclosure_stands_in_the_log_with_its_recipient_and_its_hash(home: Home) -> None:
    out = home.site.home.parent / "b"
    result: Bundle = export("CR/2", "Smith & Co", out, home, Silence(), reason="order 7")
    intent, outcome = log_entries(home)[-2:]
    assert (intent["cmd"], intent["act"], intent["to"]) == (
        "audit export",
        "disclosure",
        "Smith & Co",
    )
    assert intent["why"] == {"case": "CR/2", "reason": "order 7"}
    sums = hashlib.sha256((result.out / "SHA256SUMS").read_bytes()).hexdigest()
    assert outcome["dec"]["sums"] == sums == result.sums
    assert outcome["dec"]["size"] == result.note.head.size
    assert result.head.size == len(log_entries(home))


def test_what_names_a_search_of_the_case_belongs_to_it(home: Home) -> None:
    search = log_entries(home)[5]["req"]
    with home.audit.act("decide", "alteration") as act:
        act.decide(search=search, answer="rejected")
    with home.audit.act("audit show", "consultation", asked={"search": search}):
        pass
    manifest = json.loads((exported(home) / "manifest.json").read_text())
    assert [one["command"] for one in manifest["acts"]] == ["identify", "decide", "audit export"]
    assert [one["entries"] for one in manifest["acts"]] == [[5, 6], [11, 12], [15]]


def test_what_was_in_force_is_given_also_when_it_is_no_longer(home: Home) -> None:
    """A search keeps what it rests on: each file that an entry names by its SHA-256."""
    policy = home.site.policy.read_bytes()
    keep(home.site, home.policy_digest, home.calibration_digest, "")
    later = policy + b"# changed\n"
    home.site.policy.write_bytes(later)
    home.site.evaluation.mkdir(exist_ok=True)
    (home.site.evaluation / FILE).write_bytes(b"an evaluation")
    names = {"policy": hashlib.sha256(later), "evaluation": hashlib.sha256(b"an evaluation")}
    for words in (
        {"policy": home.policy_digest, "calibration": home.calibration_digest},
        {name: value.hexdigest() for name, value in names.items()},
    ):
        with home.audit.act("identify", "consultation", why={"case": "CR/7"}) as act:
            act.decide(**words)
    bundle = export("CR/7", "x", home.site.home.parent / "seven", home, Silence())
    given = {file for file in bundle.files if file.startswith(("policy", "calib", "evaluation"))}
    short = sorted((home.policy_digest[:12], names["policy"].hexdigest()[:12]))
    assert given == {
        *(f"policy-{one}.yaml" for one in short), "calibration.json", "evaluation.json"
    }  # fmt: skip
    assert (bundle.out / f"policy-{home.policy_digest[:12]}.yaml").read_bytes() == policy
    assert "is not here" not in (bundle.out / "README.txt").read_text()
    assert checked(bundle.out, home.site.keys / "audit.pub").returncode == 0


def test_what_nobody_kept_is_named_as_missing(home: Home) -> None:
    kept = home.site.audit / "in-force"
    keep(home.site, home.calibration_digest)
    (kept / home.calibration_digest).write_bytes(b"altered")  # the shipped one is taken instead
    with home.audit.act("identify", "consultation", why={"case": "CR/8"}, policy="0" * 64) as act:
        act.decide(calibration=home.calibration_digest)
    bundle = export("CR/8", "x", home.site.home.parent / "eight", home, Silence())
    assert "calibration.json" in bundle.files
    assert "policy.yaml" not in bundle.files
    page = (bundle.out / "README.txt").read_text()
    assert f"(The policy {'0' * 64} is not here: it was not kept.)" in page
    assert checked(bundle.out, home.site.keys / "audit.pub").returncode == 0


def test_what_cannot_be_kept_cannot_be_rested_on(home: Home) -> None:
    (home.site.audit / "in-force").write_text("in the way")
    with pytest.raises(AuditUnwritable):
        keep(home.site, home.policy_digest)
    keep(home.site, "")  # nothing to keep


# -- forgeries -----------------------------------------------------------------------------------


def test_a_changed_missing_or_added_file_is_found(home: Home) -> None:
    bundle, key = exported(home), home.site.keys / "audit.pub"
    for file in ("entries/5.json", "README.txt", "manifest.json", "policy-of-mine"):
        copy = bundle.with_name("copy")
        shutil.copytree(bundle, copy)
        (copy / file).write_bytes(b"other")
        done = checked(copy, key)
        assert (done.returncode, "NOT GENUINE" in done.stderr) == (1, True)
        shutil.rmtree(copy)
    (bundle / "entries" / "5.json").unlink()
    assert checked(bundle, key).returncode == 1


def _swap(bundle: Path, one: str, other: str) -> None:
    a, b = (bundle / one).read_bytes(), (bundle / other).read_bytes()
    (bundle / one).write_bytes(b)
    (bundle / other).write_bytes(a)


FORGERIES: dict[str, Any] = {
    "an entry": lambda b: _edit(b / "entries/5.json", "CR/2", "CR/3"),
    "an entry and its number": lambda b: _swap(b, "entries/5.json", "entries/6.json"),
    "a number": lambda b: _edit(b / "proofs/5.tlog-proof", "index 5\n", "index 4\n"),
    "a proof": lambda b: _swap(b, "proofs/5.tlog-proof", "proofs/6.tlog-proof"),
    "a hash": lambda b: _edit(b / "proofs/5.tlog-proof", "index 5\n", f"index 5\n{43 * 'A'}=\n"),
    "the size": lambda b: _edit(b / "head.note", "\n12\n", "\n13\n"),
    "the root": lambda b: _another_root(b / "head.note"),
    "the signature": lambda b: _edit(b / "head.note", r".....\n\Z", "AAAA=\n", regex=True),
    "a missing proof": lambda b: (b / "proofs/5.tlog-proof").write_text(""),
}  # fmt: skip


def _another_root(note: Path) -> None:
    lines = note.read_text().splitlines(keepends=True)
    lines[2] = ("A" if lines[2].startswith("/") else "/") + lines[2][1:]
    note.write_text("".join(lines))


def _edit(file: Path, old: str, new: str, *, regex: bool = False) -> None:
    text = file.read_text()
    changed = re.sub(old, new, text, count=1) if regex else text.replace(old, new)
    assert changed != text
    file.write_text(changed)


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forger_who_lists_the_files_anew_is_found_by_the_proofs(what: str, home: Home) -> None:
    bundle = exported(home)
    FORGERIES[what](bundle)
    resummed(bundle)
    done = checked(bundle, home.site.keys / "audit.pub")
    assert (done.returncode, "NOT GENUINE" in done.stderr) == (1, True), done.stdout


def test_another_key_is_found(home: Home, tmp_path: Path) -> None:
    (tmp_path / "k").mkdir()
    SigningKey.create(tmp_path / "k")
    done = checked(exported(home), tmp_path / "k" / "audit.pub")
    assert done.returncode == 1
    assert "this key did not sign the head" in done.stderr
    assert checked(home.site.home.parent / "bundle", Path("no-such-key")).returncode != 0


# -- after the key was changed, and after an erasure ---------------------------------------------


def test_the_first_key_is_enough_after_the_key_was_changed_twice(home: Home) -> None:
    home.audit.rotate(SigningKey.new(), home.site.keys)
    identified(home.audit, "CR/2")
    home.audit.rotate(SigningKey.new(), home.site.keys)
    bundle = exported(home)
    done = checked(bundle, home.site.keys / "audit.pub")
    assert (done.returncode, done.stderr) == (0, "")
    assert "key: changed in entry 11, as the key before it signed" in done.stdout
    first = (bundle / "key-changes" / "001.tlog-proof").read_text()
    (bundle / "key-changes" / "001.tlog-proof").write_text(
        (bundle / "key-changes" / "002.tlog-proof").read_text()
    )
    (bundle / "key-changes" / "002.tlog-proof").write_text(first)
    resummed(bundle)
    assert "does not hold" in checked(bundle, home.site.keys / "audit.pub").stderr


def test_what_was_erased_is_said(home: Home) -> None:
    home.audit.erase([3, 4], "retention")
    text = (exported(home) / "README.txt").read_text()
    assert "2 entries of this log were, when their time was over" in text


# -- foreign text, and what goes wrong -----------------------------------------------------------


def test_foreign_text_is_harmless_in_every_file(home: Home) -> None:
    case = "\x1b[2J<script>alert(1)</script>@@TO@@\u202e;$(touch x)`\n"
    identified(home.audit, case, SUBJECT)
    bundle = export(case, "<b>\x07", home.site.home.parent / "b", home, Silence()).out
    for name in ("README.txt", "README.html", "acts.csv", "SHA256SUMS", "check.sh"):
        text = (bundle / name).read_text()
        assert "<script>" not in text or not name.endswith("html")
        if name != "acts.csv":
            assert not set("\x1b\x07\u202e") & set(text)
    assert checked(bundle, home.site.keys / "audit.pub").returncode == 0


def test_a_case_that_is_not_in_the_log(home: Home) -> None:
    out = home.site.home.parent / "bundle"
    with pytest.raises(UsageProblem, match="no entry of the case"):
        export("CR/99", "x", out, home, Silence())
    assert not out.exists()
    assert log_entries(home)[-1]["error"] == "UsageProblem"
    with pytest.raises(UsageProblem, match="no entry"):  # asking twice does not make it a case
        export("CR/99", "x", out, home, Silence())


def test_a_folder_that_is_there_or_cannot_be_made(home: Home) -> None:
    before = len(log_entries(home))
    with pytest.raises(UsageProblem, match="already"):
        export("CR/2", "x", home.site.home, home, Silence())
    with pytest.raises(ConfigurationError, match="cannot be made"):
        export("CR/2", "x", home.site.home / "no" / "such", home, Silence())
    assert len(log_entries(home)) == before


def test_nothing_is_handed_out_if_the_outcome_cannot_be_written(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fr_cli.operations import disclosure

    real = disclosure._write

    def then_full(*arguments: Any) -> Any:
        written = real(*arguments)
        monkeypatch.setattr(os, "fdatasync", full)
        return written

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disclosure, "_write", then_full)
    out = home.site.home.parent / "bundle"
    with pytest.raises(AuditUnwritable):
        export("CR/2", "x", out, home, Silence())
    assert [path.name for path in out.parent.iterdir()] == ["home"]
