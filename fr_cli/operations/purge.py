"""Delete a subject for good: unfindable at once, template unreadable everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from fr_cli.errors import SubjectUnknown
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
        gallery.writing(),
    ):
        purged = gallery.purge(subject_id)
        if purged is None:
            raise SubjectUnknown(f"Nobody is enrolled as {subject_id!r}.")
        act.decide(
            subject=purged.subject_uid,
            references=list(purged.reference_uids),
            generation=purged.generation,
            # The key file lies on ordinary storage, so its old bytes may survive below the
            # file system; full-disk encryption is what covers those.
            grade="crypto-soft",
        )
    assert act.head is not None
    return PurgeReport(subject_id, len(purged.reference_uids), purged.generation, act.head)
