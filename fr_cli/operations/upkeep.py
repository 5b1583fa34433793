"""Looking after the gallery: what is in it, whether it is whole, and building it anew."""

from __future__ import annotations

from fr_cli.gallery.inspection import Finding, Stats, inspect, measure
from fr_cli.operations.audit import log_of
from fr_cli.operations.backup import expired
from fr_cli.operations.bench import Bench
from fr_cli.operations.erasures import purged_by
from fr_cli.operations.restore import returned
from fr_cli.operations.standing import changing
from fr_cli.records import Listener, counted


def stats(bench: Bench) -> Stats:
    """Count what is enrolled."""
    with bench.act("gallery stats", "administration") as act, bench.gallery(act) as gallery:
        result = measure(gallery)
        act.decide(references=result.references, generation=result.generation)
    return result


def check(bench: Bench, listener: Listener) -> list[Finding]:
    """Open every key, template and file, and compare them with the database."""
    with bench.act("gallery check", "administration") as act, bench.gallery(act) as gallery:
        findings = inspect(gallery, listener)
        if again := returned(gallery, purged_by(log_of(bench.site.home), listener)):
            what = f"In the gallery again though they were purged: {counted(len(again), 'subject')}"
            findings.append(Finding(what, "fr gallery accept"))
        if expired(bench):
            what = "Keys of backups have expired and were not destroyed"
            findings.append(Finding(what, "fr gallery backup --expire"))
        act.decide(findings=len(findings))
        act.exit_code = 12 if findings else 0
    return findings


def rebuild(bench: Bench) -> int:
    """Build the generation anew from the sealed templates; returns its number."""
    with (
        bench.act("gallery rebuild", "administration") as act,
        bench.gallery(act) as gallery,
        changing(gallery, act),
    ):
        generation = gallery.rebuild(from_store=True)
        act.decide(generation=generation)
    return generation
