"""A process that changes a gallery until it is stopped, and what must hold afterwards."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fr_cli.errors import FrError
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.inspection import inspect
from fr_cli.records import Silence

from .conftest import House, Vector, purge, store, vectors

Say = Callable[[str], None]


class Worker:
    """A child that changes a gallery without end, and says what it begins and what is done."""

    def __init__(self, home: Path, work: Callable[[House, Say], None]) -> None:
        self._reader, writer = os.pipe()
        self._text = b""
        self._pid = os.fork()
        if not self._pid:
            try:
                work(House(home, new=False), lambda word: _say(writer, word))
            finally:
                os._exit(1)
        os.close(writer)
        os.set_blocking(self._reader, False)

    @contextmanager
    def standing_still(self) -> Iterator[list[str]]:
        """What it has said, while it does nothing."""
        os.kill(self._pid, signal.SIGSTOP)
        _, status = os.waitpid(self._pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), "the worker has failed"
        yield self._heard()
        os.kill(self._pid, signal.SIGCONT)

    def kill(self) -> list[str]:
        """End it with no chance to tidy up; what it had said."""
        os.kill(self._pid, signal.SIGKILL)
        _, status = os.waitpid(self._pid, 0)
        assert os.WIFSIGNALED(status), "the worker has failed"
        said = self._heard()
        os.close(self._reader)
        return said

    def _heard(self) -> list[str]:
        with suppress(BlockingIOError):
            while data := os.read(self._reader, 65536):
                self._text += data
        return self._text.decode().splitlines()


def _say(writer: int, word: str) -> None:
    os.write(writer, word.encode() + b"\n")


def changes(templates: Vector, seed: int, *, synced: bool = True) -> Callable[[House, Say], None]:
    """Enrol, rebuild and purge at random; template n is that of the subject sn."""

    def work(house: House, say: Say) -> None:
        chance = random.Random(seed)
        everybody = range(len(templates))
        with house.open() as gallery, gallery.writing():
            there = {n for n in everybody if gallery.store.subject(f"s{n}")}
        while True:
            left = set(everybody) - there
            with house.open() as gallery, gallery.writing():
                if not synced:
                    _never_sync(gallery)
                if left and (len(there) < 4 or chance.random() < 0.6):
                    number = chance.choice(sorted(left))
                    say(f"begin + {number}")
                    store(gallery, (f"s{number}", "r", templates[number]))
                    there.add(number)
                    say(f"+ {number}")
                elif chance.random() < 0.3:
                    gallery.rebuild()
                else:
                    number = chance.choice(sorted(there))
                    say(f"begin - {number}")
                    purge(gallery, f"s{number}")
                    there.discard(number)
                    say(f"- {number}")

    return work


def _never_sync(gallery: Gallery) -> None:
    for name in ("fsync", "fdatasync"):
        setattr(os, name, lambda handle: None)
    gallery.store.db.execute("PRAGMA synchronous = OFF")


def wrong_with(house: House, said: list[str], templates: Vector) -> list[str]:
    """What in the gallery is not as it was said to be, after the next writer has come."""
    last = {word.rpartition(" ")[2]: word for word in said}
    wrong = []
    try:
        house.enrol(("later", "r", vectors(1, seed=99)[0]))  # ends what was cut short, too
        with house.open() as gallery:
            wrong += [str(finding) for finding in inspect(gallery, Silence())]
            for number, template in enumerate(templates):
                hits, _ = gallery.search(template, count=1)
                found = hits[0].subject_id == f"s{number}"
                word = last.get(str(number), f"- {number}")
                # Of an act that was cut short it is enough that it happened or did not.
                if not word.startswith("begin") and found != word.startswith("+"):
                    wrong.append(f"{word!r} was said, and {number} is found: {found}")
    except FrError as trouble:
        wrong.append(repr(trouble))
    return wrong
