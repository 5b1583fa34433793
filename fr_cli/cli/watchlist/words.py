"""What a change of a watchlist did, for scripts and for people."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fr_cli.cli.output import plain
from fr_cli.records import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fr_cli.gallery.watchlists import Watchlist
    from fr_cli.operations.watchlists import Changed, Closed


def state(one: Watchlist) -> str:
    """Whether it may be searched today: open, expired or closed."""
    return one.state(datetime.now(UTC).date())


def watchlist_document(one: Watchlist) -> dict[str, Any]:
    """A watchlist as documents show it."""
    return {
        "id": one.uid,
        "name": one.name,
        "state": state(one),
        "purpose": one.purpose,
        "authoriser": one.authoriser,
        "expires": one.expires,
        "limit": one.size_limit,
        "people": one.members,
        "created_at": one.created_at,
        "created_by": one.created_by,
        "closed_at": one.closed_at or None,
    }


def document(word: str, result: Changed) -> dict[str, Any]:
    """The JSON document of a change, such as `fr/watchlist-add/1`."""
    return {
        "schema": f"fr/watchlist-{word}/1",
        "watchlist": watchlist_document(result.watchlist),
        "selected": result.selected,
        "changed": result.changed,
        "already": result.already,
        "dry_run": result.dry_run,
        "audit": asdict(result.head),
    }


def pictures(word: str, result: Changed) -> list[RenderableType]:
    """What was done, in words."""
    one, would = result.watchlist, "would be " if result.dry_run else ""
    people = counted(result.changed, "person", "people")
    first = {
        "create": f"{one.name} {would or 'is '}made, with {people}.",
        "add": f"{people} {would or ''}added to {one.name}; on it before: {result.already:,}.",
        "remove": f"{people} {would or ''}taken off {one.name}; not on it before: "
        f"{result.already:,}. They stay enrolled.",
    }[word]
    size = f"{one.members:,} of {counted(one.size_limit, 'person', 'people')}"
    second = f"On it {would or 'are '}{size}, until {one.expires}."
    return [
        plain(first),
        plain(second),
        plain(f"Entry {result.head.size} of the audit log.", "dim"),
    ]


def closed_document(result: Closed) -> dict[str, Any]:
    """The JSON document `fr/watchlist-close/1`."""
    return {
        "schema": "fr/watchlist-close/1",
        "watchlists": [watchlist_document(one) for one in result.watchlists],
        "removed": result.removed,
        "audit": asdict(result.head),
    }


def closed_pictures(result: Closed) -> list[RenderableType]:
    """What was closed, in words."""
    names = ", ".join(one.name for one in result.watchlists)
    first = (
        f"{names}: closed, and who stood on it is deleted "
        f"({counted(result.removed, 'person', 'people')}). They stay enrolled."
    )
    return [
        plain(first if names else "No watchlist has expired."),
        plain(f"Entry {result.head.size} of the audit log.", "dim"),
    ]
