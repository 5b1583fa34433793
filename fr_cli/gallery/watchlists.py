"""Watchlists that somebody made: people who may be searched for, each for a reason, until a day.

What the feed calls a watchlist is a label of a reference. A name means the watchlist that was
made under it, from then on and for good; else the references that the feed gives this label.
Members are people: all of a member's references are compared, also those enrolled later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from fr_cli.errors import GalleryMissing, NotAllowed
from fr_cli.gallery.database import Database

#: Stands for every watchlist that is open, and every label of the feed.
ALL = "all"

_COLUMNS = (
    "SELECT pk, uid, name, purpose, authoriser, expires, size_limit, created_at, created_by, "
    "closed_at, (SELECT count(*) FROM members WHERE watchlist = watchlists.pk) FROM watchlists"
)


@dataclass(frozen=True)
class Watchlist:
    """What a watchlist is for, who answers for it, and how many people stand on it.

    `expires` is the last day on which it may be searched, `closed_at` empty until it is closed.
    """

    pk: int
    uid: str
    name: str
    purpose: str
    authoriser: str
    expires: str
    size_limit: int
    created_at: str
    created_by: str
    closed_at: str
    members: int

    def state(self, today: date) -> Literal["open", "expired", "closed"]:
        """Whether it may be searched."""
        if self.closed_at:
            return "closed"
        return "expired" if self.expires < today.isoformat() else "open"

    def refuse_closed(self) -> None:
        """NotAllowed if it is closed."""
        if self.closed_at:
            raise NotAllowed(
                f"The watchlist {self.name!r} was closed on {self.closed_at[:10]}.",
                hint="Make another one, under another name: fr watchlist create",
            )

    def refuse_over(self, today: date) -> None:
        """NotAllowed if it is closed or has expired."""
        self.refuse_closed()
        if self.state(today) == "expired":
            raise NotAllowed(
                f"The watchlist {self.name!r} expired on {self.expires}.",
                hint="Close it (fr watchlist close), and make another one if it is still needed.",
            )


@dataclass(frozen=True)
class Member:
    """Who stands on a watchlist, since when, by whom and why."""

    subject_id: str
    subject_uid: str
    references: int
    reason: str
    added_at: str
    added_by: str


def all_watchlists(store: Database) -> list[Watchlist]:
    """Every watchlist that was ever made, by name."""
    return [Watchlist(*row) for row in store.db.execute(f"{_COLUMNS} ORDER BY name")]


def watchlist(store: Database, name: str) -> Watchlist | None:
    """The watchlist that was made under this name."""
    row = store.db.execute(f"{_COLUMNS} WHERE name = ?", (name,)).fetchone()
    return None if row is None else Watchlist(*row)


def labels(store: Database, *, empty: bool = False) -> dict[str, int]:
    """What the feed calls watchlists, and how many references have each as their label.

    With `empty`, how many have none, too. All of an index, less the few that are being purged: who
    those are stands in another table, and to ask it of each reference takes ten times as long.
    """
    wanted = "watchlist >= ''" if empty else "watchlist > ''"
    rows = store.db.execute(
        "SELECT name, sum(number) FROM ("  # noqa: S608
        f"SELECT watchlist AS name, count(*) AS number FROM refs WHERE {wanted} GROUP BY 1 "
        "UNION ALL SELECT watchlist, -1 FROM subjects JOIN refs ON subject = subjects.pk "
        f"WHERE state = 'purging' AND {wanted}) GROUP BY 1 HAVING sum(number) > 0 ORDER BY 1"
    )
    return {str(name): int(count) for name, count in rows}


def create(store: Database, new: Watchlist) -> int:
    """Store a new watchlist without anybody on it; returns its pk. Within a transaction."""
    cursor = store.db.execute(
        "INSERT INTO watchlists (uid, name, purpose, authoriser, expires, size_limit, created_at, "
        "created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            new.uid, new.name, new.purpose, new.authoriser, new.expires, new.size_limit,
            new.created_at, new.created_by,
        ),
    )  # fmt: skip
    return int(cursor.lastrowid or 0)


def members(store: Database, pk: int) -> list[Member]:
    """Who stands on a watchlist, in the order in which they were added."""
    rows = store.db.execute(
        "SELECT subject_id, uid, (SELECT count(*) FROM refs WHERE refs.subject = members.subject), "
        "reason, added_at, added_by FROM members JOIN subjects ON subjects.pk = subject "
        "WHERE watchlist = ? ORDER BY added_at, subject",
        (pk,),
    )
    return [Member(*row) for row in rows]


def standing(store: Database) -> dict[int, dict[str, str]]:
    """Who (pk of the subject) stands on which watchlists (by name), each with the reason."""
    rows = store.db.execute(
        "SELECT subject, name, reason FROM members JOIN watchlists ON watchlists.pk = watchlist "
        "ORDER BY name"
    )
    found: dict[int, dict[str, str]] = {}
    for subject, name, reason in rows:
        found.setdefault(subject, {})[name] = reason
    return found


def member_uids(store: Database, pk: int) -> dict[int, str]:
    """The subjects (pk) on a watchlist, each with the random id."""
    rows = store.db.execute(
        "SELECT subject, uid FROM members JOIN subjects ON subjects.pk = subject "
        "WHERE watchlist = ?",
        (pk,),
    )
    return {int(subject): str(uid) for subject, uid in rows}


def add(
    store: Database, pk: int, subjects: Iterable[int], reason: str, when: str, who: str
) -> None:
    """Put subjects on a watchlist; within a transaction."""
    store.db.executemany(
        "INSERT INTO members VALUES (?, ?, ?, ?, ?)",
        [(pk, subject, reason, when, who) for subject in subjects],
    )


def remove(store: Database, pk: int, subjects: Iterable[int]) -> None:
    """Take subjects off a watchlist; within a transaction."""
    store.db.executemany(
        "DELETE FROM members WHERE watchlist = ? AND subject = ?",
        [(pk, subject) for subject in subjects],
    )


def close(store: Database, uids: Collection[str], when: str) -> None:
    """End watchlists for good, by random id: nobody stands on them, nor who did, nor why.

    The name stays, and is not used again. Raises GalleryLocked while a reader keeps what is
    deleted in the write-ahead log; then nobody is on them, and the same call finishes it.
    """
    with store.transaction():
        store.db.executemany(
            "DELETE FROM members WHERE watchlist = (SELECT pk FROM watchlists WHERE uid = ?)",
            [(uid,) for uid in uids],
        )
    store.scrub()
    with store.transaction():
        store.db.executemany(
            "UPDATE watchlists SET closed_at = ? WHERE uid = ? AND closed_at = ''",
            [(when, uid) for uid in uids],
        )


def watched(store: Database, names: Collection[str], today: date) -> list[int]:
    """The references (pk) on these watchlists, each once.

    NotAllowed for one that is closed or has expired, GalleryMissing for one without anybody:
    a slip of the pen must not narrow a search.
    """
    made = {one.name: one for one in all_watchlists(store)}
    if ALL in names:
        names = [name for name, one in made.items() if one.state(today) == "open" and one.members]
        names += [name for name in labels(store) if name not in made]
        if not names:
            raise GalleryMissing("Nobody is enrolled on any watchlist.")
    found: dict[int, None] = {}
    for name in names:
        if one := made.get(name):
            one.refuse_over(today)
            pks = _references_of_members(store, one.pk)
        else:
            pks = _references_labelled(store, name)
        if not pks:
            raise GalleryMissing(
                f"Nobody is enrolled on the watchlist {name!r}.",
                hint="See the names, and who is on which: fr watchlist list",
            )
        found |= dict.fromkeys(pks)
    return [*found]


def _references_of_members(store: Database, pk: int) -> list[int]:
    rows = store.db.execute(
        "SELECT refs.pk FROM members JOIN refs ON refs.subject = members.subject "
        "WHERE members.watchlist = ?",
        (pk,),
    )
    return [int(reference) for (reference,) in rows]


def _references_labelled(store: Database, label: str) -> list[int]:
    rows = store.db.execute("SELECT pk FROM refs WHERE watchlist = ?", (label,))
    return [int(reference) for (reference,) in rows]
