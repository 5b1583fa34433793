"""Bring a home that an older version of fr made up to this one."""

from __future__ import annotations

from dataclasses import dataclass

from fr_cli.gallery.lock import locked
from fr_cli.gallery.store import Store
from fr_cli.operations.bench import Bench
from fr_cli.records import Head


@dataclass(frozen=True)
class Upgraded:
    """The schemas that the gallery went through; empty if there was nothing to do."""

    gallery: tuple[int, ...]
    head: Head


def upgrade(bench: Bench) -> Upgraded:
    """Upgrade the gallery, each step all or nothing; run it again where it was cut short.

    Settings and policies of older homes are read as they are. Raises ConfigurationError for a
    gallery of a later version.
    """
    with bench.act("upgrade", "alteration") as act:
        steps: list[int] = []
        if bench.site.database.exists():
            with locked(bench.site.gallery, bench.turn(act)):
                steps = Store.upgrade(bench.site.database)
        act.decide(gallery=[*steps])
    return Upgraded(tuple(steps), act.head)
