"""A station as its people use it: the answers of the direct mode, and what changes is noticed."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ENROLLED, GROUNDS, MATED, STRANGER, Fr, jpeg, small, write_csv
from tests.service.station import Desk, Station, made_station

#: What differs from one run to the next.
PASSING = ("search_id", "asked_at", "audit", "timing_ms")


@pytest.fixture
def own(accounts: Desk, enrolled: Fr) -> Iterator[Station]:
    """A station to be changed."""
    with made_station(accounts, enrolled) as one:
        one.start()
        yield one


def found(station: Station, photo: bytes) -> list[str]:
    return [one["subject_id"] for one in station.identify("officer", photo)["candidates"]]


# -- the same as the direct mode -------------------------------------------------------------


@pytest.mark.parametrize("person", [*ENROLLED, STRANGER, "P010"])
def test_the_answer_is_that_of_the_direct_mode_bit_for_bit(
    station: Station, enrolled: Fr, person: str
) -> None:
    photo = jpeg(small(person))
    here, there = enrolled.identify(photo), station.identify("officer", photo)
    for passing in PASSING:
        here.pop(passing, None), there.pop(passing, None)
    assert there == here


def test_what_is_drawn_is_what_the_direct_mode_draws(station: Station, enrolled: Fr) -> None:
    words = ("identify", "-", *GROUNDS)
    photo = jpeg(small(MATED))
    here, there = enrolled(*words, stdin=photo), station.fr("officer", *words, stdin=photo)
    texts = [re.sub(r"[0-9a-f]{12,}|entry [0-9]+", "…", one.stdout) for one in (here, there)]
    assert texts[0] == texts[1]
    assert (here.code, here.stderr) == (there.code, there.stderr)


def test_the_log_says_the_same_but_for_who_asks(station: Station, enrolled: Fr) -> None:
    photo = jpeg(small(MATED))
    enrolled.identify(photo)
    station.identify("officer", photo)

    def said(entry: dict[str, Any]) -> dict[str, Any]:
        passing = ("n", "t", "seq", "boot", "mono", "op", "req", "policy")
        kept = {name: value for name, value in entry.items() if name not in passing}
        if "dec" in kept:
            kept["dec"] = {key: one for key, one in kept["dec"].items() if key != "gallery_known"}
        return kept

    for here, there in zip(enrolled.log()[-2:], station.log()[-2:], strict=True):
        assert said(there) == said(here)


@pytest.mark.parametrize(
    ("photo", "words", "code"),
    [
        (b"no photo", GROUNDS, 20),
        (b"", GROUNDS, 20),
        (None, (*GROUNDS, "--max-candidates", "0"), 2),
        (None, (*GROUNDS, "--engine", "other"), 2),
        (None, (*GROUNDS, "--face", "7"), 21),
        (None, ("--case", "C", "--reason", "other"), 4),
        (None, ("--case", "", "--reason", "test"), 2),
        (None, ("--case", "C"), 2),
        (None, (*GROUNDS, "--watchlist", "none"), 10),
    ],
)
def test_errors_are_those_of_the_direct_mode(
    station: Station, enrolled: Fr, photo: bytes | None, words: tuple[str, ...], code: int
) -> None:
    data = jpeg(small(MATED)) if photo is None else photo
    here = enrolled.json("identify", "-", *words, stdin=data, code=code)
    there = station.json("officer", "identify", "-", *words, stdin=data, code=code)
    if code != 2:  # where a value is wrong, the two say so in other places
        assert there == here
    assert there["code"] == code


# -- files -----------------------------------------------------------------------------------


def writable(station: Station, who: str) -> Path:
    folder = station.folder / f"files-of-{who}-{os.urandom(4).hex()}"
    folder.mkdir()
    shutil.chown(folder, station.desk.accounts[who].name)
    return folder


def test_a_sheet_is_written_by_the_client_as_the_client(station: Station) -> None:
    sheet = writable(station, "officer") / "sheet.html"
    words = ("identify", "-", *GROUNDS, "--html", sheet)
    result = station.fr("officer", *words, stdin=jpeg(small(MATED)))
    assert (result.code, f"Sheet: {sheet}" in result.stderr) == (0, True)
    assert sheet.owner() == station.desk.accounts["officer"].name
    assert sheet.stat().st_mode & 0o777 == 0o600
    page = sheet.read_text()
    assert page.startswith("<!doctype html>")
    assert station.desk.accounts["officer"].name in page


def test_a_sheet_that_cannot_be_written_is_said_before_anything_is_done(station: Station) -> None:
    before = len(station.log())
    words = ("identify", "-", *GROUNDS, "--html", "/sheet.html")
    assert station.json("officer", *words, stdin=jpeg(small(MATED)), code=3)
    assert len(station.log()) == before


def test_a_case_is_handed_out_in_a_folder_of_the_auditor(station: Station) -> None:
    station.identify("officer", jpeg(small(MATED)))
    out = writable(station, "auditor") / "bundle"
    words = ("audit", "export", "--case", "CR/26/1", "--to", "the court", "--out", out)
    document = station.json("auditor", *words)
    assert document["folder"] == str(out)
    files = {one.relative_to(out).as_posix() for one in out.rglob("*") if one.is_file()}
    assert files >= set(document["files"])
    assert out.owner() == station.desk.accounts["auditor"].name


def test_a_head_goes_out_and_is_held_against_the_log(station: Station) -> None:
    head = writable(station, "auditor") / "head"
    result = station.fr("auditor", "audit", "head", "--out", head)
    assert str(head) in result.stdout
    document = station.json("auditor", "audit", "verify", "--witnessed", head)
    assert document["witnessed"][0]["size"] <= document["entries"]
    head.write_text(head.read_text().replace("\n", "x\n", 1))
    assert station.fr("auditor", "audit", "verify", "--witnessed", head).code in (2, 31)


# -- a feed ----------------------------------------------------------------------------------


def test_a_feed_is_enrolled_as_the_direct_mode_does(own: Station, fr: Fr) -> None:
    folder = own.feed("P006", "P007")
    (folder / "none.jpg").write_bytes(b"no photo")
    feed = write_csv(
        folder / "feed.csv",
        ("subject_id", "image", "reference_id", "source", "note"),
        ("P006", "P006/studio_portrait.jpg", "one", "custody", "x"),
        ("P007", "P007/studio_portrait.jpg", "two", "custody", "y"),
        ("P007", "none.jpg", "three", "custody", ""),
        ("P007", "missing.jpg", "four", "custody", ""),
        ("P007", "", "five", "", ""),
    )
    for one in (folder / "none.jpg", feed):
        one.chmod(0o644)
    rejects = writable(own, "manager") / "rejects.csv"
    for again in (False, True):
        here = fr.json("enroll", feed, "--rejects", rejects, code=0 if again else 100)
        listed = rejects.read_text()
        rejects.unlink()
        words = ("enroll", feed, "--rejects", rejects)
        there = own.json("manager", *words, code=0 if again else 100)
        assert there == here
        assert rejects.read_text() == listed
        rejects.unlink()
    assert found(own, jpeg(small("P006"))) == ["P006"]
    operators = {entry["op"]["user"] for entry in own.log() if entry["cmd"] == "enroll"}
    assert own.desk.accounts["manager"].name in operators


def test_photos_are_kept_from_when_the_policy_says_so(own: Station) -> None:
    feed = own.feed("P006", "P007")
    assert own.json("manager", "enroll", feed)["photos"] == 0
    own.policy(keep_photos=True)
    assert own.json("manager", "enroll", feed)["photos"] == 2
    assert own.json("manager", "enroll", feed)["photos"] == 0


def test_many_photos_are_enrolled_while_others_ask(own: Station) -> None:
    feed = own.feed("P006", "P007", "P008", "P009")
    process = own.desk.start("manager", "fr", "enroll", feed, FR_STATION=str(own.socket))
    assert found(own, jpeg(small(MATED))) == [MATED]
    process.communicate(timeout=60)
    assert process.returncode == 0


# -- what changes is noticed -----------------------------------------------------------------


@pytest.mark.parametrize("directly", [False, True])
def test_who_was_purged_is_dropped_when_the_purge_returns(own: Station, directly: bool) -> None:
    photo = jpeg(small(MATED))
    for _ in range(4):  # so that every worker has the generation in memory
        assert found(own, photo) == [MATED]
    words = ("purge", "--subject", MATED, "--yes")
    report = own.direct(*words) if directly else own.json("manager", *words)
    assert report["references"] == 1
    assert _generations(own) == set()
    for _ in range(4):
        assert found(own, photo) == []


def _generations(station: Station) -> set[str]:
    """The deleted generations that processes of the service still have open."""
    return {
        os.readlink(handle)
        for pid in [station.pid, *_children(station.pid)]
        for handle in Path(f"/proc/{pid}/fd").iterdir()
        if "generations" in os.readlink(handle) and "deleted" in os.readlink(handle)
    }


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_who_is_enrolled_is_found_at_once(own: Station) -> None:
    photo = jpeg(small("P006"))
    assert found(own, photo) == []
    own.direct("enroll", own.feed("P006"))
    assert found(own, photo) == ["P006"]
    own.direct("gallery", "rebuild")
    assert found(own, photo) == ["P006"]


def test_a_change_of_the_policy_is_in_force_at_once(own: Station) -> None:
    photo = jpeg(small(MATED))
    assert found(own, photo) == [MATED]
    officer, second = (own.desk.accounts[who].name for who in ("officer", "second"))
    own.policy(operators={second: {"roles": ["officer"]}})
    assert own.identify("officer", photo, code=4)["error"] == "NotAllowed"
    own.policy(operators={officer: {"roles": ["officer"]}}, quality={"InterEyeDistance": 5000})
    assert own.identify("officer", photo, code=23)["error"] == "QualityTooLow"
    own.policy(operators={})
    assert own.identify("officer", photo, code=3)["error"] == "ConfigurationError"
    (own.home / "policy.yaml").write_text("nonsense: [")
    assert own.identify("officer", photo, code=3)["error"] == "ConfigurationError"
    assert own.json("officer", "status", code=3)["error"] == "ConfigurationError"
    refused = [entry.get("error") for entry in own.log() if entry["ph"] == "outcome"]
    assert refused[-5:] == ["NotAllowed", "QualityTooLow", *["ConfigurationError"] * 3]


def test_a_key_that_was_rotated_goes_on_signing(own: Station) -> None:
    photo = jpeg(small(MATED))
    assert found(own, photo) == [MATED]
    own.direct("audit", "rotate")
    own.direct("gallery", "rotate-key")
    for _ in range(4):
        assert found(own, photo) == [MATED]
    own.direct("audit", "verify", "--full")


def test_a_restart_loses_nothing(own: Station) -> None:
    photo, before = jpeg(small(MATED)), len(own.log())  # with what others asked of that home
    assert found(own, photo) == [MATED]
    for sign in (signal.SIGKILL, signal.SIGTERM):
        own.stop(sign)
        assert own.identify("officer", photo, code=3)["error"] == "StationUnreachable"
        own.start()
        assert found(own, photo) == [MATED]
    own.direct("audit", "verify", "--full")
    since = own.log()[before:]
    begun = {one["req"] for one in since if one["ph"] == "intent"}  # not what others left open
    phases = [one["ph"] for one in since if one["req"] in begun]
    assert phases == ["intent", "outcome"] * len(begun)
    assert len(begun) >= 3


# -- starting --------------------------------------------------------------------------------


def test_it_does_not_start_without_operators(accounts: Desk, enrolled: Fr) -> None:
    with made_station(accounts, enrolled) as one:
        one.policy(operators={})
        result = accounts.run("service", "fr", "serve", "--home", one.home, "--socket", one.socket)
        assert (result.code, "names no operators" in result.stderr) == (3, True)
        assert not one.socket.exists()


def test_it_does_not_start_as_root_or_as_another_account(accounts: Desk, enrolled: Fr) -> None:
    with made_station(accounts, enrolled) as one:
        result = Fr(one.home)("serve", "--socket", one.socket, "--json")
        assert (result.code, "does not run as root" in result.stderr) == (3, True)
        result = accounts.run("officer", "fr", "serve", "--home", one.home, "--socket", one.socket)
        assert result.code in (2, 3)
        one.home.chmod(0o755)
        result = accounts.run("service", "fr", "serve", "--home", one.home, "--socket", one.socket)
        assert (result.code, "chmod 700" in result.stderr) == (3, True)


def test_a_folder_that_others_may_write_to_is_no_place_for_the_socket(
    accounts: Desk, enrolled: Fr
) -> None:
    with made_station(accounts, enrolled) as one:
        (one.folder / "run").chmod(0o777)
        result = accounts.run("service", "fr", "serve", "--home", one.home, "--socket", one.socket)
        assert (result.code, "could take the socket's place" in result.stderr) == (3, True)


def test_two_do_not_hear_in_one_place(station: Station) -> None:
    words = ("serve", "--home", station.home, "--socket", station.socket)
    result = station.desk.run("service", "fr", *words)
    assert (result.code, "already" in result.stderr) == (3, True)


def test_systemd_may_hand_over_the_socket(accounts: Desk, enrolled: Fr) -> None:
    with made_station(accounts, enrolled) as one:
        program = (
            "import os, socket, sys\n"
            "line = socket.socket(socket.AF_UNIX)\n"
            f"line.bind({str(one.socket)!r}); os.chmod({str(one.socket)!r}, 0o666)\n"
            "line.listen(); os.dup2(line.fileno(), 3); os.set_inheritable(3, True)\n"
            "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))\n"
            f"sys.argv = ['fr', 'serve', '--home', {str(one.home)!r}]\n"
            "from fr_cli.cli.main import app; app()\n"
        )
        one.process = accounts.start("service", accounts.python, "-c", program)
        while not (one.socket.exists() and one.socket.stat().st_mode & 0o002):
            time.sleep(0.05)
        assert found(one, jpeg(small(MATED))) == [MATED]


# -- the client ------------------------------------------------------------------------------


def test_the_client_loads_no_heavy_library(station: Station) -> None:
    photo = station.folder / "probe.jpg"
    photo.write_bytes(jpeg(small(MATED)))
    photo.chmod(0o644)
    heavy = "numpy cv2 onnxruntime pydantic deepface cryptography sqlite3 scipy yaml rich jinja2"
    program = (
        "import sys\n"
        "from fr_cli.cli.main import app\n"
        f"sys.argv = ['fr', 'identify', {str(photo)!r}, *{list(GROUNDS)!r}, '--max-candidates=2']\n"
        "assert not app(standalone_mode=False)\n"
        f"print([one for one in {heavy.split()!r} if one in sys.modules], file=sys.stderr)\n"
    )
    words = (station.desk.python, "-c", program)
    result = station.desk.run("officer", *words, FR_STATION=str(station.socket))
    assert (result.code, MATED in result.stdout, result.stderr) == (0, True, "[]\n")


def test_what_is_not_served_says_what_to_do(station: Station) -> None:
    for words in (("models", "pull"), ("gallery", "backup", "x"), ("evaluate", "x"), ("upgrade",)):
        error = station.json("officer", *words, code=3)
        assert error["error"] == "NotServed"
        assert "--home" in error["hint"]


def test_a_station_that_is_not_there_is_said(station: Station) -> None:
    error = station.json("officer", "status", FR_STATION="/run/nowhere.sock", code=3)
    assert error["error"] == "StationUnreachable"


def test_status_and_doctor_say_that_they_talk_to_a_station(station: Station) -> None:
    assert station.json("officer", "status")["station"] == str(station.socket)
    assert str(station.socket) in station.fr("officer", "status").stdout
    assert str(station.socket) in station.fr("officer").stdout
    checks = station.json("officer", "doctor")["checks"]
    assert checks[0]["state"] == "ok"
    assert str(station.socket) in checks[0]["what"]
    result = station.fr("officer", "doctor", "--json", FR_STATION="/run/nowhere.sock")
    assert (result.code, result.document["checks"][0]["state"]) == (3, "fail")


def test_colour_and_width_are_those_of_the_terminal(station: Station) -> None:
    ours, theirs = pty.openpty()
    photo = station.folder / "probe2.jpg"
    photo.write_bytes(jpeg(small(MATED)))
    photo.chmod(0o644)
    process = subprocess.Popen(
        [str(station.desk.folder / "bin/fr"), "identify", str(photo), *GROUNDS],
        stdout=theirs,
        env=station.desk.environment() | {"FR_STATION": str(station.socket), "TERM": "xterm"},
        user=station.desk.accounts["officer"].name,
    )
    assert process.wait(60) == 0
    os.close(theirs)
    drawn = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "\x1b[1;33m" in drawn
    lines = re.sub(r"\x1b\[[0-9;]*m", "", drawn).splitlines()
    assert 60 < max(map(len, lines)) <= 80


def test_a_terminal_is_asked_for_what_is_left_out(station: Station) -> None:
    ours, theirs = pty.openpty()
    photo = station.folder / "probe3.jpg"
    photo.write_bytes(jpeg(small(MATED)))
    photo.chmod(0o644)
    process = subprocess.Popen(
        [str(station.desk.folder / "bin/fr"), "identify", str(photo)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=station.desk.environment() | {"FR_STATION": str(station.socket)},
        user=station.desk.accounts["officer"].name,
    )
    os.close(theirs)
    os.write(ours, b"ASKED/1\nnonsense\ntest\n")
    out, err = process.communicate(timeout=60)
    os.close(ours)
    assert (process.returncode, MATED in out.decode()) == (0, True), err
    assert b"unknown-person" in err  # the list of the station's reasons
    asked = [entry["why"] for entry in station.log() if entry.get("why", {}).get("case")]
    assert (asked[-1]["case"], asked[-1]["reason"]) == ("ASKED/1", "test")


def test_json_of_an_error_is_one_line(station: Station) -> None:
    result = station.fr("stranger", "status", "--json")
    assert json.loads(result.stderr)["error"] == "NotAllowed"
