"""What the pages say is so: links, help texts, every command, and every JSON field."""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.conftest import Fr
from tests.docs import console

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GUIDES = [DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md"))]
SHOWING = [page for page in [*GUIDES, DOCS / "reference" / "exit-codes.md"] if console.steps(page)]
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
LINK = re.compile(r"\[[^\]\n]*(?:\n[^\]\n]*)?\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def _generator() -> ModuleType:
    before = dict(os.environ)
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    finally:  # it fixes the terminal of its own process
        os.environ.clear()
        os.environ.update(before)
    return module


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("colour", ["1", ""])
def test_what_is_generated_is_up_to_date(colour: str) -> None:
    environment = {**os.environ, "FORCE_COLOR": colour, "COLUMNS": "40", "TERM": "xterm-256color"}
    done = subprocess.run(
        [sys.executable, str(DOCS / "generate.py"), "--check"],
        capture_output=True, text=True, env=environment, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_two_kinds_of_error_share_a_code() -> None:
    assert _generator().duplicate_codes() == {}


def test_every_command_is_mentioned_in_prose() -> None:
    prose = ""
    for page in GUIDES + list((DOCS / "reference").glob("*.md")):
        prose += _generator_free(page.read_text(encoding="utf-8"))
    missing = [name for name in _generator().commands() if f"fr {name}" not in prose]
    assert missing == []


def _generator_free(text: str) -> str:
    return re.sub(r"<!-- generated: .*?<!-- end of generated -->", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_relative_links_resolve(page: Path) -> None:
    broken = []
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        there = file.is_relative_to(ROOT) and file.exists()
        if not there or (anchor and anchor not in _anchors(file)):
            broken.append(target)
    assert broken == []


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_index() -> None:
    linked = set(LINK.findall((DOCS / "README.md").read_text(encoding="utf-8")))
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"README.md"}
    assert pages - linked == set()


@pytest.mark.parametrize("page", SHOWING, ids=_name)
def test_what_a_page_shows_happens(page: Path, desk: Path) -> None:
    environment = {"FR_HOME": str(desk / "home")}
    if page.name == "tutorial.md":  # which makes its home itself
        shutil.rmtree(desk / "home")
    script = re.search(r"^```bash\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    if script:
        (desk / "check-log.sh").write_text(script[1])
    for step in console.steps(page):
        code, output = console.run(step, desk, environment)
        shown = not step.output or console.pattern(step.output).fullmatch(output)
        if code != step.code or not shown:
            pytest.fail(
                f"{_name(page)}:{step.line}: {step.command}\nexit {code}, {step.code} is due\n"
                f"{output}\nthe page shows:\n" + "\n".join(step.output),
                pytrace=False,
            )


@pytest.mark.parametrize("page", [DOCS / "how-to" / "library.md"], ids=_name)
def test_the_python_of_a_page_runs(page: Path, desk: Path) -> None:
    for program in re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.M | re.S):
        exec(compile(program, str(page), "exec"), {"__name__": "reader"})


def test_a_head_that_was_kept_is_compared_as_the_page_says(desk: Path) -> None:
    page = (DOCS / "how-to" / "check-the-log.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    second = (desk / "home" / "audit" / "audit.jsonl").read_text().splitlines()[1]
    root = re.search(r'"root":"([^"]+)"', second)
    assert root is not None
    exec(program.replace("…the root that you kept…", root[1]), {})
    from fr_cli.errors import AuditBroken

    with pytest.raises(AuditBroken, match="witnessed"):
        exec(program, {})


def test_a_draw_is_repeated_with_the_program_of_the_page(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (DOCS / "how-to" / "dip-sampling.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    seed = re.search(r'seed = b"([^"]+)"', program)
    assert seed is not None
    drawn = Fr(desk / "home").json(
        "sample", "draw", "--size", "4", "--seed", seed[1], "--out", desk / "review"
    )
    assert len(drawn["strata"]) == 1
    exec(program, {})
    rows = (desk / "review" / "findings.csv").read_text().splitlines()[1:]
    assert str([row.split(",")[2] for row in rows]) in capsys.readouterr().out


def test_the_lfw_manifest_is_laid_out_as_the_page_says(desk: Path, tmp_path: Path) -> None:
    for person in ("P001", "P002", "P003", "P004"):
        (desk / "lfw" / person).mkdir(parents=True)
        for number in range(1, 3 if person == "P001" else 2):
            (desk / "lfw" / person / f"{person}_{number:04d}.jpg").touch()
    page = (DOCS / "how-to" / "evaluate.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    exec(program, {})
    rows = [line.split(",") for line in (desk / "lfw.csv").read_text().splitlines()[1:]]
    assert [(Path(image).name, role) for image, _, role in rows] == [
        ("P001_0001.jpg", "reference"),
        ("P001_0002.jpg", "probe"),
        ("P002_0001.jpg", "probe"),
        ("P003_0001.jpg", "reference"),
        ("P004_0001.jpg", "probe"),
    ]


#: Fields whose names come from the data, not from the program.
_BY_NAME = {
    "measures",
    "watchlists",
    "sources",
    "quality",
    "group",
    "result",
    "timing_ms",
    "rules",
    "floors",
    "last",
    "weights",
    "provenance",
    "what",
    "roles",
    "origins",
}


def _fields(value: Any, under: str = "") -> set[str]:
    if isinstance(value, list):
        return set().union(*(_fields(one) for one in value))
    if not isinstance(value, dict):
        return set()
    if under in _BY_NAME:
        return set()
    names = set() if under == "reasons" else set(value)
    return names.union(*(_fields(one, name) for name, one in value.items()))


def _pending(fr: Fr) -> str:
    """The id of a search with candidates."""
    return str(next(one["req"] for one in reversed(fr.log()) if one["cmd"] == "identify"))


def _decided(fr: Fr) -> dict[str, Any]:
    return fr.json("decide", _pending(fr), "--reject-all", "--reason", "nose differs")


def _of_two_people(fr: Fr, desk: Path) -> list[dict[str, Any]]:
    """The documents of asking, approving and overriding, in a home where a purge takes two."""
    for name in ("alice", "bob"):
        subprocess.run(["ssh-keygen", "-q", "-N", "", "-f", desk / name], check=True)
    said = yaml.safe_load((fr.home / "policy.yaml").read_text())
    said["operators"] = {
        name: {"roles": [role], "key": " ".join((desk / f"{key}.pub").read_text().split()[:2])}
        for name, role, key in (
            (pwd.getpwuid(os.getuid()).pw_name, "gallery-manager", "alice"),
            ("bob", "reviewer", "bob"),
        )
    }
    said["approvals"] = {"acts": ["purge"]}
    (desk / "new.yaml").write_text(yaml.safe_dump(said))
    put = fr.json("policy", "put", desk / "new.yaml")
    request = desk / "request.json"
    asked = fr.json("purge", "--subject", "P001", "--request", request)
    approved = fr.json("approve", request, "--key", desk / "bob", "--yes")
    fr.json("purge", "--subject", "P001", "--yes", "--override", "order 7")
    status = fr.json("status")
    (waiting,) = status["overrides"]
    after = fr.json("approve", "--override", waiting["act"], "--key", desk / "bob", "--yes")
    return [put, asked, approved, status, after]


def test_every_json_field_is_explained(desk: Path) -> None:
    fr = Fr(desk / "home")
    photo = desk / "street.jpg"
    grounds = ("--case", "1", "--reason", "test")
    charter = ("--purpose", "p", "--authorised-by", "insp", "--expires", "9999-12-31")
    put = ("--subject", "P001", "--reason", "r")
    drawn = fr.json("sample", "draw", "--size", "9", "--out", desk / "review")
    findings = desk / "review" / "findings.csv"
    findings.write_text(findings.read_text().replace(",,", ",correct,"))
    documents = [
        drawn,
        fr.json("sample", "record", findings),
        fr.json("sample", "result", drawn["sample"]),
        fr.json("sample", "search", drawn["sample"]),
        fr.json("sample", "size", "--precision", "0.02"),
        fr.json("watchlist", "create", "w", *charter),
        fr.json("watchlist", "add", "w", *put),
        fr.json("watchlist", "show", "w"),
        fr.json("watchlist", "list"),
        fr.json("watchlist", "remove", "w", *put),
        fr.json("watchlist", "close", "w", "--yes"),
        Fr(desk / "other").json("init"),
        fr.json("identify", photo, *grounds),
        fr.json("verify", photo, "P003", *grounds),
        fr("enroll", desk / "feed.csv", "--json").document,
        fr.json("evaluate", desk / "labelled" / "labels.csv", "--group-by", "camera"),
        fr(
            "evaluate",
            desk / "labelled" / "labels.csv",
            "--require",
            desk / "targets.yaml",
            "--record",
            desk / "a.json",
            "--json",
        ).document,
        fr.json("evaluate", "--compare", desk / "a.json", desk / "a.json"),
        fr.json("report", "--drift"),
        fr.json("decide", "--pending"),
        _decided(fr),
        fr.json("outcome", _pending(fr), "arrest", "--reason", "record"),
        fr.json("report"),
        fr.json("report", "--subject", "P003", "--to", "P003"),
        fr.json("gallery", "stats"),
        fr.json("gallery", "check"),
        fr.json("gallery", "rebuild"),
        fr.json("gallery", "backup", desk / "a.backup"),
        fr.json("gallery", "backup", "--expire"),
        fr.json("gallery", "restore", desk / "a.backup", "--yes"),
        fr.json("gallery", "accept", "--yes"),
        fr.json("status"),
        fr.json("doctor"),
        fr.json("models", "list"),
        fr.json("models", "check"),
        fr.json("policy", "show"),
        fr.json("policy", "check"),
        fr.json("purge", "--expired", "--dry-run"),
        fr.json("purge", "--subject", "P003", "--yes"),
        fr.json("purge", "--lift", "P003", "--yes"),
        fr.json("audit", "verify"),
        *_of_two_people(fr, desk),
    ]
    page = (DOCS / "reference" / "json.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (fr/\S+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    shared = sections["fr/identify/1"]
    unexplained = [
        f"{document['schema']}: {name}"
        for document in documents
        for name in _fields(document) - {"schema"}
        if not re.search(rf"\b{re.escape(name)}\b", sections[document["schema"]])
        and not (document["schema"] == "fr/verify/1" and re.search(rf"\b{name}\b", shared))
        and name not in ("size", "root")
    ]
    assert unexplained == []
