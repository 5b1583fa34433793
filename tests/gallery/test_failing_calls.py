"""Any system call of a change may fail: then nothing is said to be done that is not, nor half done.

strace makes the n-th call of a kind fail in a real process, for every n: SQLite's own too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fr_cli.gallery import gallery as gallery_module

from .conftest import House, Vector, one_each, vectors
from .working import wrong_with

pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed here"
)

#: Each how-many-th call is made to fail; the whole proof is FR_EVERY_CALL=1.
EVERY = int(os.environ.get("FR_EVERY_CALL", "29"))
CALLS = ("pwrite64", "write", "fsync", "fdatasync", "ftruncate", "rename", "unlink")

CHANGE = """
import os, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from fr_cli.gallery import gallery as module
from tests.gallery.conftest import House, purge, store, vectors
module.EXACT_UP_TO = 2
house, change = House(Path({home!r}), new=False), {change!r}
templates = vectors(8)
with house.open() as gallery, gallery.writing():
    if change == "enrol":
        store(gallery, ("s6", "r", templates[6]), ("s7", "r", templates[7]))
    elif change == "purge":
        purge(gallery, "s0", "s5")
    else:
        gallery.rebuild()
print("done", flush=True)
"""


@pytest.fixture
def templates(house: House, monkeypatch: pytest.MonkeyPatch) -> Vector:
    """Six people: four in a generation with an index, two beside it."""
    monkeypatch.setattr(gallery_module, "EXACT_UP_TO", 2)
    vectors_of_eight = vectors(8)
    house.enrol(*one_each(vectors_of_eight)[:4])
    house.rebuild()
    house.enrol(*one_each(vectors_of_eight)[4:6])
    return vectors_of_eight


def changed(home: Path, change: str, *strace: str) -> bool:
    """Make the change in a process under strace; whether it said that it is done."""
    program = CHANGE.format(root=str(Path(__file__).parents[2]), home=str(home), change=change)
    command = ["strace", "-f", *strace, sys.executable, "-B", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout == "done\n"


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
@pytest.mark.parametrize("change", ["enrol", "purge", "rebuild"])
def test_a_call_that_fails_leaves_all_or_nothing(
    house: House, templates: Vector, change: str, error: str, tmp_path: Path
) -> None:
    home = house.site.home
    copy = home.with_name("copy")
    trace = tmp_path / "trace"
    shutil.copytree(home, copy)
    assert changed(copy, change, "-o", str(trace), "-e", "trace=" + ",".join(CALLS))
    calls = [line.split()[1].partition("(")[0] for line in trace.read_text().splitlines()]
    failed = 0
    for call in CALLS:
        for number in range(1 + len(call) % EVERY, calls.count(call) + 1, EVERY):
            shutil.rmtree(copy)
            shutil.copytree(home, copy)
            inject = f"inject={call}:error={error}:when={number}"
            done = changed(copy, change, "-o", str(trace), "-e", f"trace={call}", "-e", inject)
            failed += not done
            after = House(copy, new=False)
            said = [f"+ {n}" for n in range(6)]
            if change == "enrol":
                said += ["+ 6", "+ 7"] if done else ["begin + 6", "begin + 7"]
            if change == "purge":
                said += ["- 0", "- 5"] if done else ["begin - 0", "begin - 5"]
            assert wrong_with(after, said, templates) == [], inject
            # Several go together: both or neither, whatever was said.
            both = {"enrol": (6, 7), "purge": (0, 5)}.get(change, (1, 2))
            there = [after.found(templates[n], 1) == [f"s{n}"] for n in both]
            assert there[0] == there[1], inject
    assert failed
