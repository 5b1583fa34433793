"""The gallery as a table: every reference with all that is said of it, for queries and samples."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fr_cli.gallery.database import Database

#: What a feed says of a reference under a name of its own; free columns stand beside these.
NAMED = (
    "watchlist", "source", "captured_at", "lawful_basis", "retention", "review_date", "hold",
)  # fmt: skip


@dataclass(frozen=True)
class Described:
    """A reference of an active subject; `columns` are the feed's words, free columns too."""

    pk: int
    uid: str
    reference_id: str
    subject: int
    subject_uid: str
    subject_id: str
    enrolled_at: str
    columns: Mapping[str, str]


def described(store: Database) -> Iterator[Described]:
    """Every reference that may be found, in the order of enrolment."""
    rows = store.db.execute(
        "SELECT refs.pk, refs.uid, reference_id, subject, subjects.uid, subject_id, "
        "refs.enrolled_at, watchlist, provenance "
        "FROM refs JOIN subjects ON subjects.pk = subject WHERE state = 'active' ORDER BY refs.pk"
    )
    for pk, uid, reference, subject, subject_uid, subject_id, enrolled, label, provenance in rows:
        said = json.loads(provenance)
        columns = dict(said["extra"]) | {name: said.get(name, "") for name in NAMED}
        columns["watchlist"] = label
        yield Described(pk, uid, reference, subject, subject_uid, subject_id, enrolled, columns)
