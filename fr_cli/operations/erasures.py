"""What the log says of purges: written as they happen, and read again to see who must be gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fr_cli.audit.canonical import JSON, parse
from fr_cli.audit.log import Act
from fr_cli.audit.merkle import root_of
from fr_cli.audit.reader import Log
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.purging import Purged
from fr_cli.records import Listener

#: Random ids in one entry of the log, whose lines are bounded.
_BATCH = 1000
#: The command that makes a backup, as the log has it.
BACKUP = "gallery backup"
#: The command that closes a watchlist.
CLOSE = "watchlist close"
_MARKS = (
    b'"purging":', b'"finished_purge":', b'"cmd":"purge"', b'"cmd":"gallery backup"',
    b'"cmd":"watchlist close"',
)  # fmt: skip


def described(purged: Iterable[Purged]) -> list[JSON]:
    """Random ids only; those of the references where the subject keeps others."""
    return [_described(one) for one in purged]


def _described(one: Purged) -> dict[str, JSON]:
    count, gone = len(one.reference_uids), {} if one.whole else {"gone": one.reference_uids}
    return {"subject": one.subject_uid, "references": count, "whole": one.whole, **gone}


def root(purged: Iterable[Purged]) -> str:
    """Makes each reference provable by its random id."""
    return root_of(uid for one in purged for uid in one.reference_uids)


def announce(purged: Sequence[Purged], act: Act) -> None:
    """Record a purge before its point of no return: if it is cut short it leaves its trace too."""
    for some in _batches(purged):
        act.batch(purging=described(some), root=root(some))


def record_finished(finished: Sequence[Purged], gallery: Gallery, act: Act) -> None:
    """Record purges of earlier commands that were cut short, and that this act has finished."""
    generation = int(gallery.store.meta("generation"))
    for some in _batches(finished):
        act.batch(finished_purge=described(some), root=root(some), generation=generation)


def _batches(purged: Sequence[Purged]) -> Iterator[list[Purged]]:
    some: list[Purged] = []
    ids = 0
    for one in purged:
        # Only of one who keeps others are the references named, which may be many.
        uids = one.reference_uids
        parts = [uids] if one.whole else [uids[i : i + _BATCH] for i in range(0, len(uids), _BATCH)]
        for part in parts:
            weight = 3 if one.whole else 3 + len(part)
            if some and ids + weight > _BATCH:
                yield some
                some, ids = [], 0
            some.append(replace(one, reference_uids=part))
            ids += weight
    if some:
        yield some


@dataclass
class Gone:
    """Who the log says was purged, and which watchlists were closed, by random id.

    `subjects` as a whole; `references` of subjects who keep others (subject → references; None
    where the log, written by an older fr, does not name them). `begun` are subjects of purges
    whose end the log does not know: they may or may not be gone. `later` are those of `subjects`
    who went after the backup that was asked about; None if the log does not know that one.
    """

    subjects: set[str] = field(default_factory=set)
    references: dict[str, set[str] | None] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    later: set[str] | None = None
    closed: set[str] = field(default_factory=set)

    def _add(self, one: dict[str, object]) -> None:
        uid, names = str(one["subject"]), one.get("gone")
        if one["whole"]:
            self.subjects.add(uid)
            if self.later is not None:
                self.later.add(uid)
            return
        known = self.references.setdefault(uid, set())
        if not isinstance(names, list) or known is None:
            self.references[uid] = None
        else:
            known.update(map(str, names))


def purged_by(log: Log, listener: Listener, backup: str = "") -> Gone:
    """Read the whole log, checked against its signed root; AuditBroken if it is not right.

    `backup` is the id of a backup that is asked about.
    """
    gone = Gone()
    announced: dict[str, list[dict[str, object]]] = {}
    for line in log.read(listener=listener):
        if line.body is None or not any(mark in line.body for mark in _MARKS):
            continue
        entry = parse(line.body)
        req = str(entry["req"])
        if entry["cmd"] == BACKUP:
            if backup and (entry["ph"], entry.get("backup")) == ("intent", backup):
                gone.later = set()
            continue
        if entry["cmd"] == CLOSE:
            if entry["ph"] == "outcome" and isinstance(decision := entry.get("dec"), Mapping):
                uids = decision.get("closed")
                gone.closed.update(map(str, uids if isinstance(uids, list) else ()))
            continue
        for one in _listed(entry.get("finished_purge")):
            gone._add(one)
        announced.setdefault(req, []).extend(_listed(entry.get("purging")))
        if entry["ph"] == "outcome" and not entry.get("exit"):
            for one in announced.pop(req):
                gone._add(one)
    finished = gone.subjects | gone.references.keys()
    gone.begun = {str(one["subject"]) for some in announced.values() for one in some} - finished
    return gone


def _listed(value: JSON) -> list[dict[str, object]]:
    return [dict(one) for one in value if isinstance(one, dict)] if isinstance(value, list) else []
