"""Is this the gallery that the log knows? One that was put back from an old copy is not.

Whoever changes the gallery states in the log, while they hold its lock, where it then stands. Every
act that opens it compares the two, and repeats in its outcome what the log said when it began; so
nobody has to read the log further back than the beginning of the newest such act.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fr_cli.audit.backwards import newest_first
from fr_cli.audit.canonical import JSON, parse
from fr_cli.audit.line import read_line
from fr_cli.audit.log import Act
from fr_cli.errors import AuditBroken, GalleryDamaged
from fr_cli.gallery.database import State

if TYPE_CHECKING:
    from fr_cli.gallery.gallery import Gallery
    from fr_cli.gallery.purging import Purged

_STATED, _REPEATED = "gallery_state", "gallery_known"
_MARKS = (b'"gallery_state":', b'"gallery_known":')
REMEDY = (
    "Somebody may have put back an old copy. Restore the newest backup with: fr gallery restore; "
    "or, if that was meant, accept it with: fr gallery accept"
)


@dataclass(frozen=True)
class Known:
    """What the log says of the gallery, as it was when it had `size` entries."""

    state: State
    size: int

    def repeated(self) -> dict[str, JSON]:
        """For the outcome of an act that read this when it began."""
        return {_REPEATED: asdict(self.state) | {"size": self.size}}


def newest_state(log: Path) -> Known:
    """The newest state that the log holds, the first state of all if it holds none."""
    repeated: Known | None = None
    size = 0
    try:
        for text in newest_first(log):
            size = size or read_line(text).size
            # Later statements than the one repeated stand behind the entries that were read then.
            if repeated and read_line(text).size <= repeated.size:
                break
            if not any(mark in text for mark in _MARKS):
                continue
            entry = parse(read_line(text).body or b"{}")
            if isinstance(stated := entry.get(_STATED), Mapping):
                return Known(_state(stated), size)
            decision = entry.get("dec")
            told = decision.get(_REPEATED) if isinstance(decision, Mapping) else None
            if repeated is None and isinstance(told, Mapping):
                repeated = Known(_state(told), int(str(told["size"])))
    except (ValueError, KeyError) as trouble:
        raise AuditBroken(f"A line at the end of the audit log {trouble}.") from None
    return Known(repeated.state if repeated else State(), size)


def _state(said: Mapping[str, JSON]) -> State:
    return State(int(str(said["change"])), str(said["act"]), int(str(said["generation"])))


def compare(read: Callable[[], State], log: Path) -> Known:
    """Hold the gallery against the log; GalleryDamaged if it is not the one that the log knows.

    A gallery that is ahead of the log must have been changed by an act that the log holds: one
    that goes on now, or that was cut short before it could state what it did.
    """
    known = newest_state(log)  # first: the gallery may move on, never back
    found = read()
    if found.change < known.state.change:
        raise GalleryDamaged(
            f"The gallery is older than the log: it stands at change {found.change}, the log at "
            f"{known.state.change}.",
            hint=REMEDY,
        )
    if found.change == known.state.change:
        if found != known.state and found.change:  # before the first statement there is nothing
            raise GalleryDamaged("The gallery is not the one that the log knows.", hint=REMEDY)
    elif not _is_of(log, found.act):
        raise GalleryDamaged(
            "The gallery is newer than the log, or another one: the log does not hold the act "
            "that changed it last.",
            hint="Compare the log with a head kept elsewhere. " + REMEDY,
        )
    return known


def _is_of(log: Path, act: str) -> bool:
    mark = f'"req":"{act}"'.encode()
    return any(mark in text for text in newest_first(log))


@contextmanager
def changing(gallery: Gallery, act: Act) -> Iterator[list[Purged]]:
    """Hold the gallery's write lock; what was finished and what was changed enters the log.

    Yields the purges of other commands, cut short, that this one has finished.
    """
    from fr_cli.operations.erasures import record_finished

    before = gallery.store.state()
    with gallery.writing() as finished:
        record_finished(finished, gallery, act)
        yield finished
        state_of(gallery, before, act)


def state_of(gallery: Gallery, before: State | None, act: Act) -> None:
    """State in the log where the gallery stands, if it was changed; needs the write lock."""
    now = gallery.store.state()
    if now != before:
        act.batch(gallery_state=asdict(now))
