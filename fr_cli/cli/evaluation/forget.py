"""`fr evaluate --forget-cache`: only destroy the kept templates."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from fr_cli.cli.output import plain

if TYPE_CHECKING:
    from fr_cli.cli.wiring import Session


def forget(session: Session) -> None:
    """Destroy them, and say how many there were."""
    from fr_cli.operations.cache import forget_by_act

    with session.bench() as bench:
        count, head = forget_by_act(bench)
    session.output.show(
        {
            "schema": "fr/evaluate-forget-cache/1",
            "forgotten": count,
            "audit": asdict(head),
        },
        plain(f"{count:,} templates of evaluation photos are forgotten: their keys are destroyed."),
    )
