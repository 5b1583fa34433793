"""The machine of test_story.py: what its people do there, counted as they do it."""

from __future__ import annotations

import csv
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import jpeg, small
from tests.end_to_end.oversight_truth import Refusal, Search
from tests.service.station import ROLES, Desk, Station

#: A clock that is behind, for a process that finds this first: what happened days ago is really
#: days old when the clock is right again.
BEHIND = """
import datetime, os

class Past(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) - datetime.timedelta(days=int(os.environ["FR_TEST_DAYS"]))

datetime.datetime = Past
"""
#: Who is enrolled, and what the feed says of them.
FEED = {
    "P001": ("burglary", "Camden"),
    "P002": ("burglary", "Camden"),
    "P003": ("burglary", "Camden"),
    "P004": ("theft", "Camden"),
    "P005": ("theft", "Brent"),
    "P006": ("theft", "Brent"),
}
CASE = "CR/26/1"


@dataclass
class Story:
    """A station from its first day on, its people, and the count of all that they do."""

    station: Station
    searches: dict[str, Search] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    sums: Counter[str] = field(default_factory=Counter)

    @property
    def desk(self) -> Desk:
        """Where the accounts are."""
        return self.station.desk

    @property
    def exchange(self) -> Path:
        """A folder that everybody may write to, as if by mail."""
        return self.station.folder / "exchange"

    def name(self, who: str) -> str:
        """The account of somebody."""
        return self.desk.accounts[who].name

    def key(self, who: str) -> Path:
        """Somebody's own SSH key."""
        return self.station.folder / "ssh" / who / "id"

    def act(self, who: str, *words: object, stdin: bytes = b"") -> dict[str, Any]:
        """Somebody does something, which the log must hold under their name."""
        document, entries = self._do(who, words, stdin, 0)
        assert not any("error" in entry for entry in entries)
        self.done[_act(words)] += 1
        return document

    def refuse(
        self, who: str, *words: object, code: int, error: str, says: str, stdin: bytes = b""
    ) -> None:
        """Somebody is refused with this sentence, and the log holds the attempt."""
        document, entries = self._do(who, words, stdin, code)
        assert (document["error"], document["code"]) == (error, code)
        assert says in document["message"]
        assert (entries[-1]["error"], entries[-1]["exit"]) == (error, code)
        self.refused[_act(words), code, error] += 1

    def _do(
        self, who: str, words: tuple[object, ...], stdin: bytes, code: int
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        before = len(self.station.log())
        document = self.station.json(who, *words, stdin=stdin, code=code)
        entries = self.station.log()[before:]
        assert {entry["ph"] for entry in entries} >= {"intent", "outcome"}, words
        assert {entry["op"]["user"] for entry in entries} == {self.name(who)}
        assert {entry["cmd"] for entry in entries} == {_act(words)}
        return document, entries

    def search(
        self,
        who: str,
        photo: bytes,
        *shown: str,
        reason: str = "unknown-person",
        place: str = "street",
        watchlist: str = "",
        refusal: Refusal | None = None,
    ) -> str:
        """Somebody asks who is in a photo, and is shown these people; the search's id."""
        words = ["identify", "-", "--case", CASE, "--reason", reason, "--place", place]
        words += ["--watchlist", watchlist] if watchlist else []
        if refusal:
            self.refuse(who, *words, stdin=photo, **refusal._asdict())
            found = f"refused {len(self.searches)}"
        else:
            answer = self.act(who, *words, stdin=photo)
            assert [one["subject_id"] for one in answer["candidates"]] == list(shown)
            found = answer["search_id"]
        self.searches[found] = Search(
            found, self.name(who), reason, place, watchlist or "whole gallery", bool(refusal),
            dict.fromkeys(shown, "undecided"),
        )  # fmt: skip
        return found

    def decide(self, who: str, search: str, final: bool, **verdicts: str) -> None:
        """Somebody decides; the story keeps it where it is final."""
        options = {"confirmed": "--confirm", "rejected": "--reject", "unresolved": "--unresolved"}
        said = [word for one, verdict in verdicts.items() for word in (options[verdict], one)]
        document = self.act(who, "decide", search, *said, "--reason", "features compared")
        assert document["final"] is final
        if final:
            self.searches[search].shown |= verdicts

    def outcome(self, who: str, search: str, what: str) -> None:
        """What came of it."""
        self.act(who, "outcome", search, what, "--reason", "custody record")
        self.searches[search].outcomes.append(what)

    def request(self, who: str, *words: object) -> Path:
        """Somebody asks for a second person; the file, which they hand over."""
        path = self.exchange / f"{len(list(self.exchange.iterdir()))}.json"
        self.act(who, *words, "--request", path)
        return path

    def sign(self, who: str, request: Path) -> Path:
        """Somebody signs it at their own desk: no home, no station and no log has a part in it."""
        key = self.key(who)
        signed = self.station.json(who, "approve", request, "--key", key, "--yes")
        assert Path(signed["signature"]).owner() == self.name(who)
        return request

    def draft(self, **changes: Any) -> Path:
        """A draft of a policy: the one of the home, with changes, where its owner can read it."""
        rules = yaml.safe_load((self.station.home / "policy.yaml").read_text())
        path = self.exchange / f"policy-{len(list(self.exchange.iterdir()))}.yaml"
        path.write_text(yaml.safe_dump(rules | changes))
        return path

    def operators(self, **roles: list[str]) -> dict[str, Any]:
        """Everybody's account with roles, and the keys of those who have one."""
        return {
            self.name(who): {"roles": roles.get(who, usual)}
            | ({"key": self.key(who).with_suffix(".pub").read_text().strip()}
               if self.key(who).exists() else {})
            for who, usual in ROLES.items() if usual
        }  # fmt: skip

    def feed(self) -> Path:
        """A feed with columns, which the manager can read."""
        folder = self.station.feed(*FEED)
        with (folder / "custody.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("subject_id", "image", "source", "offence", "borough"))
            for who, said in FEED.items():
                rows.writerow((who, f"{who}/studio_portrait.jpg", "custody", *said))
        return folder / "custody.csv"

    def days_ago(self, days: int) -> dict[str, str]:
        """The environment of a process whose clock is so many days behind."""
        folder = self.station.folder / "clock"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(BEHIND)
        return {"FR_TEST_DAYS": str(days), "PYTHONPATH": f"{folder}:{self.desk.path}"}


def _act(words: tuple[object, ...]) -> str:
    """How the log names the act of a command line."""
    first, second, *_ = map(str, (*words, ""))
    if "--request" in words:
        return "request"
    if first == "policy":
        return first
    return f"{first} {second}" if first in {"audit", "gallery", "sample", "watchlist"} else first


@contextmanager
def empty_machine(desk: Desk) -> Iterator[Story]:
    """Accounts, and nothing else: no home yet. The reviewer and the manager have SSH keys."""
    folder = Path(tempfile.mkdtemp(prefix="story-", dir=desk.folder))
    folder.chmod(0o755)
    story = Story(Station(desk, folder))
    service = desk.accounts["service"].name
    story.station.socket.parent.mkdir(mode=0o755)
    for place in (folder, story.station.socket.parent):
        shutil.chown(place, service, service)
    story.exchange.mkdir()
    story.exchange.chmod(0o777)
    for who in ("reviewer", "manager"):
        key = story.key(who)
        key.parent.mkdir(parents=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key],
                       check=True)  # fmt: skip
        for path in (key.parent, key):
            shutil.chown(path, story.name(who))
    try:
        yield story
    finally:
        if story.station.process is not None and story.station.process.poll() is None:
            story.station.stop()


def poor() -> bytes:
    """A photo in which the face is too small to be searched."""
    return jpeg(small("P003", longest=110))


def again(request: Path, name: str, data: bytes | None = None) -> Path:
    """A copy of a request with its signature, if it has one; edited, if other bytes are given."""
    copy = request.with_name(name)
    copy.write_bytes(data or request.read_bytes())
    signature = request.with_name(f"{request.name}.sig")
    if signature.exists():
        shutil.copyfile(signature, copy.with_name(f"{copy.name}.sig"))
    return copy
