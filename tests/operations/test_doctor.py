"""`fr doctor` and `fr status`: each fault is found, what mends it is named, nothing is written."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fr_cli.errors import FrError
from fr_cli.face import weights
from fr_cli.operations import doctor
from fr_cli.operations.doctor import Check, worst
from fr_cli.operations.status import status
from tests.conftest import ENROLLED, Fr
from tests.operations.test_in_force import put


def looked(fr: Fr, code: int = 0) -> dict[str, dict[str, Any]]:
    """The checks by name; the exit code must be this."""
    done = fr("doctor", "--json")
    assert done.code == code, (done.stdout, done.stderr)
    document = done.document
    assert (document["schema"], document["exit"]) == ("fr/doctor/1", code)
    return {one["name"]: one for one in document["checks"]}


def files(home: Path) -> dict[str, str]:
    """Every file that counts, with its hash."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in home.rglob("*")
        if path.is_file() and path.suffix not in (".db-shm", ".db-wal")
    }


def test_a_home_in_order_has_no_failure_and_is_left_as_it_was(fr: Fr) -> None:
    before = files(fr.home)
    checks = looked(fr)
    assert {one["state"] for one in checks.values()} == {"ok", "warn"}
    assert {name for name, one in checks.items() if one["state"] == "warn"} == {
        "evaluation", "witness",
    }  # fmt: skip
    assert f"{len(ENROLLED)} references of {len(ENROLLED)} people" in checks["gallery"]["what"]
    assert all(one["mend"] for one in checks.values() if one["state"] != "ok")
    assert files(fr.home) == before


def test_what_a_person_reads_names_what_mends(fr: Fr) -> None:
    (fr.home / "keys" / "site.key").chmod(0o644)
    done = fr("doctor")
    assert done.code == 3
    assert f"→ chmod -R go-rwx {fr.home}" in done.stdout
    assert "failed" in done.stdout


def without_weights(fr: Fr) -> None:
    name = weights.catalogue()["YuNet"].file
    data = bytearray(weights.find(weights.catalogue()["YuNet"], [MODELS]).read_bytes())
    data[-1] ^= 1
    (fr.home / "models" / name).write_bytes(data)


def edited_log(fr: Fr) -> None:
    path = fr.home / "audit" / "audit.jsonl"
    *_, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(path.read_bytes()[: -len(last)] + re.sub(rb'"exit":\d+', b'"exit":4', last))


def removed_log(fr: Fr) -> None:
    (fr.home / "audit" / "audit.jsonl").unlink()


def torn_log(fr: Fr) -> None:
    with (fr.home / "audit" / "audit.jsonl").open("ab") as file:
        file.write(b'{"cp":{"ro')


def dead_act(fr: Fr) -> None:
    (fr.home / "audit" / "running").write_text('{"req":"a","offset":0}\n')


def bad_policy(fr: Fr) -> None:
    (fr.home / "policy.yaml").write_text("version: 2\n")


def altered_generation(fr: Fr) -> None:
    (path,) = (fr.home / "gallery" / "generations").glob("*.templates")
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)


def open_home(fr: Fr) -> None:
    fr.home.chmod(0o755)


def lost_key(fr: Fr) -> None:
    (fr.home / "keys" / "site.key").unlink()


def other_key(fr: Fr) -> None:
    other = Fr(fr.home.parent / "other")
    other.json("init")
    shutil.copyfile(other.home / "keys" / "audit.key", fr.home / "keys" / "audit.key")


def foreign_witness(fr: Fr) -> None:
    other = Fr(fr.home.parent / "other")
    other.json("init")
    other("audit", "head", "--out", fr.home / "audit" / "witnessed.note")


def unsigned_witness(fr: Fr) -> None:
    fr("audit", "head", "--out", fr.home.parent / "head.note")
    shutil.copy(fr.home.parent / "head.note", fr.home / "audit" / "witnessed.note")


def no_gallery(fr: Fr) -> None:
    shutil.rmtree(fr.home / "gallery")
    (fr.home / "gallery").mkdir(mode=0o700)


def unfinished_purge(fr: Fr) -> None:
    import sqlite3

    with sqlite3.connect(fr.home / "gallery" / "gallery.db") as db:
        db.execute("UPDATE subjects SET state = 'purging' WHERE pk = 1")
    db.close()


def altered_evaluation(fr: Fr) -> None:
    path = put(fr)
    path.write_bytes(path.read_bytes().replace(b'"references":10000,', b'"references":90000,', 1))


MODELS = Path()


@pytest.mark.parametrize(
    ("fault", "name", "state", "code"),
    [
        (without_weights, "weights", "fail", 50),
        (edited_log, "log", "fail", 31),
        (removed_log, "log", "fail", 30),
        (torn_log, "log", "warn", 0),
        (dead_act, "pending acts", "warn", 0),
        (bad_policy, "policy", "fail", 3),
        (altered_generation, "gallery", "fail", 12),
        (open_home, "modes", "fail", 3),
        (lost_key, "keys", "fail", 3),
        (other_key, "keys", "fail", 31),
        (foreign_witness, "witness", "fail", 31),
        (unsigned_witness, "witness", "warn", 0),
        (no_gallery, "gallery", "warn", 0),
        (unfinished_purge, "gallery", "warn", 0),
        (altered_evaluation, "evaluation", "fail", 3),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_each_fault_is_found(
    fr: Fr,
    models: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[Fr], None],
    name: str,
    state: str,
    code: int,
) -> None:
    monkeypatch.setitem(globals(), "MODELS", models)
    fault(fr)
    before = files(fr.home)
    # Removing the log or a key makes several checks fail: the exit code is the worst one's.
    done = fr("doctor", "--json").document
    check = {one["name"]: one for one in done["checks"]}[name]
    assert (check["state"], check["code"]) == (state, code), check
    assert check["mend"]
    assert done["exit"] == (code if code != 30 else 31)
    assert files(fr.home) == before


@pytest.mark.parametrize(
    ("days", "changes", "state", "said"),
    [
        (90, {}, "ok", "up to 10,000 references, from score 0.60 on"),
        (7, {}, "warn", "In force until "),
        (-1, {}, "warn", "It was in force until "),
        (90, {"fingerprint": "f" * 64}, "warn", "another model: every answer says so"),
    ],
)
def test_how_long_an_evaluation_is_in_force(
    fr: Fr, days: int, changes: dict[str, Any], state: str, said: str
) -> None:
    put(fr, days, **changes)
    check = looked(fr)["evaluation"]
    assert check["state"] == state
    assert said in check["what"]


def test_that_none_is_in_force_is_said_with_what_comes_of_it(fr: Fr) -> None:
    assert looked(fr)["evaluation"]["what"] == "None is in force: every answer says so."
    policy = fr.home / "policy.yaml"
    policy.write_text(policy.read_text().replace("evaluation: warn", "evaluation: refuse"))
    assert "every search is inconclusive" in looked(fr)["evaluation"]["what"]


def test_a_witnessed_head_is_told_with_its_age(fr: Fr) -> None:
    folder = fr.home.parent
    fr("audit", "witness", "--init", folder / "witness", "--name", "a.example/w")
    assert fr("audit", "head", "--out", folder / "head.note").code == 0
    place = fr.home / "audit" / "witnessed.note"
    done = fr(
        "audit", "witness", folder / "head.note", "--dir", folder / "witness",
        "--key", fr.home / "keys" / "audit.pub", "--out", folder / "witnessed.note",
    )  # fmt: skip
    assert done.code == 0, done.stderr
    shutil.copy(folder / "witnessed.note", place)
    fr.json("gallery", "stats")
    check = looked(fr)["witness"]
    assert check["state"] == "ok"
    assert time.strftime("%Y-%m-%d", time.gmtime()) in check["what"]
    assert "2 came since" in check["what"]


def test_a_clock_that_was_set_back(fr: Fr, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 86400)
    check = looked(fr, code=3)["clock"]
    assert check["state"] == "fail"
    assert "timedatectl" in check["mend"]


@pytest.mark.parametrize(("free", "state", "code"), [(2**20, "fail", 30), (2**29, "warn", 0)])
def test_a_disk_that_fills(
    fr: Fr, monkeypatch: pytest.MonkeyPatch, free: int, state: str, code: int
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert looked(fr, code=code)["disk"]["state"] == state


def test_an_index_library_of_another_processor(fr: Fr, monkeypatch: pytest.MonkeyPatch) -> None:
    died: Any = subprocess.CompletedProcess([], -4)
    monkeypatch.setattr(doctor.subprocess, "run", lambda *a, **k: died)  # type: ignore[attr-defined]
    check = looked(fr, code=3)["annoy"]
    assert "--no-binary annoy" in check["mend"]


def test_without_a_calibration(fr: Fr, monkeypatch: pytest.MonkeyPatch) -> None:
    from fr_cli.operations.bench import Bench

    monkeypatch.setattr(Bench, "calibration", None)
    check = looked(fr)["calibration"]
    assert check["state"] == "warn"
    assert "inconclusive" in check["what"]


def test_the_worst_failure_gives_the_code() -> None:
    def failures(*codes: int) -> list[Check]:
        return [Check("x", "fail", "", "", code) for code in codes]

    assert worst([]) == 0
    assert worst([Check("x", "warn", "", "", 0)]) == 0
    assert worst(failures(3, 50)) == 3
    assert worst(failures(50)) == 50
    assert worst(failures(12, 31, 3)) == 31


def test_without_a_home(tmp_path: Path) -> None:
    for command in ("doctor", "status"):
        assert Fr(tmp_path / "none").json(command, code=3)["hint"] == "Make one with: fr init"


# -- status, and `fr` alone ------------------------------------------------------------------


def test_status_counts_and_tells_what_was_done_last(fr: Fr) -> None:
    fr.json("purge", "--subject", "P001", "--yes")
    before = files(fr.home)
    document = fr.json("status")
    assert document["schema"] == "fr/status/1"
    assert (document["subjects"], document["references"]) == (len(ENROLLED) - 1,) * 2
    assert document["entries"] == len(fr.log())
    assert document["newest"] == fr.log()[-1]["t"] == document["last"]["purge"]
    assert document["last"]["enroll"] < document["last"]["purge"]
    assert (document["pending"], document["next"]) == (0, None)
    assert files(fr.home) == before
    assert "4 references of 4 people" in fr("status").stdout


def test_status_of_a_damaged_home_says_what_can_be_said(fr: Fr) -> None:
    (fr.home / "gallery" / "gallery.db").write_bytes(b"no database")
    entries = len(fr.log())
    torn_log(fr)
    document = fr.json("status")
    assert (document["references"], document["entries"]) == (None, entries)


def test_only_the_end_of_a_long_log_is_read(fr: Fr, monkeypatch: pytest.MonkeyPatch) -> None:
    from fr_cli.operations import status as module

    last = (fr.home / "audit" / "audit.jsonl").read_bytes().splitlines(keepends=True)[-1]
    monkeypatch.setattr(module, "SCANNED", len(last) + 10)
    found = status(fr.home)
    assert found.entries == len(fr.log())
    assert found.last.keys() <= {fr.log()[-1]["cmd"]}


def test_fr_alone_says_what_comes_next(
    fr: Fr, fresh: Fr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "fr init" in Fr(tmp_path / "none")().stdout
    assert Fr(tmp_path / "none").json()["next"] == "fr init"
    assert "Next: fr enroll SOURCE" in fresh().stdout
    assert "5 references of 5 people" in fr().stdout
    assert fr.json()["next"] is None
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert "Next: fr models pull YuNet SFace" in fr().stdout


def test_a_check_that_breaks_is_a_failure_and_not_the_end(fr: Fr) -> None:
    class Odd(FrError):
        code = 12

    def breaks(bench: object) -> Check:
        raise Odd("odd", hint="mend it")

    def no_file(bench: object) -> Check:
        raise FileNotFoundError(2, os.strerror(2), "/x")

    from fr_cli.operations.bench import Bench

    with Bench(fr.home) as bench:
        assert doctor._looked("a", breaks, bench) == Check("a", "fail", "odd", "mend it", 12)
        assert doctor._looked("a", no_file, bench).code == 3
