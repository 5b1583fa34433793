"""Delete a subject for good: unfindable at once, template unreadable everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from fr_cli.audit.entry import JSON
from fr_cli.audit.log import Act
from fr_cli.audit.merkle import root_of
from fr_cli.errors import SubjectUnknown
from fr_cli.gallery.gallery import Purged
from fr_cli.operations.bench import Bench
from fr_cli.records import Head


@dataclass(frozen=True)
class PurgeReport:
    """What was deleted; the subject's id of the feed is shown to the operator, not logged."""

    subject_id: str
    references: int
    generation: int
    head: Head


def purge(subject_id: str, bench: Bench) -> PurgeReport:
    """Delete one subject with all references and keys; see `Gallery.purge` for the order.

    Raises SubjectUnknown if nobody of that id is enrolled.
    """
    with (
        bench.audit.act("purge", "erasure", policy=bench.policy_digest, scope="subject") as act,
        bench.gallery() as gallery,
        gallery.writing() as finished,
    ):
        record_finished(finished, act)
        purged = next((one for one in finished if one.alias == gallery.alias(subject_id)), None)
        if purged is None:
            planned = gallery.purgeable(subject_id)
            if planned is None:
                raise SubjectUnknown(f"Nobody is enrolled as {subject_id!r}.")
            # On disk before the point of no return: no purge that is cut short lacks its trace.
            act.batch(**_described(planned))
            purged = gallery.purge(subject_id)
            assert purged is not None
        act.decide(
            **_described(purged),
            generation=purged.generation,
            # The key file lies on ordinary storage, so its old bytes may survive below the
            # file system; full-disk encryption is what covers those.
            grade="crypto-soft",
        )
    assert act.head is not None
    return PurgeReport(subject_id, len(purged.reference_uids), purged.generation, act.head)


def record_finished(finished: list[Purged], act: Act) -> None:
    """Record purges of earlier commands that were cut short, and that this act has finished."""
    for purged in finished:
        act.batch(finished_purge=_described(purged), generation=purged.generation)


def _described(purged: Purged) -> dict[str, JSON]:
    """Random ids only; the root makes each reference provable by its own."""
    return {
        "subject": purged.subject_uid,
        "references": len(purged.reference_uids),
        "root": root_of(purged.reference_uids),
    }
