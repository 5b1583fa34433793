"""Delete for good: unfindable at once, templates unreadable everywhere, and never brought back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from fr_cli.audit.canonical import JSON
from fr_cli.audit.log import Act
from fr_cli.errors import NotAllowed, SubjectUnknown, UsageProblem
from fr_cli.gallery import purging, suppression
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.purging import Purged
from fr_cli.gallery.retention import HOLD
from fr_cli.gallery.selection import Plan, Selection, select
from fr_cli.operations import cache
from fr_cli.operations.approvals import approved
from fr_cli.operations.backup import last_expiry
from fr_cli.operations.bench import Bench
from fr_cli.operations.certificate import GRADE, CertificateFile, certify
from fr_cli.operations.erasures import announce, described, root
from fr_cli.operations.grounds import why
from fr_cli.operations.standing import changing
from fr_cli.records import Head, counted, utc


@dataclass(frozen=True)
class Order:
    """What to delete, why (for the log and the certificate), and where the certificate goes."""

    selection: Selection
    reason: str = ""
    certificate: Path | None = None


@dataclass(frozen=True)
class PurgeReport:
    """What was deleted; the subject's id of the feed is shown to the operator, not logged.

    Of the references, `photos` had kept theirs; `in_part` subjects keep other references;
    `finished` were begun by commands cut short; `shared_images` are photos that somebody else
    has too, under whose id they are still found.
    """

    subject_id: str | None
    subjects: int
    in_part: int
    references: int
    photos: int
    finished: int
    shared_images: int
    marks_ended: int
    kept: Mapping[str, int]
    doubts: Mapping[str, int]
    generation: int
    certificate: dict[str, Any]
    head: Head


@dataclass(frozen=True)
class _Done:
    """What a purge did; `finished` are those of other commands."""

    plan: Plan
    purged: list[Purged]
    finished: list[Purged]
    shared_images: int
    generation: int
    epoch: int

    @property
    def counts(self) -> dict[str, int]:
        return {
            "subjects": sum(one.whole for one in self.purged),
            "in_part": sum(not one.whole for one in self.purged),
            "references": sum(len(one.reference_uids) for one in self.purged),
            "photos": sum(one.photos for one in self.purged),
        }


def purge(order: Order, bench: Bench) -> PurgeReport:
    """Delete what the order selects; see `gallery/purging.py` for the steps.

    Raises SubjectUnknown or UsageProblem if nothing is selected by name, NotAllowed if all that
    is selected is on hold.
    """
    selection = order.selection
    intent = _intent(selection) | why(order.reason)
    bench.site.refuse_inside(order.certificate)
    with CertificateFile(order.certificate) as file:
        with (
            bench.act("purge", "erasure", **intent) as act,
            bench.gallery(act) as gallery,
            changing(gallery, act) as finished,
        ):
            done = _delete(selection, gallery, bench, act, finished)
            complete_after = last_expiry(bench)
            ended = _end_marks(gallery, bench) if selection.kind == "expired" else 0
            act.decide(
                **done.counts,
                marks_ended=ended,
                complete_after=complete_after,
                kept=done.plan.kept.total(),
                root=root(done.purged),
                generation=done.generation,
                epoch=done.epoch,
                grade=GRADE,
            )
        what = _certified(order, done) | {"act": act.id, "policy": bench.policy_digest}
        certificate = certify(what, bench.site.origin, act.head, bench.audit.signer, complete_after)
        file.write(certificate)
    return PurgeReport(
        subject_id=selection.value if selection.kind == "subject" else None,
        **done.counts,
        finished=len(done.finished),
        shared_images=done.shared_images,
        kept=dict(done.plan.kept),
        doubts=dict(done.plan.doubts),
        marks_ended=ended,
        generation=done.generation,
        certificate=certificate,
        head=act.head,
    )


def _end_marks(gallery: Gallery, bench: Bench) -> int:
    """What the policy lets come back: marks of purges of before so many days."""
    days = bench.policy.suppression_days
    if days is None:
        return 0
    return suppression.end_older_than(gallery.store, utc(datetime.now(UTC) - timedelta(days=days)))


def _delete(
    selection: Selection,
    gallery: Gallery,
    bench: Bench,
    act: Act,
    finished: Sequence[Purged],
) -> _Done:
    plan = select(gallery.store, selection, bench.policy.retention, _today())
    # The same command may be run again after it was cut short: then those are its own.
    alias = gallery.alias(selection.value) if selection.kind == "subject" else None
    again = [one for one in finished if one.alias == alias]
    others = [one for one in finished if one.alias != alias]
    if not plan.going and not again:
        _refuse_nothing(selection, plan, resumed=bool(finished))
    if plan.going:
        approved(bench, _kind(selection, plan), plan.extent(selection))
    purged = purging.planned(gallery, plan.going)
    # On disk before the point of no return: no purge that is cut short lacks its trace.
    announce(purged, act)
    # Before the point of no return too: done twice it does no harm, and a crash cannot skip it.
    _forget_cached(plan, selection, bench)
    generation = int(gallery.store.meta("generation"))
    if plan.going:
        generation = purging.purge(gallery, plan.going)
    shared = sum(
        gallery.store.others_with_image(one.subject_id, one.image_key)
        for going in plan.going
        for one in going.references
    )
    return _Done(plan, [*again, *purged], others, shared, generation, gallery.wrapping.epoch)


def _kind(selection: Selection, plan: Plan) -> str:
    """As what a policy may give this to two people; "" for what its own schedule does."""
    if selection.kind == "expired" and not selection.include_held:
        return ""
    return "bulk-delete" if len(plan.going) > 1 else "purge"


def _forget_cached(plan: Plan, selection: Selection, bench: Bench) -> None:
    """Templates that an evaluation kept of the same photos go too, all of them with everybody."""
    site, key = bench.site, bench.site_key
    if selection.kind == "all":
        cache.forget(site, key)
        return
    images = [one.image_key for going in plan.going for one in going.references]
    cache.forget_photos(site, key, images)
    cache.expire(site, key)


def _certified(order: Order, done: _Done) -> dict[str, JSON]:
    return {
        "selection": order.selection.rule,
        "rules": dict(done.plan.rules),
        "reason": order.reason or None,
        "subjects": described(done.purged),
        "references": done.counts["references"],
        "photos": done.counts["photos"],
        "root": root(done.purged),
        "finished": described(done.finished),
        "generation": done.generation,
        "epoch": done.epoch,
    }


def preview(selection: Selection, bench: Bench) -> Plan:
    """What a purge would delete, and which rule keeps each of the rest; changes nothing."""
    intent = _intent(selection)
    with (
        bench.act("purge", "administration", dry_run=True, **intent) as act,
        bench.gallery(act) as gallery,
    ):
        with gallery.store.snapshot():
            plan = select(gallery.store, selection, bench.policy.retention, _today(), listing=True)
        act.decide(subjects=len(plan.going), references=plan.rules.total(), kept=plan.kept.total())
    return plan


def lift(subject_id: str, reason: str, bench: Bench) -> int:
    """Let a purged subject be enrolled again, and their photos; how many marks were removed.

    Raises SubjectUnknown if nobody of that id was purged.
    """
    with (
        bench.act("purge", "administration", lift=True, **why(reason)) as act,
        bench.gallery(act) as gallery,
        changing(gallery, act),
    ):
        approved(bench, "lift", {"subject_id": subject_id})
        lifted = suppression.lift(gallery.store, gallery.alias(subject_id))
        if not lifted:
            raise SubjectUnknown(f"Nobody was purged as {subject_id!r}.")
        act.decide(lifted=lifted)
    return lifted


def _refuse_nothing(selection: Selection, plan: Plan, *, resumed: bool) -> None:
    """Nothing is selected: well if a rule selects or the command is a second try, else a slip."""
    if selection.kind in ("expired", "all") or (resumed and selection.kind != "subject"):
        return
    held = plan.kept[HOLD]
    if held:
        raise NotAllowed(
            f"All that is selected is on hold: {counted(held, 'reference')}.",
            hint="Lift the hold in the feed and enrol it, or add --include-held.",
        )
    if selection.kind == "subject":
        raise SubjectUnknown(f"Nobody is enrolled as {selection.value!r}.")
    raise UsageProblem(
        f"No reference is of the {selection.kind} {selection.value!r}.",
        hint="See the names with: fr gallery stats",
    )


def _intent(selection: Selection) -> dict[str, JSON]:
    intent: dict[str, JSON] = {"scope": selection.kind}
    if selection.kind in ("watchlist", "source"):
        intent["name"] = selection.value
    if selection.include_held:
        intent["include_held"] = True
    return intent


def _today() -> date:
    return datetime.now(UTC).date()
