"""What the console script loads: nothing heavy for its help, no TensorFlow for a search."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import GROUNDS, MATED, Fr, photo

HEAVY = {"numpy", "cv2", "onnxruntime", "deepface", "tensorflow", "pydantic", "cryptography"}
NEVER = {"tensorflow", "keras", "gdown", "requests"}


def script() -> str:
    """The console script beside this Python, else on the path."""
    beside = Path(sys.executable).parent / "fr"
    found = str(beside) if beside.exists() else shutil.which("fr")
    assert found, "the project is not installed: pip install -e ."
    return found


def fr(home: Path, *words: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [script(), *map(str, words)],
        input=stdin,
        capture_output=True,
        env=os.environ | {"FR_HOME": str(home)},
        timeout=120,
        check=False,
    )


def loaded(*words: object) -> set[str]:
    """The top-level modules that a command line leaves in memory."""
    code = (
        "import sys\n"
        "from fr_cli.cli.main import app\n"
        "code = app(sys.argv[1:], standalone_mode=False)\n"
        "assert not code, code\n"
        "print('\\n' + ' '.join({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_help_loads_nothing_heavy() -> None:
    assert loaded("--help") & (HEAVY | NEVER) == set()


@pytest.mark.parametrize("words", [("--version",), ("identify", "--help")])
def test_what_needs_no_home_loads_nothing_heavy(words: tuple[str, ...]) -> None:
    assert loaded(*words) & (HEAVY | NEVER) == set()


def test_a_search_loads_neither_tensorflow_nor_what_downloads(enrolled: Fr) -> None:
    modules = loaded("--home", enrolled.home, "identify", photo(MATED), *GROUNDS)
    assert {"deepface", "onnxruntime"} <= modules
    # Typer loads pydantic to check a number, and for nothing that a usual search is asked with.
    assert modules & (NEVER | {"pydantic"}) == set()


def test_the_console_script_answers_in_one_document(enrolled: Fr) -> None:
    words = ("--json", "identify", "-", *GROUNDS)
    done = fr(enrolled.home, *words, stdin=photo(MATED).read_bytes())
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert json.loads(done.stdout)["candidates"][0]["subject_id"] == MATED
    assert done.stdout.count(b"\n") == 1


def test_the_console_script_exits_with_the_code_of_the_error(enrolled: Fr, tmp_path: Path) -> None:
    for words, code in (
        (("identify", "missing.jpg", *GROUNDS), 20),
        (("identify", photo(MATED, "emotions_sheet"), *GROUNDS), 22),
        (("identify", photo(MATED), "--reason", "test"), 2),
        (("identify", photo(MATED), "--home", tmp_path / "none", *GROUNDS), 3),
    ):
        done = fr(enrolled.home, *words, "--json")
        assert (done.returncode, done.stdout) == (code, b"")
        assert json.loads(done.stderr)["code"] == code
        assert b"\n" not in done.stderr.rstrip(b"\n")


def test_only_what_is_short_puts_off_the_collector(tmp_path: Path) -> None:
    code = (
        "import gc, sys\n"
        "from fr_cli.cli.main import app\n"
        "usual = gc.get_threshold()\n"
        "app(['--home', *sys.argv[1:]], standalone_mode=False)\n"
        "print(gc.get_threshold() == usual)\n"
    )
    for words, kept in ((("status",), "True"), (("verify", "x.jpg", "s", *GROUNDS), "False")):
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path / "none", *words],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stdout.splitlines()[-1:] == [kept], done.stderr


def test_what_is_due_at_the_end_is_done(tmp_path: Path) -> None:
    # The process is not taken apart, and what it printed and promised is out all the same.
    code = (
        "import atexit, pathlib, sys\n"
        "from fr_cli.cli.main import app\n"
        f"atexit.register(pathlib.Path({str(tmp_path)!r}, 'done').write_text, 'yes')\n"
        "sys.stdout.write('before ')\n"
        "class Loud:\n    def __del__(self): print('taken apart')\n"
        "loud = Loud()\n"
        "app(['--home', sys.argv[1], *sys.argv[2:]])\n"
    )
    for words, returned, said in ((("--version",), 0, "before fr "), (("status",), 3, "before ")):
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path / "none", *words],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == returned, done.stderr
        assert done.stdout.startswith(said)
        assert "taken apart" not in done.stdout
        assert (tmp_path / "done").read_text() == "yes"
        (tmp_path / "done").unlink()


def test_a_reader_that_goes_away_is_no_traceback(enrolled: Fr) -> None:
    command = f'"{script()}" --home "{enrolled.home}" policy show | true'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
