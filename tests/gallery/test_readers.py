"""Who reads while a purge passes meets no error and nobody stale, and keeps nothing open."""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fr_cli.gallery import gallery as gallery_module

from .conftest import House, near, one_each, purge, store, vectors
from .test_purge import forms

#: How many are enrolled beside the readers; the whole proof is FR_CROWD=10000.
CROWD = int(os.environ.get("FR_CROWD", "600"))
READERS = 8


Work = Callable[[Callable[[], bytes], Callable[[object], None]], None]


class Child:
    """A forked process that does a step each time it is told to, and answers."""

    def __init__(self, work: Work) -> None:
        told, self._tell = os.pipe()
        answers, say = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            code = 1
            try:
                os.close(self._tell)
                with os.fdopen(say, "w", buffering=1) as output:
                    work(lambda: os.read(told, 1), lambda one: print(json.dumps(one), file=output))
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(told)
        os.close(say)
        self._answers = os.fdopen(answers)

    def tell(self) -> None:
        os.write(self._tell, b".")

    def answer(self) -> Any:
        return json.loads(self._answers.readline())

    def ask(self) -> Any:
        self.tell()
        return self.answer()

    def end(self) -> int:
        """Let it end; its exit code."""
        os.close(self._tell)
        self._answers.close()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def held_open(pid: int) -> bytes:
    """All that the files hold which a process has open, deleted ones and memory files too."""
    everything = b""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        if entry.is_file():
            everything += entry.read_bytes()
    return everything


@pytest.mark.parametrize("engine", ["exact", "annoy"])
def test_a_reader_that_was_open_holds_and_finds_nothing_of_the_purged(
    house: House, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    if engine == "annoy":
        monkeypatch.setattr(gallery_module, "EXACT_UP_TO", 2)
    templates = vectors(6)
    house.enrol(*one_each(templates))
    house.rebuild()

    def read(wait: Callable[[], bytes], say: Callable[[object], None]) -> None:
        with house.open() as gallery:
            while wait():
                hits, _ = gallery.search(templates[0], count=9, engine=engine)
                say([hit.subject_id for hit in hits])

    with house.open() as gallery:
        subject = gallery.store.subject("s0")
        assert subject is not None
        key = gallery.subject_keys.read(subject.slot)
    reader = Child(read)
    assert reader.ask()[0] == "s0"
    assert b"SQLite format 3" in held_open(reader.pid)  # the search through open files can find
    house.purge("s0")
    for _ in range(2):
        held = held_open(reader.pid)
        assert key not in held
        assert not any(form in held for form in forms(templates[0]))
        found = reader.ask()
        assert "s0" not in found
        assert "s1" in found
    assert reader.end() == 0


def test_a_crowd_of_readers_sees_every_state_whole_while_others_write(house: House) -> None:
    """Eight search for two people while hundreds are enrolled and one of the two is purged."""
    dimension = 32
    known = vectors(2, seed=1, dimension=dimension)
    crowd = vectors(CROWD, seed=2, dimension=dimension)
    house.enrol(("stays", "r", known[0]), ("goes", "r", known[1]))
    house.rebuild()

    def read(wait: Callable[[], bytes], say: Callable[[object], None]) -> None:
        wait()
        rows = []
        until = time.monotonic() + 600
        sizes = [0]
        while time.monotonic() < until:
            before = time.monotonic()
            with house.open() as gallery:
                first, compared = gallery.search(near(known[0]), count=1)
                second, _ = gallery.search(near(known[1]), count=1)
            rows.append([before, time.monotonic(), first[0].subject_id, second[0].subject_id])
            sizes.append(compared.references)
            if os.path.exists(stop):
                break
        say([rows, sizes])

    stop = house.site.home / "stop"
    readers = [Child(read) for _ in range(READERS)]
    for reader in readers:
        reader.tell()
    begun = done = 0.0
    for number in range(0, CROWD, 100):
        with house.open() as gallery, gallery.writing():
            some = crowd[number : number + 100]
            store(gallery, *((f"c{number + i}", "r", one) for i, one in enumerate(some)))
            gallery.settle()
            if number == CROWD // 200 * 100:
                begun = time.monotonic()
                purge(gallery, "goes")
                done = time.monotonic()
    stop.touch()
    searched = before = after = 0
    for reader in readers:
        rows, sizes = reader.answer()
        assert reader.end() == 0
        searched += len(rows)
        for start, end, first, second in rows:
            assert first == "stays"
            if end < begun:
                before += 1
                assert second == "goes"
            if start > done:
                after += 1
                assert second != "goes"
        assert sizes[1] >= 2
        assert max(sizes) <= CROWD + 2
    assert searched > 2 * READERS
    assert before
    assert after
    with house.open() as gallery:
        assert gallery.count("refs") == CROWD + 1
    for number in (0, CROWD - 1):
        assert house.found(crowd[number], 1) == [f"c{number}"]


def test_the_next_most_alike_takes_the_place_of_who_is_purged_during_a_search(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates = vectors(3)
    house.enrol(*one_each(templates))
    with house.open() as gallery:
        asked = gallery._named
        order = [gallery.search(templates[0], count=3)[0][n].subject_id for n in range(3)]

        def purged_meanwhile(*which: Any) -> Any:
            monkeypatch.undo()
            house.purge("s0")
            return asked(*which)

        monkeypatch.setattr(gallery, "_named", purged_meanwhile)
        hits, compared = gallery.search(templates[0], count=1)
    assert [hit.subject_id for hit in hits] == [order[1]]
    assert compared.references == 2
