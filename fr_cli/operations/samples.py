"""Draw a dip sample: references for people to look at, so that the data's accuracy is known.

What was drawn, from what and by which seed is in the log, by random ids; with these and the seed
anybody can repeat the draw (casework/samples.py).
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from fr_cli.audit.canonical import JSON
from fr_cli.audit.log import Act
from fr_cli.audit.merkle import root_of
from fr_cli.casework import samples as rules
from fr_cli.casework.watchlists import check_text
from fr_cli.errors import GalleryMissing, UsageProblem
from fr_cli.gallery.frame import Described, described
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.watchlists import all_watchlists, standing, watched
from fr_cli.operations.bench import Bench
from fr_cli.operations.drawn import DRAW
from fr_cli.operations.reviewing import Item, items_of
from fr_cli.records import Head, Listener

#: Random ids in one entry of the log, whose lines are bounded.
BATCH = 1000
#: Letters of a stratum's name in the log.
LONGEST = 100
NONE, ALL = "(none)", "(all)"

By = Literal["watchlist", "source", "lawful_basis", "retention"]
BY: tuple[By, ...] = ("watchlist", "source", "lawful_basis", "retention")


@dataclass(frozen=True)
class Order:
    """How many to draw, or how precisely the rate is to be known where about `expect` are wrong.

    Of these watchlists, or of the whole gallery; stratified by these columns. Without a seed one
    is drawn.
    """

    size: int | None = None
    precision: float | None = None
    expect: float = 0.05
    watchlists: tuple[str, ...] = ()
    by: tuple[By, ...] = ("watchlist", "source")
    seed: str = ""


@dataclass(frozen=True)
class Sample:
    """What was drawn: of each stratum how many of how many; `frame` is stratum by random id."""

    id: str
    seed: str
    strata: Mapping[str, tuple[int, int]]
    items: tuple[Item, ...]
    frame: Mapping[str, str]
    keeps_photos: bool
    head: Head

    @property
    def references(self) -> int:
        """How many references it was drawn from."""
        return len(self.frame)


def draw(order: Order, bench: Bench, listener: Listener) -> Sample:
    """Draw a sample, and gather what a reviewer must see of it.

    GalleryMissing if there is nobody to draw from; UsageProblem for a size that cannot reach
    every stratum, or one that cannot be; NotAllowed for a watchlist that is over.
    """
    if order.seed:
        check_text("A seed", order.seed)
    seed = order.seed or secrets.token_hex(16)
    asked: dict[str, JSON] = {
        "policy": bench.policy_digest, "seed": seed, "by": order.by,
        "watchlists": order.watchlists,
    }  # fmt: skip
    with bench.act(DRAW, "consultation", **asked) as act, bench.gallery(act) as gallery:
        with gallery.store.snapshot():
            names, rows = _frame(gallery, order)
        frame: dict[str, list[str]] = defaultdict(list)
        for uid, name in names.items():
            frame[name].append(uid)
        chosen = rules.drawn(seed, _size(order, len(rows)), frame)
        strata = {name: (len(ids), len(frame[name])) for name, ids in sorted(chosen.items())}
        _record(act, chosen, frame)
        ids = [(name, uid) for name in strata for uid in chosen[name]]
        shown = [(name, rows[uid]) for name, uid in ids]
        items = tuple(items_of(shown, gallery, bench, listener))
        act.decide(
            drawn=len(items), references=len(rows), strata=len(strata),
            photos=sum(bool(one.face) for one in items), root=root_of(uid for _, uid in ids),
            frame_root=root_of(sorted(f"{uid}/{name}" for uid, name in names.items())),
        )  # fmt: skip
    return Sample(act.id, seed, strata, items, names, bench.policy.keep_photos, act.head)


def size_for(
    precision: float, expect: float, population: int | None, bench: Bench | None
) -> tuple[int, int | None]:
    """How many must be looked at, of how many; of the gallery, if a bench is given."""
    if bench is not None:
        with bench.act("sample size", "administration") as act, bench.gallery(act) as gallery:
            population = gallery.count("refs")
            act.decide(references=population)
    return _needed(precision, expect, population), population


def _size(order: Order, references: int) -> int:
    if not references:
        raise GalleryMissing("Nobody is enrolled, so there is nothing to draw from.")
    if (order.size is None) == (order.precision is None):
        raise UsageProblem(
            "Either the size or the precision says how many to draw.",
            hint="Give --size N, or --precision 0.02.",
        )
    if order.precision is not None:
        return _needed(order.precision, order.expect, references)
    assert order.size is not None
    if order.size < 1:
        raise UsageProblem("A sample has at least one reference.", hint="Give a larger --size.")
    return order.size


def _needed(precision: float, expect: float, population: int | None) -> int:
    from fr_cli.evaluation.finite_population import size_for

    try:
        return size_for(precision, expect, population)
    except ValueError as trouble:
        raise UsageProblem(
            f"This precision cannot be: {trouble}.", hint="Write --precision 0.02 --expect 0.05."
        ) from trouble


def _frame(gallery: Gallery, order: Order) -> tuple[dict[str, str], dict[str, Described]]:
    """What is drawn from, by random id: the stratum, and the reference."""
    store, today = gallery.store, datetime.now(UTC).date()
    among = set(watched(store, order.watchlists, today)) if order.watchlists else None
    on, made = standing(store), {one.name for one in all_watchlists(store)}
    rows = {one.uid: one for one in described(store) if among is None or one.pk in among}
    names = {}
    for uid, one in rows.items():
        label = one.columns["watchlist"]
        lists = sorted({*on.get(one.subject, ()), *([label] if label not in {"", *made} else [])})
        values = {**one.columns, "watchlist": " + ".join(lists)}
        names[uid] = ", ".join((values[column] or NONE)[:LONGEST] for column in order.by) or ALL
    return names, rows


def _record(
    act: Act, chosen: Mapping[str, Sequence[str]], frame: Mapping[str, Sequence[str]]
) -> None:
    """The sample, by random ids, in entries of which each is of one stratum."""
    for name, ids in sorted(chosen.items()):
        for first in range(0, len(ids), BATCH):
            some = ids[first : first + BATCH]
            act.batch(stratum=name, references=len(frame[name]), drawn=[*some])
