"""`fr audit` as it is typed: exit codes, JSON, what is written and what is not, and the pages."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpeople
import pytest
from typer.testing import CliRunner

from fr_cli.audit.log import AuditLog
from fr_cli.cli.main import app
from fr_cli.face import weights
from fr_cli.keys import SigningKey
from fr_cli.operations.bench import Bench
from fr_cli.operations.enroll import Source, enroll
from fr_cli.operations.init import init
from fr_cli.records import Silence
from fr_cli.site import user_home

ROOT = Path(__file__).parents[2]
PEOPLE = Path(openpeople.__file__).parent / "data" / "curated"
PAGES = [
    ROOT / "docs" / "reference" / "audit-log.md",
    *(ROOT / "docs" / "how-to" / f"{name}-the-log.md" for name in ("check", "witness")),
    ROOT / "docs" / "how-to" / "disclose-a-case.md",
]


@dataclass(frozen=True)
class Desk:
    """A folder with a home of two people and a photo of one of them."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def log(self) -> Path:
        return self.home / "audit" / "audit.jsonl"

    @property
    def key(self) -> Path:
        return self.home / "keys" / "audit.pub"

    def __call__(self, *words: object, code: int = 0) -> tuple[str, str]:
        """Run a command line; what it says on both streams."""
        done = CliRunner().invoke(
            app, [str(word) for word in words], env={"FR_HOME": str(self.home)}
        )
        assert done.exit_code == code, (words, done.exit_code, done.stdout, done.stderr)
        return done.stdout, done.stderr

    def json(self, *words: object) -> dict[str, Any]:
        out, err = self(*words, "--json")
        assert (out.count("\n"), err) == (1, "")
        return dict(json.loads(out))

    def error(self, *words: object, code: int) -> dict[str, Any]:
        out, err = self(*words, "--json", code=code)
        assert (out, err.count("\n")) == ("", 1)
        return dict(json.loads(err))

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line)["e"] for line in self.log.read_bytes().splitlines()]


@pytest.fixture(scope="session")
def _desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    weights.pull(weights.needed(), user_home() / "models", listener=Silence())
    folder = tmp_path_factory.mktemp("audit-desk")
    for person in ("P001", "P003"):
        (folder / "photos" / person).mkdir(parents=True)
        portrait = PEOPLE / person / "assets" / "studio_portrait.jpg"
        shutil.copyfile(portrait, folder / "photos" / person / "portrait.jpg")
    shutil.copyfile(PEOPLE / "P003" / "assets" / "amateur_selfie.jpg", folder / "street.jpg")
    init(folder / "home")
    with Bench(folder / "home") as bench:
        enroll(Source(folder / "photos", workers=1), bench, Silence())
    return folder


@pytest.fixture
def desk(_desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    shutil.copytree(_desk, tmp_path / "desk")
    monkeypatch.chdir(tmp_path / "desk")
    return Desk(tmp_path / "desk")


GROUNDS = ("--case", "CR/26/1", "--reason", "test")


# -- what writes nothing, and what is an act -------------------------------------------------------


def test_verify_head_prove_and_check_write_nothing_even_beside_the_log(desk: Desk) -> None:
    desk("audit", "head", "--out", "head.note")
    before = {path: path.stat().st_mtime_ns for path in desk.home.rglob("*")}
    for path in desk.log.parent.iterdir():
        path.chmod(0o400) if path.is_file() else None
    desk("audit", "verify", "--full")
    desk("audit", "head")
    desk("audit", "prove", "1", "--out", "proof")
    desk("audit", "prove", "--from", "2")
    desk("audit", "check-proof", "proof")
    desk("audit", "verify", "--witnessed", "head.note")
    assert {path: path.stat().st_mtime_ns for path in desk.home.rglob("*")} == before


def test_show_export_and_extract_leave_an_intent_and_an_outcome(desk: Desk) -> None:
    desk("identify", "street.jpg", *GROUNDS)
    for words, kind in (
        (("audit", "show"), "consultation"),
        (("audit", "extract"), "consultation"),
        (("audit", "extract", "--to", "ICO"), "disclosure"),
        (("audit", "export", "--case", "CR/26/1", "--to", "x", "--out", "b"), "disclosure"),
    ):
        desk(*words)
        intent, outcome = desk.entries()[-2:]
        assert (intent["cmd"], intent["act"]) == (" ".join(words[:2]), kind)
        assert (intent["ph"], outcome["ph"], outcome["exit"]) == ("intent", "outcome", 0)
    desk("audit", "verify", "--full")


def test_what_cannot_be_logged_is_not_shown(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdatasync", full)
    for words in (("show",), ("extract",), ("export", "--case", "x", "--to", "x", "--out", "b")):
        out, _ = desk("audit", *words, code=30)
        assert out == ""
    assert not Path("b").exists()


@pytest.mark.parametrize(
    "words", [("show",), ("extract",), ("prove", "1"), ("prove", "--from", "2")]
)
def test_nothing_of_a_changed_log_is_shown_or_proven(words: tuple[str, ...], desk: Desk) -> None:
    desk("gallery", "stats")
    desk.log.write_bytes(desk.log.read_bytes().replace(b'"lines":2', b'"lines":3'))
    out, _ = desk("audit", *words, code=31)
    assert out == ""


# -- heads and proofs ------------------------------------------------------------------------------


def test_the_head_on_standard_output_is_the_note_byte_by_byte(desk: Desk) -> None:
    out, _ = desk("audit", "head")
    desk("audit", "head", "--out", "head.note")
    assert Path("head.note").read_text() == out
    document = desk.json("audit", "head")
    assert document["note"] == out
    assert out.splitlines()[:3] == [document["origin"], str(document["size"]), document["root"]]
    assert document["size"] == len(desk.entries())


def test_an_entry_is_proven_by_its_number_or_by_the_id_of_its_act(desk: Desk) -> None:
    search = desk.json("identify", "street.jpg", *GROUNDS)["search_id"]
    last = desk.entries()[-1]
    by_id = desk.json("audit", "prove", search)
    by_number = desk.json("audit", "prove", last["seq"])
    assert by_id == by_number
    assert (by_id["kind"], by_id["index"]) == ("inclusion", last["seq"])
    Path("proof").write_text(by_id["proof"])
    document = desk.json("audit", "check-proof", "proof", "--key", desk.key)
    assert document["holds"] is True
    assert document["entry"] == last
    out, _ = desk("audit", "prove", search)
    assert out == by_id["proof"]


def test_a_proof_needs_neither_home_nor_log(desk: Desk, tmp_path: Path) -> None:
    desk("audit", "prove", "2", "--out", tmp_path / "proof")
    shutil.copy(desk.key, tmp_path / "audit.pub")
    shutil.rmtree(desk.home)
    desk("audit", "check-proof", tmp_path / "proof", "--key", tmp_path / "audit.pub")
    (tmp_path / "k").mkdir()
    SigningKey.create(tmp_path / "k")
    error = desk.error(
        "audit", "check-proof", tmp_path / "proof", "--key", tmp_path / "k" / "audit.pub", code=31
    )
    assert (error["error"], "not signed by the key" in error["message"]) == ("AuditBroken", True)


def test_growth_is_proven_and_checked_against_the_head_that_was_kept(desk: Desk) -> None:
    desk("audit", "head", "--out", "old.note")
    size = len(desk.entries())
    desk("gallery", "stats")
    desk("audit", "prove", "--from", size, "--out", "growth")
    document = desk.json("audit", "check-proof", "growth", "--head", "old.note")
    assert (document["kind"], document["old"], document["size"]) == ("consistency", size, size + 2)
    assert "--head FILE" in desk.error("audit", "check-proof", "growth", code=2)["hint"]
    desk("gallery", "stats")
    desk("audit", "head", "--out", "new.note")
    error = desk.error("audit", "check-proof", "new.note", "--head", "old.note", code=2)
    assert error["hint"].endswith(f"fr audit prove --from {size} --to {size + 4}")
    desk("audit", "prove", "--from", size, "--to", size + 4, "--out", "longer")
    assert Path("longer").read_text().endswith(Path("new.note").read_text())
    desk("audit", "check-proof", "longer", "--head", "old.note")
    Path("growth").write_text(Path("growth").read_text().replace(f"old {size}", f"old {size - 1}"))
    desk("audit", "check-proof", "growth", "--head", "old.note", code=2)


@pytest.mark.parametrize(
    "words",
    [
        ("prove",), ("prove", "1", "--from", "2"), ("prove", "999"), ("prove", "x"),
        ("prove", "f" * 32), ("prove", "--from", "999"), ("prove", "1", "--to", "999"),
        ("check-proof", "no-such-file"), ("show", "--since", "soon"), ("show", "--search", "x"),
        ("show", "--subject", "nobody"), ("witness",), ("witness", "street.jpg"),
        ("verify", "--log", "street.jpg"), ("extract", "--until", "soon"),
        ("export", "--case", "nope", "--to", "x", "--out", "b"),
        ("export", "--case", "x", "--to", "x", "--out", "home"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_exit_2_and_says_what_to_do(
    words: tuple[str, ...], desk: Desk
) -> None:
    error = desk.error("audit", *words, code=2)
    assert error["hint"] or words[0] == "check-proof"


def test_a_file_that_cannot_be_written_is_exit_3(desk: Desk) -> None:
    for words in (("head",), ("prove", "1"), ("extract",)):
        assert desk.error("audit", *words, "--out", "no/such/folder", code=3)["hint"]


def test_an_unreadable_log_and_a_file_that_is_no_proof_are_exit_31(desk: Desk) -> None:
    desk("audit", "check-proof", "street.jpg", code=31)
    desk("audit", "verify", "--witnessed", "street.jpg", code=31)
    desk.log.unlink()
    desk("audit", "head", code=31)
    desk("audit", "verify", code=31)


# -- the witness -----------------------------------------------------------------------------------


def test_a_witness_signs_growth_and_verify_believes_it(desk: Desk) -> None:
    made = desk.json("audit", "witness", "--init", "w", "--name", "psd.example/w1")
    assert made["vkey"] == Path("w/witness.vkey").read_text().strip()
    common = ("--dir", "w", "--key", desk.key)
    desk("audit", "head", "--out", "head")
    first = desk.json("audit", "witness", "head", *common, "--out", "one.note")
    assert first["previous"] is None
    desk("gallery", "stats")
    desk("audit", "prove", "--from", first["size"], "--out", "growth")
    second = desk.json("audit", "witness", "growth", *common, "--out", "two.note")
    assert second["previous"] == {"size": first["size"], "root": first["root"]}
    desk("gallery", "stats")
    seen = desk.json(
        "audit", "verify", "--witnessed", "two.note", "--witnessed", "one.note",
        "--witness-key", "w/witness.vkey",
    )["witnessed"]  # fmt: skip
    assert [one["size"] for one in seen] == [second["size"], first["size"]]
    assert all(list(one["witnesses"]) == ["psd.example/w1"] for one in seen)


def test_a_log_that_was_cut_is_found_by_its_witness_and_by_verify(desk: Desk) -> None:
    desk("audit", "witness", "--init", "w")
    whole = desk.log.read_bytes()
    desk("gallery", "stats")
    desk("audit", "head", "--out", "head")
    common = ("--dir", "w", "--key", desk.key)
    desk("audit", "witness", "head", *common, "--out", "kept.note")
    size = len(desk.entries())
    desk.log.write_bytes(whole)
    (desk.log.parent / "frontier.json").unlink()
    assert (
        "it was cut"
        in desk.error("audit", "verify", "--witnessed", "kept.note", code=31)["message"]
    )
    desk("gallery", "check")  # it goes on, and is as long as before
    desk("gallery", "check")
    desk("audit", "verify", "--full")
    for full in ((), ("--full",)):
        error = desk.error("audit", "verify", *full, "--witnessed", "kept.note", code=31)
        assert "witnessed head" in error["message"]
    desk("audit", "prove", "--from", size, "--out", "growth")
    error = desk.error("audit", "witness", "growth", *common, code=31)
    assert error["error"] == "Fork"
    assert error["message"].count("root ") == 2


def test_a_smaller_witnessed_head_is_compared_as_well(desk: Desk, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(desk.home, copy)
    with AuditLog(copy / "audit", SigningKey.load(copy / "keys"), _origin(desk)).act(
        "x", "erasure"
    ):
        pass
    desk("--home", copy, "audit", "head", "--out", "other.note")
    desk("gallery", "stats")
    desk("gallery", "stats")
    desk("audit", "head", "--out", "head.note")
    words = ("audit", "verify", "--witnessed", "head.note", "--witnessed", "other.note")
    assert "two histories" in desk.error(*words, code=31)["message"]


def _origin(desk: Desk) -> str:
    return str(desk.entries()[0]["origin"])


def test_a_head_that_no_witness_signed_or_of_another_log(desk: Desk, tmp_path: Path) -> None:
    desk("audit", "witness", "--init", "w")
    desk("audit", "head", "--out", "head")
    words = ("audit", "verify", "--witnessed", "head")
    desk(*words)
    assert (
        "none of these" in desk.error(*words, "--witness-key", "w/witness.vkey", code=31)["message"]
    )
    desk(*words, "--witness-key", "head", code=3)
    init(tmp_path / "other")
    desk("--home", tmp_path / "other", "audit", "head", "--out", "theirs")
    error = desk.error("audit", "verify", "--witnessed", "theirs", code=31)
    assert "another log" in error["message"]
    desk("audit", "witness", "theirs", "--dir", "w", "--key", desk.key, code=31)
    desk("audit", "witness", "head", "--dir", "photos", "--key", desk.key, code=3)


def test_a_witness_who_was_forgotten(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk("audit", "witness", "--init", "w")
    desk("audit", "head", "--out", "head")
    words = ("audit", "verify", "--max-age", "24", "--witnessed", "kept", "--witness-key")
    with monkeypatch.context() as earlier:
        earlier.setattr("time.time", lambda: 1_700_000_000.0)
        desk("audit", "witness", "head", "--dir", "w", "--key", desk.key, "--out", "kept")
        desk(*words, "w/witness.vkey")
    assert "hours old" in desk.error(*words, "w/witness.vkey", code=31)["message"]
    desk("audit", "verify", "--max-age", "24", "--witnessed", "kept", code=2)


def test_the_proof_of_an_entry_may_be_held_against_a_head_that_was_kept(desk: Desk) -> None:
    desk("audit", "head", "--out", "head")
    desk("audit", "prove", "1", "--out", "proof")
    desk("audit", "check-proof", "proof", "--head", "head")
    desk("gallery", "stats")
    desk("audit", "prove", "1", "--out", "later")
    desk("audit", "check-proof", "later", "--head", "head", code=2)


# -- after the key was changed ---------------------------------------------------------------------


def test_the_first_key_and_the_proof_of_the_change_are_enough(desk: Desk) -> None:
    desk("audit", "witness", "--init", "w")
    before = len(desk.entries())
    keys = desk.home / "keys"
    AuditLog(desk.log.parent, SigningKey.load(keys), _origin(desk)).rotate(SigningKey.new(), keys)
    desk("gallery", "stats")
    desk("audit", "verify", "--full")
    desk("audit", "show")
    desk("audit", "head", "--out", "head")
    desk("audit", "prove", before, "--to", before + 1, "--out", "change")
    desk("audit", "prove", "1", "--out", "proof")
    for words in (("check-proof", "proof"), ("witness", "head", "--dir", "w")):
        assert "--key-change" in desk.error("audit", *words, "--key", desk.key, code=31)["hint"]
        desk("audit", *words, "--key", desk.key, "--key-change", "change")
    for bad in ("proof", "head"):
        desk("audit", "check-proof", "proof", "--key-change", bad, code=31)
    desk("audit", "prove", "0", "--to", "1", "--out", "genesis")
    desk("audit", "check-proof", "proof", "--key-change", "genesis", code=31)


# -- show and extract ------------------------------------------------------------------------------


def test_show_finds_a_subject_by_the_id_of_the_feed_while_it_is_there(desk: Desk) -> None:
    search = desk.json("identify", "street.jpg", *GROUNDS)["search_id"]
    shown = desk.json("audit", "show", "--subject", "P003")
    assert [one["command"] for one in shown["acts"]] == ["enroll", "identify"]
    assert shown["acts"][1]["id"] == search
    assert b'"P003' not in desk.log.read_bytes()
    uid = shown["acts"][1]["decision"]["candidates"][0]["subject"]
    desk("purge", "--subject", "P003", "--yes")
    desk("audit", "show", "--subject", "P003", code=2)
    shown = desk.json("audit", "show", "--subject", uid)
    assert {"identify", "purge"} <= {one["command"] for one in shown["acts"]}


def test_show_for_people(desk: Desk) -> None:
    with Bench(desk.home) as bench:
        why = {"case": "CR/26/\x1b[31m\u202e", "reason": "test"}
        with bench.audit.act("identify", "consultation", why=why) as act:
            act.decide(outcome="candidates")
    out, _ = desk("audit", "show", "--command", "identify")
    header, line, foot = out.splitlines()
    assert header.split() == [
        "Entries",
        "Start",
        "(UTC)",
        "Operator",
        "Command",
        "Case",
        "Reason",
        "Result",
    ]
    assert "candidates" in line
    assert not {"\x1b", "\u202e"} & set(out)
    assert foot.startswith("Of ")
    assert "No act of that kind." in desk("audit", "show", "--case", "none")[0]
    assert "older ones are left out" in desk("audit", "show", "--limit", "1")[0]


def test_extract_as_csv_and_as_json_agree(desk: Desk) -> None:
    search = desk.json("identify", "street.jpg", *GROUNDS)["search_id"]
    desk("audit", "extract", "--out", "acts.csv")
    header, *lines = Path("acts.csv").read_text().splitlines()
    rows = desk.json("audit", "extract")["acts"]
    assert header.split(",") == list(rows[0])
    assert len(rows) == len(lines) + 1  # the extract before
    found = next(one for one in rows if one["act"] == search)
    assert found["matched_input"] == search
    assert found["reference_database"].endswith("2 references")
    assert desk("audit", "extract", "--until", "2001-01-01")[0].splitlines() == [header]


def test_the_log_itself_is_checked_by_the_program_alone_with_its_key(
    desk: Desk, tmp_path: Path
) -> None:
    shutil.copy(desk.log, tmp_path)
    shutil.copy(desk.key, tmp_path)
    shutil.rmtree(desk.home)
    outside = ("--log", tmp_path / "audit.jsonl", "--key", tmp_path / "audit.pub")
    for words in (("verify", "--full"), ("head",), ("prove", "0"), ("prove", "--from", "1")):
        desk("audit", *words, *outside)


# -- the pages -------------------------------------------------------------------------------------


@dataclass
class Step:
    """A command of a page, and what the page says it prints."""

    line: int
    command: str
    output: list[str]
    code: int = 0


def steps(page: Path) -> Iterator[Step]:
    text = page.read_text(encoding="utf-8")
    for block in re.finditer(r"^```console\n(.*?)^```$", text, re.M | re.S):
        found: list[Step] = []
        asked = False
        for line in block[1].splitlines():
            if line == "$ echo $?":
                asked = True
            elif line.startswith("$ "):
                found.append(Step(text.count("\n", 0, block.start()) + 2, line[2:], []))
            elif asked:
                found[-1].code, asked = int(line), False
            else:
                found[-1].output.append(line)
        yield from found


def pattern(lines: list[str]) -> str:
    """`…` stands for anything within a line, and alone for any number of lines."""
    parts = (
        r"(?:.*\n)*?" if line == "…" else r".*".join(map(re.escape, line.split("…"))) + r" *\n"
        for line in lines
    )
    return "".join(parts)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_shows_happens(page: Path, desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin" / "fr"
    shim.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from fr_cli.cli.main import app\napp()\n"
    )
    shim.chmod(0o755)
    path = f"{shim.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "FR_HOME": str(desk.home), "PATH": path}
    script = re.search(r"^```bash\n(.*?)^```$", page.read_text(), re.M | re.S)
    if script:
        Path("check-log.sh").write_text(script[1])
    ran = 0
    for step in steps(page):
        if step.command.startswith("fr ") and not set("|<>;&$*'\"`") & set(step.command):
            done = CliRunner().invoke(app, shlex.split(step.command)[1:], env=environment)
            code, output = done.exit_code, done.stdout + done.stderr
        else:
            shell = subprocess.run(
                ["bash", "-c", step.command], env=environment, capture_output=True, text=True,
                check=False, timeout=60,
            )  # fmt: skip
            code, output = shell.returncode, shell.stdout + shell.stderr
        where = f"{page.name}:{step.line}: {step.command}\n{output}"
        assert code == step.code, where
        assert not step.output or re.fullmatch(pattern(step.output), output), where
        ran += 1
    assert ran >= 8


def test_the_python_of_the_page_compares_a_head_that_was_kept(desk: Desk) -> None:
    page = (ROOT / "docs" / "how-to" / "check-the-log.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    root = json.loads(desk.log.read_bytes().splitlines()[1])["cp"]["root"]
    exec(program.replace("…the root that you kept…", root), {})
    from fr_cli.errors import AuditBroken

    with pytest.raises(AuditBroken, match="witnessed"):
        exec(program, {})
