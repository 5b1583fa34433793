"""Watchlists: who may be searched for, why, until when, and who answers for it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from fr_cli.audit.canonical import JSON
from fr_cli.audit.log import Act
from fr_cli.audit.merkle import root_of
from fr_cli.casework import watchlists as rules
from fr_cli.errors import GalleryLocked, UsageProblem
from fr_cli.gallery import watchlists as lists
from fr_cli.gallery.store import Store
from fr_cli.gallery.watchlists import Watchlist
from fr_cli.operations.bench import Bench
from fr_cli.operations.erasures import CLOSE
from fr_cli.operations.grounds import why
from fr_cli.operations.people import People, selected_by
from fr_cli.operations.standing import changing
from fr_cli.records import Head, utc

#: Stands in the log for a text that is no name.
UNREADABLE = "(no name)"


@dataclass(frozen=True)
class Charter:
    """What a watchlist is for, who authorised it, its last day (ISO 8601), and its limit."""

    name: str
    purpose: str
    authoriser: str
    expires: str
    limit: int = rules.MOST


@dataclass(frozen=True)
class Changed:
    """What was done to a watchlist, or would be: how many people were `selected`, how many were
    put on it or taken off (`changed`), and how many needed nothing (`already`).
    """

    watchlist: Watchlist
    selected: int
    changed: int
    already: int
    dry_run: bool
    head: Head


def create(charter: Charter, people: People, bench: Bench, *, dry_run: bool = False) -> Changed:
    """Make a watchlist, with who is to stand on it.

    Raises as the rules of `casework.watchlists` do, and UsageProblem or SubjectUnknown if what
    was given means nobody.
    """
    new = Watchlist(
        0, secrets.token_hex(16), charter.name, charter.purpose, charter.authoriser,
        charter.expires, charter.limit, utc(datetime.now(UTC)), _account(bench), "", 0,
    )  # fmt: skip
    said: dict[str, JSON] = {
        "purpose": safe(charter.purpose),
        "authoriser": safe(charter.authoriser),
        "expires": safe(charter.expires),
        "limit": min(charter.limit, 2**50),
    }
    with _act("create", charter.name, people, bench, dry_run, **said) as (act, store):
        rules.check_new(new, _today(), bench.policy.operators)
        rules.check_free(new.name, lists.watchlist(store, new.name), lists.labels(store))
        selected = selected_by(people, store) if people.given else {}
        rules.check_room(new, len(selected))
        if not dry_run:
            with store.transaction():
                pk = lists.create(store, new)
                lists.add(store, pk, selected, people.reason, new.created_at, new.created_by)
        after = replace(new, members=len(selected))
        _decide(act, after, selected, added=len(selected))
    return _changed(act, after, selected, len(selected), dry_run)


def add(name: str, people: People, bench: Bench, *, dry_run: bool = False) -> Changed:
    """Put people on a watchlist; UsageProblem if all of them stand on it already."""
    with _act("add", name, people, bench, dry_run) as (act, store):
        one = found(store, name)
        one.refuse_over(_today())
        selected = selected_by(people, store)
        there = lists.member_uids(store, one.pk)
        fresh = {pk: uid for pk, uid in selected.items() if pk not in there}
        if not fresh:
            raise UsageProblem(
                f"Whoever is meant stands on the watchlist {name!r} already.",
                hint="Nothing was changed.",
            )
        rules.check_room(one, len(fresh))
        if not dry_run:
            with store.transaction():
                now = utc(datetime.now(UTC))
                lists.add(store, one.pk, fresh, people.reason, now, _account(bench))
        after = replace(one, members=one.members + len(fresh))
        _decide(act, after, fresh, added=len(fresh))
    return _changed(act, after, selected, len(fresh), dry_run)


def remove(name: str, people: People, bench: Bench, *, dry_run: bool = False) -> Changed:
    """Take people off a watchlist; they stay enrolled. UsageProblem if none stands on it."""
    with _act("remove", name, people, bench, dry_run) as (act, store):
        one = found(store, name)
        one.refuse_closed()
        selected = selected_by(people, store)
        there = lists.member_uids(store, one.pk)
        going = {pk: uid for pk, uid in selected.items() if pk in there}
        if not going:
            raise UsageProblem(
                f"Nobody of those who are meant stands on the watchlist {name!r}.",
                hint="See who does with: fr watchlist show",
            )
        if not dry_run:
            with store.transaction():
                lists.remove(store, one.pk, going)
            with suppress(GalleryLocked):  # a reader; the last to close the file empties it
                store.scrub(patience=1.0)
        after = replace(one, members=one.members - len(going))
        _decide(act, after, going, removed=len(going))
    return _changed(act, after, selected, len(going), dry_run)


@dataclass(frozen=True)
class Closed:
    """Which watchlists were closed, and how many memberships were deleted."""

    watchlists: tuple[Watchlist, ...]
    removed: int
    head: Head


def close(name: str | None, reason: str, bench: Bench) -> Closed:
    """End a watchlist for good, or all that have expired (None), which may be none.

    Who stood on it, and why, is deleted; they stay enrolled.
    """
    intent = {"policy": bench.policy_digest, "name": safe(name or ""), **why(reason)}
    intent |= {"expired": True} if name is None else {}
    with (
        bench.act(CLOSE, "erasure", **intent) as act,
        bench.gallery(act) as gallery,
        changing(gallery, act),
    ):
        store, now = gallery.store, utc(datetime.now(UTC))
        if name is None:
            everyone = lists.all_watchlists(store)
            ending = [one for one in everyone if one.state(_today()) == "expired"]
        else:
            ending = [found(store, name)]
            ending[0].refuse_closed()
        gone = [uid for one in ending for uid in lists.member_uids(store, one.pk).values()]
        uids = [one.uid for one in ending]
        lists.close(store, uids, now)
        act.decide(closed=uids, removed=len(gone), root=root_of(sorted(gone)))
    after = tuple(replace(one, members=0, closed_at=now) for one in ending)
    return Closed(after, len(gone), act.head)


def found(store: Store, name: str) -> Watchlist:
    """The watchlist that was made under this name; UsageProblem if none was."""
    one = lists.watchlist(store, name)
    if one is None:
        label = name in lists.labels(store)
        raise UsageProblem(
            f"{name!r} is a label of the feed, which alone says who has it."
            if label
            else f"There is no watchlist {name!r}.",
            hint="See them with: fr watchlist list",
        )
    return one


@contextmanager
def _act(
    word: str, name: str, people: People, bench: Bench, dry_run: bool, **said: JSON
) -> Iterator[tuple[Act, Store]]:
    """A change of a watchlist in the log, under the lock of the gallery."""
    asked: dict[str, JSON] = {"policy": bench.policy_digest, "name": safe(name), **said}
    if people.where:  # the columns alone: a value may be anything, also a name
        asked["where"] = [safe(text.partition("=")[0]) for text in people.where]
    if people.reason:
        asked["why"] = {"reason": safe(people.reason)}
    if dry_run:
        asked["dry_run"] = True
    kind = "administration" if dry_run else "alteration"
    with (
        bench.act(f"watchlist {word}", kind, **asked) as act,
        bench.gallery(act) as gallery,
        changing(gallery, act),
    ):
        if people.given:
            rules.check_text("The reason why people are on a watchlist", people.reason)
        yield act, gallery.store


def _decide(act: Act, one: Watchlist, changed: Mapping[int, str], **count: JSON) -> None:
    """Random ids alone: the root makes each change provable."""
    uids = sorted(changed.values())
    act.decide(watchlist=one.uid, members=one.members, root=root_of(uids), **count)


def _changed(
    act: Act, one: Watchlist, selected: Mapping[int, str], changed: int, dry_run: bool
) -> Changed:
    return Changed(one, len(selected), changed, len(selected) - changed, dry_run, act.head)


def safe(text: str) -> str:
    """A text as the intent has it, which is written before the text is judged."""
    return text if rules.is_text(text) else UNREADABLE


def _account(bench: Bench) -> str:
    return bench.person.user or str(bench.person.uid)


def _today() -> date:
    return datetime.now(UTC).date()
