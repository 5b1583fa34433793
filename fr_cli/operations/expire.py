"""Entries of the log whose retention has ended: their bodies go, their hashes stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from fr_cli.audit.canonical import JSON
from fr_cli.audit.expiry import DEFAULT, expired
from fr_cli.audit.show import acts
from fr_cli.operations.audit import log_of
from fr_cli.operations.bench import Bench
from fr_cli.operations.in_force import in_force
from fr_cli.operations.standing import newest_state
from fr_cli.records import Head, Listener


@dataclass(frozen=True)
class ExpireReport:
    """How many acts and entries were erased, or would be; acts by command, and by what keeps them.

    `erasures` is how many entries of the log name what was erased.
    """

    dry_run: bool
    acts: int
    entries: int
    commands: Mapping[str, int]
    kept: Mapping[str, int]
    erasures: int
    head: Head


def expire(bench: Bench, listener: Listener, *, dry_run: bool = False) -> ExpireReport:
    """Erase the bodies of all acts that the policy's `audit_retention` lets go; or only count them.

    AuditBroken, before anything is erased, if the log is not what was signed.
    """
    intent: dict[str, JSON] = {"dry_run": True} if dry_run else {}
    with bench.act("audit expire", "administration", **intent) as act:
        rules = dict(bench.policy.audit_retention)
        days = rules.get("gallery backup", rules.get(DEFAULT))
        if days is not None:  # certificates say until when a backup opens: known so long
            rules["gallery backup"] = max(days, bench.policy.backup_days)
        reading = log_of(bench.site.home).read(listener=listener)
        # Where the gallery stands must be told by an entry that stays: this one repeats it.
        known = newest_state(bench.audit.path)
        needed = [known.state.act]
        if (evaluation := in_force(bench)) and not evaluation.over:
            needed.append(evaluation.act)
        found = expired(acts(reading), rules, datetime.now(UTC), leave=act.id, needed=needed)
        batches = [] if dry_run else [*found.batches()]
        for batch in listener.track(batches, "Erasing", len(batches)):
            bench.audit.erase(batch, "retention")
        act.decide(acts=len(found.over), entries=found.entries, kept=found.kept.total())
        act.decide(**known.repeated())
    return ExpireReport(
        dry_run=dry_run,
        acts=len(found.over),
        entries=found.entries,
        commands=dict(found.commands),
        kept=dict(found.kept),
        erasures=len(batches),
        head=act.head,
    )
