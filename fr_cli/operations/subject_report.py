"""What is held on one person, and who searched them: the answer to a subject access request.

Nobody else is in it: of a search that showed several candidates, only this one.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fr_cli.audit.show import ActRecord, acts
from fr_cli.authority import identity
from fr_cli.casework.searches import COMMANDS, Search, follow
from fr_cli.errors import GalleryMissing, SubjectUnknown, UsageProblem
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.photos import count_photos
from fr_cli.gallery.retention import Facts, judge
from fr_cli.gallery.watchlists import standing
from fr_cli.operations.audit import log_of
from fr_cli.operations.bench import Bench
from fr_cli.operations.grounds import LONGEST, why
from fr_cli.records import Head, Listener

_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Held:
    """A reference: where it came from, in the feed's words, and how long it is kept."""

    reference_id: str
    enrolled_at: str
    watchlist: str
    provenance: Mapping[str, object]
    rule: str
    quality: Mapping[str, float]


@dataclass(frozen=True)
class Seen:
    """A search that showed this person. `outcomes` only where they were confirmed."""

    search_id: str
    at: str
    operator: str
    case: str
    reason: str
    rank: int
    score: str
    decision: str
    outcomes: list[str]


@dataclass(frozen=True)
class Touched:
    """Another act that names this person."""

    at: str
    operator: str
    command: str
    case: str
    reason: str


@dataclass
class Person:
    """What the gallery holds. `ids` are the random ones by which the log may name them;
    `watchlists` has the reason by the name of each on which they stand."""

    enrolled_at: str = ""
    purged_at: str = ""
    references: list[Held] = field(default_factory=list)
    photos: int = 0
    watchlists: Mapping[str, str] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    enrolled_by: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class SubjectReport:
    """The extract; times UTC."""

    subject_id: str
    recipient: str
    person: Person
    seen: list[Seen]
    touched: list[Touched]
    head: Head


def report_on(
    subject: str, recipient: str, bench: Bench, listener: Listener, *, reason: str = ""
) -> SubjectReport:
    """Extract what is held on a person, by the feed's id or the random one of the log.

    An act of kind disclosure, which names the recipient. SubjectUnknown if nobody of that id is,
    or is known to have been, enrolled.
    """
    if not recipient.strip() or len(recipient) > LONGEST or not recipient.isprintable():
        raise UsageProblem("Say who receives the extract.", hint="Give a name or office with --to.")
    asked = {"asked": {"what": "subject"}, **why(reason)}
    with bench.act("report subject", "disclosure", to=recipient, **asked) as act:
        person = Person()
        with (
            contextlib.suppress(GalleryMissing),
            bench.gallery(act, any_model=True) as gallery,
        ):
            person = _held(subject, gallery, bench)
        ids = frozenset(person.ids)
        touched: list[Touched] = []
        reading = log_of(bench.site.home).read(listener=listener)
        searches = follow(_naming(acts(reading), ids, person.enrolled_by, touched))
        seen = [_seen(one, ids) for one in searches.values()]
        if not (person.references or person.purged_at or seen or touched):
            raise SubjectUnknown(
                f"Nobody is enrolled as {subject!r}.",
                hint="The log names a purged subject by a random id of 32 digits.",
            )
        act.decide(
            references=len(person.references),
            searches=len(seen),
            acts=len(touched),
            asked_for=sorted(ids)[:50],
        )
    return SubjectReport(subject, recipient, person, seen, touched, act.head)


def _held(subject: str, gallery: Gallery, bench: Bench) -> Person:
    db = gallery.store.db
    found = db.execute(
        "SELECT pk, uid, enrolled_at FROM subjects "
        "WHERE state = 'active' AND (subject_id = ?1 OR uid = ?1)",
        (subject,),
    ).fetchone()
    if found is None:
        mark = db.execute(
            "SELECT max(purged_at) FROM suppressed WHERE mark = ?", (gallery.alias(subject),)
        ).fetchone()
        return Person(
            purged_at=str(mark[0] or ""), ids={subject} if _ID.fullmatch(subject) else set()
        )
    pk, uid, enrolled_at = found
    person = Person(enrolled_at=str(enrolled_at), photos=count_photos(gallery.store, pk))
    person.ids.add(str(uid))
    person.watchlists = standing(gallery.store).get(pk, {})
    rows = db.execute(
        "SELECT uid, reference_id, enrolled_at, watchlist, provenance, quality, act FROM refs "
        "WHERE subject = ? ORDER BY pk",
        (pk,),
    ).fetchall()
    for ref, name, at, watchlist, provenance, quality, act in rows:
        said = json.loads(provenance)
        person.ids.add(str(ref))
        person.enrolled_by.add(str(act))
        rule = judge(Facts.of(str(at), said), bench.policy.retention, datetime.now(UTC).date()).rule
        person.references.append(
            Held(str(name), str(at), str(watchlist), said, rule, json.loads(quality))
        )
    return person


def _naming(
    records: Iterable[ActRecord], ids: frozenset[str], enrolled_by: set[str], touched: list[Touched]
) -> Iterator[ActRecord]:
    """The searches that name one of these, with all decisions; the rest goes to `touched`."""
    for one in records:
        if one.command in COMMANDS:
            if one.command != "identify" or one.mentions(ids):
                yield one
        elif one.req in enrolled_by or one.mentions(ids):
            why = one.why
            touched.append(
                Touched(
                    at=one.start,
                    operator=identity.Person.of(one.operator).name,
                    command=one.command,
                    case=str(why.get("case", "")),
                    reason=str(why.get("reason", "")),
                )
            )


def _seen(search: Search, ids: frozenset[str]) -> Seen:
    this = next(one for one in search.candidates if one.subject in ids)
    decision = (search.verdicts or {}).get(this.subject, "undecided")
    return Seen(
        search_id=search.id,
        at=search.asked,
        operator=search.by.name,
        case=str(search.why.get("case", "")),
        reason=str(search.why.get("reason", "")),
        rank=this.rank,
        score=this.score,
        decision=decision,
        # What came of a search in which another was confirmed is about that other person.
        outcomes=search.words if decision == "confirmed" else [],
    )
