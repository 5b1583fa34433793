"""`fr purge`: delete for good."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fr_cli.cli import consent
from fr_cli.cli.options import Wait, Yes
from fr_cli.cli.output import plain, table
from fr_cli.cli.wiring import Session, session_of
from fr_cli.errors import UsageProblem
from fr_cli.records import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fr_cli.gallery.selection import Plan, Selection
    from fr_cli.operations.purge import PurgeReport

#: References of a dry run that are listed on the screen; --json has them all.
SHOWN = 20
SELECTORS = "--subject, --watchlist, --source, --expired, --all or --lift"


def purge(
    context: typer.Context,
    subject: Annotated[str | None, typer.Option("--subject", help="This subject.")] = None,
    watchlist: Annotated[
        str | None, typer.Option("--watchlist", help="The references on this watchlist.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="The references of this source.")
    ] = None,
    expired: Annotated[
        bool, typer.Option("--expired", help="What the policy's retention lets go; never asks.")
    ] = False,
    everybody: Annotated[bool, typer.Option("--all", help="Everybody; needs --yes.")] = False,
    lift: Annotated[
        str | None, typer.Option("--lift", help="Let this purged subject be enrolled again.")
    ] = None,
    include_held: Annotated[
        bool, typer.Option("--include-held", help="References on hold too.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would go, and what keeps the rest.")
    ] = False,
    reason: Annotated[
        str, typer.Option("--reason", help="Why, for the log and the certificate; no name.")
    ] = "",
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="Write the signed certificate here.")
    ] = None,
    yes: Yes = False,
    ask: consent.Ask = None,
    approved: consent.Approved = None,
    signature: consent.Signature = None,
    override: consent.Override = "",
    wait: Wait = None,
) -> None:
    """Delete subjects for good: one, those of a watchlist or source, the expired, or all.

    When this returns, no search finds them, no key opens their templates, and no feed brings them
    back. Whoever has references elsewhere keeps those. A hold keeps a reference from all of this.
    """
    session = session_of(context)
    given = consent.given(ask, approved, signature, override)
    chosen = _chosen(subject, watchlist, source, expired, everybody, lift)
    if lift is not None:
        if dry_run or include_held or certificate:
            raise UsageProblem("--lift goes with --reason and --yes only.", hint="Leave the rest.")
        if not (yes or ask):
            raise UsageProblem(
                "Lifting lets a purged person be enrolled again.", hint="Confirm it with --yes."
            )
        _lift(session, lift, reason, given, wait)
        return
    from fr_cli.gallery.selection import Selection
    from fr_cli.operations.purge import Order, preview
    from fr_cli.operations.purge import purge as delete

    if dry_run and certificate:
        raise UsageProblem("A dry run has nothing to certify.", hint="Leave out --certificate.")
    selection = Selection(*chosen, include_held)
    if dry_run:
        with session.bench(wait=wait) as bench:
            plan = preview(selection, bench)
        session.output.show(_plan_document(plan), *_plan_pictures(plan))
        return
    if not ask:
        _confirm(session, selection, yes=yes)
    with session.bench(wait=wait) as bench, consent.seconded(session, bench, given):
        report = delete(Order(selection, reason, certificate), bench)
    session.output.show(document(report), *pictures(report))


def _chosen(
    subject: str | None,
    watchlist: str | None,
    source: str | None,
    expired: bool,
    everybody: bool,
    lift: str | None,
) -> tuple[Any, str]:
    """The one selector that is given, with its value."""
    given = {"subject": subject, "watchlist": watchlist, "source": source, "lift": lift}
    named = [(kind, value) for kind, value in given.items() if value is not None]
    flags = [(kind, "") for kind, on in (("expired", expired), ("all", everybody)) if on]
    if len(named) + len(flags) != 1:
        raise UsageProblem(
            "Exactly one selector says what to purge.", hint=f"Give one of {SELECTORS}."
        )
    if named and not named[0][1]:
        raise UsageProblem(
            f"--{named[0][0]} is empty.", hint="Check the variable that should hold its value."
        )
    return [*named, *flags][0]


def _confirm(session: Session, selection: Selection, *, yes: bool) -> None:
    if yes or selection.kind == "expired":  # the policy has decided that one
        return
    if selection.kind == "all" or not session.asks:
        raise UsageProblem("Deleting cannot be undone.", hint="Confirm it with --yes.")
    what = "this subject" if selection.kind == "subject" else f"all of {selection.rule}"
    typer.confirm(f"Delete {what} for good?", abort=True, err=True)


def _lift(
    session: Session, subject_id: str, reason: str, given: consent.Given, wait: float | None
) -> None:
    from fr_cli.operations.purge import lift

    with session.bench(wait=wait) as bench, consent.seconded(session, bench, given):
        lifted = lift(subject_id, reason, bench)
    session.output.show(
        {"schema": "fr/purge-lift/1", "subject_id": subject_id, "lifted": lifted},
        plain(f"{subject_id} may be enrolled again ({counted(lifted, 'mark')} removed)."),
    )


def document(report: PurgeReport) -> dict[str, Any]:
    """The JSON document `fr/purge/1`."""
    return {
        "schema": "fr/purge/1",
        "subject_id": report.subject_id,
        "subjects": report.subjects,
        "in_part": report.in_part,
        "references": report.references,
        "photos": report.photos,
        "finished": report.finished,
        "shared_images": report.shared_images,
        "marks_ended": report.marks_ended,
        "kept": [{"rule": rule, "references": n} for rule, n in report.kept.items()],
        "warnings": _doubts(report.doubts),
        "generation": report.generation,
        "certificate": report.certificate,
        "audit": asdict(report.head),
    }


def pictures(report: PurgeReport) -> list[RenderableType]:
    """What was deleted, in words."""
    if report.subject_id is not None and not report.in_part:
        count = counted(report.references, "reference")
        first = f"{report.subject_id} is deleted: {count} and the key."
    else:
        first = (
            f"Deleted: {counted(report.references, 'reference')}. Gone with their keys: "
            f"{counted(report.subjects, 'person', 'people')}; {report.in_part:,} with other "
            "references that stay."
        )
    lines: list[RenderableType] = [plain(first)]
    if report.photos:
        lines.append(plain(f"{counted(report.photos, 'kept photo')} gone with it."))
    if report.finished:
        lines.append(
            plain(f"Finished, for they were cut short: {counted(report.finished, 'purge')}.")
        )
    if report.shared_images:
        lines.append(
            plain(
                f"Enrolled under another subject too, and still found there: "
                f"{counted(report.shared_images, 'photo')} of theirs.",
                "yellow",
            )
        )
    if report.marks_ended:
        lines.append(
            plain(f"{report.marks_ended:,} marks of purges of long ago keep nobody out any more.")
        )
    lines += [plain(text, "yellow") for text in _doubts(report.doubts)]
    if report.references or report.subjects:
        lines.append(
            plain(
                "No search finds what is deleted, and no feed brings it back. Copies of the key "
                "file in backups, and the source of the photos, are outside of what fr can delete."
            )
        )
    if until := report.certificate["certificate"]["complete_after"]:
        lines.append(
            plain(f"Backups from before can be read until {until}; none brings them back.")
        )
    return [*lines, plain(f"Entry {report.head.size} of the audit log.", "dim")]


def _doubts(doubts: Any) -> list[str]:
    return [
        f"Kept in doubt, {counted(count, 'reference')}: {rule}." for rule, count in doubts.items()
    ]


def _plan_document(plan: Plan) -> dict[str, Any]:
    def listed(one: Any) -> dict[str, str]:
        return {"subject_id": one.subject_id, "reference_id": one.reference_id, "rule": one.rule}

    return {
        "schema": "fr/purge-dry-run/1",
        "subjects": sum(one.whole for one in plan.going),
        "in_part": sum(not one.whole for one in plan.going),
        "going": [listed(reference) for one in plan.going for reference in one.references],
        "staying": [listed(one) for one in plan.staying],
        "kept": [{"rule": rule, "references": count} for rule, count in plan.kept.items()],
        "warnings": _doubts(plan.doubts),
    }


def _plan_pictures(plan: Plan) -> list[RenderableType]:
    going = [reference for one in plan.going for reference in one.references]
    rows = table("", "Subject", "Reference", "Rule")
    for word, some in (("would go", going), ("kept", plan.staying)):
        for one in some[:SHOWN]:
            rows.add_row(word, plain(one.subject_id), plain(one.reference_id), plain(one.rule))
        if len(some) > SHOWN:
            rows.add_row("", plain(f"… and {len(some) - SHOWN:,} more; --json lists all."), "", "")
    whole = sum(one.whole for one in plan.going)
    lines: list[RenderableType] = [rows] if going or plan.staying else []
    lines.append(
        plain(
            f"Would go: {counted(len(going), 'reference')}; {counted(whole, 'person', 'people')} "
            f"with their keys, {len(plan.going) - whole:,} with other references that stay."
        )
    )
    lines += [plain(f"{count:,} would be kept: {rule}.") for rule, count in plan.kept.items()]
    return [*lines, *(plain(text, "yellow") for text in _doubts(plan.doubts))]
