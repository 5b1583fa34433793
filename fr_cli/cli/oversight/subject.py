"""What is held on one person, for that person: as text to hand out, or as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fr_cli.cli.output import plain, table
from fr_cli.cli.oversight.tables import clock
from fr_cli.records import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fr_cli.operations.subject_report import SubjectReport


def document(result: SubjectReport) -> dict[str, Any]:
    """The JSON document `fr/report-subject/1`."""
    person = result.person
    return {
        "schema": "fr/report-subject/1",
        "subject_id": result.subject_id,
        "to": result.recipient,
        "enrolled_at": person.enrolled_at or None,
        "purged_at": person.purged_at or None,
        "references": [asdict(one) for one in person.references],
        "watchlists": [
            {"name": name, "reason": reason} for name, reason in person.watchlists.items()
        ],
        "templates": len(person.references),
        "photos": person.photos,
        "searches": [asdict(one) for one in result.seen],
        "acts": [asdict(one) for one in result.touched],
        "audit": asdict(result.head),
    }


def pictures(result: SubjectReport) -> list[RenderableType]:
    """What the person, or who answers them, reads."""
    person = result.person
    lines: list[RenderableType] = [plain(f"What is held on {result.subject_id}", "bold")]
    if person.purged_at:
        lines.append(
            plain(
                f"Deleted on {person.purged_at[:10]}. A keyed hash of the id is kept, so that the "
                "same person is not enrolled again; it says nothing to anybody without the key."
            )
        )
    elif person.references:
        many = counted(len(person.references), "reference")
        kept = f"{person.photos:,} kept, sealed" if person.photos else "none kept"
        lines.append(
            plain(
                f"Enrolled since {person.enrolled_at[:10]}: {many}, each with a template (numbers "
                f"that describe the face, sealed). Photos: {kept}."
            )
        )
    for name, reason in person.watchlists.items():
        lines.append(plain(f"On the watchlist {name}: {reason}."))
    for one in person.references:
        rows = table("", "")
        rows.add_row("Reference", plain(one.reference_id))
        rows.add_row("Enrolled", plain(one.enrolled_at))
        if one.watchlist:
            rows.add_row("Watchlist", plain(one.watchlist))
        for name, value in one.provenance.items():
            if value:
                rows.add_row(name.replace("_", " ").capitalize(), plain(value))
        rows.add_row("Kept by", plain(one.rule))
        lines.append(rows)
    lines += _searches(result)
    rows = table("At (UTC)", "By", "Act", "Case", "Reason")
    for act in result.touched:
        rows.add_row(*map(plain, (clock(act.at), act.operator, act.command, act.case, act.reason)))
    if result.touched:
        lines += [plain("What else was done", "bold"), rows]
    lines.append(plain(f"Given to {result.recipient}: entry {result.head.size} of the log.", "dim"))
    return lines


def _searches(result: SubjectReport) -> list[RenderableType]:
    if not result.seen:
        return [plain("No search that the log still holds showed this person.")]
    rows = table("Shown at (UTC)", "Searched by", "Case", "Reason", "Rank", "Score", "Decision")
    for one in result.seen:
        decided = ", ".join([one.decision, *one.outcomes])
        words = (clock(one.at), one.operator, one.case, one.reason, one.rank, one.score, decided)
        rows.add_row(*map(plain, words))
    return [plain("Searches that showed this person as a candidate", "bold"), rows]
