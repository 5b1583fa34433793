"""Which watchlists there are, and who stands on them; nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fr_cli.gallery import watchlists as lists
from fr_cli.gallery.watchlists import Member, Watchlist
from fr_cli.operations.bench import Bench
from fr_cli.operations.watchlists import found, safe


@dataclass(frozen=True)
class Listed:
    """The watchlists that were made, and how many references the feed gives each label.

    A label of the name of a watchlist that was made means nothing in a search.
    """

    watchlists: tuple[Watchlist, ...]
    labels: Mapping[str, int]


def listed(bench: Bench) -> Listed:
    """Every watchlist, closed ones too, and every label of the feed."""
    with bench.act("watchlist list", "administration") as act, bench.gallery(act) as gallery:
        with gallery.store.snapshot():
            result = Listed(tuple(lists.all_watchlists(gallery.store)), lists.labels(gallery.store))
        act.decide(watchlists=len(result.watchlists), labels=len(result.labels))
    return result


def shown(name: str, bench: Bench) -> tuple[Watchlist, list[Member]]:
    """A watchlist with who stands on it, why, since when and by whom."""
    with (
        bench.act("watchlist show", "consultation", name=safe(name)) as act,
        bench.gallery(act) as gallery,
        gallery.store.snapshot(),
    ):
        one = found(gallery.store, name)
        members = lists.members(gallery.store, one.pk)
        act.decide(watchlist=one.uid, members=len(members))
    return one, members
