"""What a purge would remove, and which rule keeps the rest."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal, NamedTuple

from fr_cli.audit.merkle import root_of
from fr_cli.gallery.retention import HOLD, Facts, Verdict, judge
from fr_cli.gallery.rows import Subject
from fr_cli.gallery.store import Store
from fr_cli.gallery.watchlists import watchlist

Kind = Literal["subject", "watchlist", "source", "expired", "all"]
NOT_SELECTED = "not selected"

_SOURCE = "json_extract(provenance, '$.source')"
#: The subjects of whom something may go; each binds the selection's value, or nothing.
_CONDITIONS = {
    "subject": "subject_id = :value",
    "watchlist": "subjects.pk IN (SELECT subject FROM refs WHERE watchlist = :value)",
    "members": "subjects.pk IN (SELECT subject FROM members JOIN watchlists "
    "ON watchlists.pk = watchlist WHERE name = :value)",
    "source": f"subjects.pk IN (SELECT subject FROM refs WHERE {_SOURCE} = :value)",  # noqa: S608
    "expired": "1",
    "all": "1",
}
_ROWS = (
    "SELECT subjects.pk, subjects.uid, slot, subject_id, refs.pk, refs.uid, reference_id, "
    "image_key, watchlist, provenance, refs.enrolled_at "
    "FROM subjects LEFT JOIN refs ON refs.subject = subjects.pk "
    "WHERE state = 'active' AND {} ORDER BY subjects.pk, refs.pk"
)


@dataclass(frozen=True)
class Selection:
    """What is to be purged; a hold keeps a reference from any of them unless `include_held`."""

    kind: Kind
    value: str = ""
    include_held: bool = False

    @property
    def rule(self) -> str:
        """How a certificate names it: the subject's id of the feed stands in none."""
        named = self.kind in ("watchlist", "source")
        return f"{self.kind} {self.value}" if named else self.kind


class Listed(NamedTuple):
    """A reference, and the rule by which it goes or stays."""

    pk: int
    uid: str
    subject_id: str
    reference_id: str
    image_key: str
    rule: str


@dataclass(frozen=True)
class Going:
    """What goes of one subject: the `whole` of them, or some of their references."""

    subject: Subject
    references: tuple[Listed, ...]
    whole: bool


@dataclass
class Plan:
    """What goes; how many references each rule takes or keeps; the kept ones, if asked for."""

    going: list[Going] = field(default_factory=list)
    rules: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    doubts: Counter[str] = field(default_factory=Counter)
    staying: list[Listed] = field(default_factory=list)

    def extent(self, selection: Selection) -> dict[str, str | int]:
        """What goes, for somebody who is to agree to exactly that.

        `ids` is the root over the random ids of all people and references, in order.
        """
        people = sorted(going.subject.uid for going in self.going)
        references = sorted(one.uid for going in self.going for one in going.references)
        return {
            "selection": selection.kind,
            "value": selection.value,
            "holds": "deleted too" if selection.include_held else "kept",
            "people": len(people),
            "references": len(references),
            "ids": root_of([*people, *references]),
        }


class _Row(NamedTuple):
    subject: int
    subject_uid: str
    slot: int
    subject_id: str
    pk: int | None
    uid: str
    reference_id: str
    image_key: str
    watchlist: str
    provenance: str
    enrolled_at: str


def select(
    store: Store,
    selection: Selection,
    rules: Mapping[str, int | None],
    today: date,
    *,
    listing: bool = False,
) -> Plan:
    """Sort the references into those that go and those that stay; reads only.

    With `listing`, the plan names each reference that a rule keeps.
    """
    plan, seen = Plan(), 0
    made = selection.kind == "watchlist" and watchlist(store, selection.value) is not None
    for subject, rows in _by_subject(store, selection, "members" if made else selection.kind):
        going = []
        for row in rows:
            verdict = _verdict(row, selection, rules, today, made=made)
            one = Listed(
                row.pk or 0, row.uid, row.subject_id, row.reference_id, row.image_key, verdict.rule
            )
            if verdict.expires:
                going.append(one)
                plan.rules[verdict.rule] += 1
                continue
            plan.kept[verdict.rule] += 1
            plan.doubts[verdict.rule] += verdict.doubt
            if listing:
                plan.staying.append(one)
        seen += len(rows)
        # Nobody stays as an id without a reference, unless a rule looked for references.
        empty = not rows and selection.kind in ("subject", "all")
        if going or empty:
            plan.going.append(Going(subject, tuple(going), whole=len(going) == len(rows)))
    everything = store.db.execute("SELECT count(*) FROM refs").fetchone()[0]
    plan.kept[NOT_SELECTED] += everything - seen
    plan.kept, plan.doubts = +plan.kept, +plan.doubts
    return plan


def _by_subject(
    store: Store, selection: Selection, condition: str
) -> Iterator[tuple[Subject, list[_Row]]]:
    statement = _ROWS.format(_CONDITIONS[condition])
    cursor = map(_Row._make, store.db.execute(statement, {"value": selection.value}))
    for key, rows in itertools.groupby(cursor, lambda row: Subject(*row[:4])):
        yield key, [row for row in rows if row.pk is not None]


def _verdict(
    row: _Row, selection: Selection, rules: Mapping[str, int | None], today: date, *, made: bool
) -> Verdict:
    said = json.loads(row.provenance)
    of = {"watchlist": row.watchlist, "source": said["source"]}
    # Of a watchlist that was made all references of its members go, whatever their label.
    if selection.kind in of and not made and of[selection.kind] != selection.value:
        return Verdict(False, NOT_SELECTED)
    facts = Facts.of(row.enrolled_at, said)
    if selection.include_held:
        facts = replace(facts, hold=False)
    if selection.kind == "expired":
        return judge(facts, rules, today)
    return Verdict(False, HOLD) if facts.hold else Verdict(True, selection.rule)
