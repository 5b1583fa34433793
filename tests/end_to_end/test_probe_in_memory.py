"""The probe never touches the disk, and nothing leaves the machine: shown by the system calls.

A whole `fr identify` runs under strace, in every kind of outcome. What it opens for writing is a
closed list; what it writes there holds neither the photo nor the template, in any form.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fr_cli.face.pipeline import FacePipeline
from fr_cli.face.weights import catalogue
from tests.conftest import GROUNDS, MATED, STRANGER, Fr, jpeg, small
from tests.gallery.test_purge import forms

pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed here"
)

FR = "from fr_cli.cli.main import app; app()"
#: Calls by which bytes or names get into a file system, or bytes to another machine.
CALLS = (
    "open,openat,openat2,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,"
    "mkdirat,mknod,mknodat,truncate,write,pwrite64,writev,pwritev,pwritev2,sendfile,splice,"
    "copy_file_range,mmap,socket,io_uring_setup"
)
#: What a search writes: its entries, policy and calibration by their SHA-256 when they are new, and
#: the database's own bookkeeping of readers.
ALLOWED = re.compile(
    r"audit/(audit\.jsonl|frontier\.json|running)"
    r"|audit/in-force(/[0-9a-f]{64}(\.[0-9a-f]{8}\.new)?)?"
    r"|gallery/gallery\.db(-wal|-shm)?"
)


@dataclass
class Trace:
    """What a command did to files and sockets."""

    written: dict[str, bytearray] = field(default_factory=lambda: defaultdict(bytearray))
    named: set[str] = field(default_factory=set)
    mapped: set[str] = field(default_factory=set)
    sockets: set[str] = field(default_factory=set)
    code: int = 0


def traced(arguments: list[str], folder: Path, home: Path, stdin: bytes = b"") -> Trace:
    """Run python with these arguments under strace; its account's folders are empty ones."""
    account = folder / "account"
    account.mkdir()
    environment = os.environ | {
        "FR_HOME": str(home),
        "HOME": str(account),
        "TMPDIR": str(account),
        "PYTHONDONTWRITEBYTECODE": "1",  # the interpreter's own files
    }
    environment.setdefault("XDG_DATA_HOME", str(Path.home() / ".local" / "share"))
    environment.pop("XDG_CACHE_HOME", None)
    output = folder / "trace"
    done = subprocess.run(
        ["strace", "-f", "-y", "-xx", "-s", "9999999", "-e", f"trace={CALLS}", "-e", "signal=none",
         "-o", output, sys.executable, *arguments],
        input=stdin, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert list(account.iterdir()) == []
    trace = read_trace(output.read_text())
    trace.code = done.returncode
    return trace


def plain(text: str) -> str:
    """A path as strace writes it with -xx."""
    return bytes(int(pair, 16) for pair in re.findall(r"\\x([0-9a-f]{2})", text)).decode()


def read_trace(text: str) -> Trace:
    trace = Trace()
    # A call that another thread interrupts stands in two lines.
    unfinished: dict[str, str] = {}
    for line in text.splitlines():
        pid, _, call = line.partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>"):
            unfinished[pid] = call.removesuffix("<unfinished ...>")
            continue
        if resumed := re.match(r"<\.\.\. \w+ resumed>(.*)", call):
            call = unfinished.pop(pid, "") + resumed[1]
        name = call.partition("(")[0]
        if re.search(r"= -1 E\w+ \(.*\)$", call):
            continue
        if name == "socket":
            trace.sockets.add(call.partition("(")[2].partition(",")[0])
        elif name in ("open", "openat", "openat2", "creat"):
            if name == "creat" or re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", call):
                trace.named.add(plain(re.findall(r"<([^<>]*)>$", call)[-1]))
        elif name in ("write", "pwrite64", "writev", "pwritev", "pwritev2"):
            if to := re.match(r"\w+\(\d+<((?:\\x[0-9a-f]{2})*)>", call):
                path = plain(to[1])
                # Each writing apart: joined they could show what no file holds.
                for data in re.findall(r'"((?:\\x[0-9a-f]{2})*)"', call):
                    trace.written[path] += bytes.fromhex(data.replace("\\x", "")) + b"\0\xff"
        elif name == "mmap":
            if "PROT_WRITE" in call and "MAP_SHARED" in call:
                mapped = re.search(r"MAP_SHARED\S*, \d+<([^>]*)>", call)
                trace.mapped.add(plain(mapped[1]) if mapped else "memory")
        elif name in ("sendfile", "splice", "copy_file_range", "io_uring_setup", "truncate"):
            trace.named.add(call)
        else:  # rename, link, mkdir …
            trace.named.update(plain(one) for one in re.findall(r'"([^"]*)"', call))
    return trace


def photo_forms(photo: bytes) -> list[bytes]:
    """Parts of the photo's bytes as they are and in text."""
    found = []
    for start in range(200, len(photo) - 48, max(48, len(photo) // 40)):
        part = photo[start : start + 36]
        found += [part, part.hex().encode(), base64.b64encode(part[:33])]
    return found


def assert_only_in_memory(trace: Trace, home: Path, secrets: list[bytes]) -> None:
    inside = str(home.resolve()) + "/"
    for path in trace.named | set(trace.written) | trace.mapped:
        if path == "/dev/null" or re.match(r"(pipe|socket|anon_inode|UNIX)", path):
            continue
        assert path.startswith(inside), path
        assert ALLOWED.fullmatch(path.removeprefix(inside)), path
    assert trace.mapped <= {inside + "gallery/gallery.db-shm"}
    assert trace.sockets <= {"AF_UNIX"}
    for path, data in trace.written.items():
        if path.startswith("/") and path != "/dev/null":
            assert not any(secret in data for secret in secrets), path


def test_the_trace_shows_a_probe_that_is_written(tmp_path: Path) -> None:
    """The control: a program that leaves the photo behind is found out."""
    photo = jpeg(small(MATED, longest=200))
    (tmp_path / "photo.jpg").write_bytes(photo)
    (tmp_path / "home" / "audit").mkdir(parents=True)
    leak = tmp_path / "home" / "audit" / "audit.jsonl"
    program = f"open({str(leak)!r}, 'wb').write(open({str(tmp_path / 'photo.jpg')!r}, 'rb').read())"
    trace = traced(["-c", program], tmp_path, tmp_path / "home")
    assert bytes(trace.written[str(leak)]) == photo + b"\0\xff"
    with pytest.raises(AssertionError):
        assert_only_in_memory(trace, tmp_path / "home", photo_forms(photo))
    (tmp_path / "account").rmdir()
    elsewhere = f"open({str(tmp_path / 'copy')!r}, 'w')"
    with pytest.raises(AssertionError):
        assert_only_in_memory(
            traced(["-c", elsewhere], tmp_path, tmp_path / "home"), tmp_path / "home", []
        )
    (tmp_path / "account").rmdir()
    network = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
    with pytest.raises(AssertionError):
        assert_only_in_memory(
            traced(["-c", network], tmp_path, tmp_path / "home"), tmp_path / "home", []
        )


@pytest.mark.parametrize(
    ("probe", "code"),
    [("candidates", 0), ("no_candidate", 0), ("unreadable", 20), ("no_face", 21), ("quality", 23)],
)
def test_no_outcome_leaves_the_probe_on_disk(
    fr: Fr, models: Path, tmp_path: Path, probe: str, code: int
) -> None:
    person = {"candidates": MATED, "quality": MATED}.get(probe, STRANGER)
    image = small(person, longest={"quality": 64}.get(probe, 480))
    if probe == "no_face":
        image = image.crop((0, 0, 60, 60)).resize((480, 480))
    photo = jpeg(image)
    if probe == "unreadable":
        photo = photo[: len(photo) // 2]
    secrets = photo_forms(photo)
    assert len(secrets) > 60
    if probe in ("candidates", "no_candidate"):
        embedder = next(m for m in catalogue().values() if m.task == "embedder")
        with FacePipeline.load((models,), embedder=embedder.name, floors={}) as pipeline:
            secrets += forms(pipeline.template(photo).vector)
    before = len(fr.log())
    path = tmp_path / "photo.jpg"
    path.write_bytes(photo)
    trace = traced(["-c", FR, "identify", str(path), *GROUNDS], tmp_path, fr.home)
    assert_only_in_memory(trace, fr.home, secrets)
    assert trace.code == code
    assert [entry["ph"] for entry in fr.log()[before:]] == ["intent", "outcome"]
    # And none of it lies in any file of the home afterwards.
    for file in fr.home.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert not any(secret in data for secret in secrets), file


def test_an_enrolment_reaches_no_network_and_no_file_outside_of_the_home(
    fresh: Fr, tmp_path: Path
) -> None:
    (tmp_path / "feed" / MATED).mkdir(parents=True)
    (tmp_path / "feed" / MATED / "one.jpg").write_bytes(jpeg(small(MATED, "studio_portrait")))
    trace = traced(
        ["-c", FR, "enroll", str(tmp_path / "feed"), "--workers", "2"], tmp_path, fresh.home
    )
    inside = str(fresh.home.resolve()) + "/"
    outside = {path for path in trace.named if path.startswith("/") and inside not in path}
    assert {path for path in outside if not path.startswith("/dev/")} == set()
    assert trace.sockets <= {"AF_UNIX"}
    assert fresh.json("gallery", "stats")["references"] == 1
