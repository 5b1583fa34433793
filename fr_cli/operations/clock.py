"""The clock is right, and the log's time was wrong: said by a person, in the log."""

from __future__ import annotations

from fr_cli.operations.bench import CORRECTION, Bench
from fr_cli.operations.grounds import why
from fr_cli.records import Head


def correct(reason: str, bench: Bench) -> Head:
    """Let acts go on from the clock as it is, though the log goes further."""
    with bench.act(CORRECTION, "administration", **why(reason)) as act:
        pass
    return act.head
