"""`fr watchlist`: who may be searched for, why, until when, and who answers for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fr_cli.cli import options
from fr_cli.cli.output import plain, table
from fr_cli.cli.watchlist.words import (
    closed_document,
    closed_pictures,
    document,
    pictures,
    state,
    watchlist_document,
)
from fr_cli.cli.wiring import Session, session_of
from fr_cli.errors import UsageProblem
from fr_cli.records import counted, harmless

if TYPE_CHECKING:
    from fr_cli.operations.people import People

#: Members that are listed on the screen; --json has them all.
SHOWN = 50

app = options.group("Keep watchlists: who may be searched for, why, and until when.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the watchlist.")]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="COLUMN=VALUE",
        help="Whoever has a reference with this value in this column of the feed; several: all.",
    ),
]
Subject = Annotated[list[str] | None, typer.Option("--subject", help="This subject; several.")]
Subjects = Annotated[
    Path | None, typer.Option("--subjects", metavar="FILE", help="A file with one id a line.")
]
Why = Annotated[str, typer.Option("--reason", help="Why they are on it, or not any more; no name.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say how many it would be.")]


def _people(
    where: list[str] | None, subject: list[str] | None, subjects: Path | None, reason: str
) -> People:
    from fr_cli.operations.people import People

    return People(tuple(where or ()), tuple(subject or ()), subjects, reason)


@app.command("create")
def create(
    context: typer.Context,
    name: Name,
    purpose: Annotated[str, typer.Option("--purpose", help="What it is for; no name.")],
    authorised_by: Annotated[
        str,
        typer.Option(
            "--authorised-by", help="Who authorised it: an operator's account, if there are any."
        ),
    ],
    expires: Annotated[
        str, typer.Option("--expires", metavar="DAY", help="The last day of its use.")
    ],
    limit: Annotated[
        int, typer.Option("--limit", help="The most people on it; never above 10,000.")
    ] = 10_000,
    where: Where = None,
    subject: Subject = None,
    subjects: Subjects = None,
    reason: Why = "",
    dry_run: DryRun = False,
    wait: options.Wait = None,
) -> None:
    """Make a watchlist."""
    from fr_cli.operations import watchlists as operation

    session = session_of(context)
    charter = operation.Charter(name, purpose, authorised_by, expires, limit)
    people = _people(where, subject, subjects, reason)
    with session.bench(wait=wait) as bench:
        result = operation.create(charter, people, bench, dry_run=dry_run)
    session.output.show(document("create", result), *pictures("create", result))


@app.command("add")
def add(
    context: typer.Context,
    name: Name,
    where: Where = None,
    subject: Subject = None,
    subjects: Subjects = None,
    reason: Why = "",
    dry_run: DryRun = False,
    wait: options.Wait = None,
) -> None:
    """Put people on a watchlist."""
    people = _people(where, subject, subjects, reason)
    _change(session_of(context), "add", name, people, dry_run, wait)


@app.command("remove")
def remove(
    context: typer.Context,
    name: Name,
    where: Where = None,
    subject: Subject = None,
    subjects: Subjects = None,
    reason: Why = "",
    dry_run: DryRun = False,
    wait: options.Wait = None,
) -> None:
    """Take people off a watchlist. They stay enrolled."""
    people = _people(where, subject, subjects, reason)
    _change(session_of(context), "remove", name, people, dry_run, wait)


def _change(
    session: Session,
    word: Literal["add", "remove"],
    name: str,
    people: People,
    dry_run: bool,
    wait: float | None,
) -> None:
    from fr_cli.operations import watchlists as operation

    act = operation.add if word == "add" else operation.remove
    with session.bench(wait=wait) as bench:
        result = act(name, people, bench, dry_run=dry_run)
    session.output.show(document(word, result), *pictures(word, result))


@app.command("close")
def close(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The name of the watchlist.")
    ] = None,
    expired: Annotated[
        bool, typer.Option("--expired", help="All that have expired; never asks.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why; no name.")] = "",
    yes: options.Yes = False,
    wait: options.Wait = None,
) -> None:
    """End a watchlist for good, and delete who stood on it and why. They stay enrolled."""
    from fr_cli.operations import watchlists as operation

    if (name is None) != expired:
        raise UsageProblem("Either one watchlist is closed, or all that have expired.",
                           hint="Give NAME, or --expired.")  # fmt: skip
    session = session_of(context)
    if name is not None and not yes:
        session.confirm(f"Close {harmless(name)} for good?", "Closing cannot be undone.")
    with session.bench(wait=wait) as bench:
        result = operation.close(name, reason, bench)
    session.output.show(closed_document(result), *closed_pictures(result))


@app.command("list")
def list_all(context: typer.Context) -> None:
    """List watchlists, and what the feed calls so."""
    from fr_cli.operations.watchlists_shown import listed

    session = session_of(context)
    with session.bench() as bench:
        result = listed(bench)
    made = {one.name for one in result.watchlists}
    rows = table("Watchlist", "State", "People", "Expires", "Authorised by", "Purpose")
    for one in result.watchlists:
        size = f"{one.members:,} of {one.size_limit:,}"
        columns = (one.name, state(one), size, one.expires, one.authoriser, one.purpose)
        rows.add_row(*map(plain, columns))
    for name, count in result.labels.items():
        use = "label, not used" if name in made else "label"
        rows.add_row(plain(name), use, counted(count, "reference"), "", "", "of the feed")
    session.output.show(
        {
            "schema": "fr/watchlist-list/1",
            "watchlists": [watchlist_document(one) for one in result.watchlists],
            "labels": [
                {"name": name, "references": count, "used": name not in made}
                for name, count in result.labels.items()
            ],
        },
        rows if made or result.labels else plain("There is no watchlist."),
    )


@app.command("show")
def show(context: typer.Context, name: Name) -> None:
    """Say who stands on a watchlist, why, since when and by whom."""
    from dataclasses import asdict

    from fr_cli.operations.watchlists_shown import shown

    session = session_of(context)
    with session.bench() as bench:
        one, members = shown(name, bench)
    rows = table("Subject", "References", "Since", "By", "Reason", right=("References",))
    for member in members[:SHOWN]:
        columns = (member.subject_id, member.references, member.added_at[:10], member.added_by,
                   member.reason)  # fmt: skip
        rows.add_row(*map(plain, columns))
    left = len(members) - SHOWN
    session.output.show(
        {
            "schema": "fr/watchlist-show/1",
            "watchlist": watchlist_document(one),
            "members": [asdict(member) for member in members],
        },
        plain(f"{one.name}: {one.purpose}", "bold"),
        plain(
            f"{state(one).capitalize()}; authorised by {one.authoriser}, made "
            f"{one.created_at[:10]} by {one.created_by}, expires {one.expires}; "
            f"{one.members:,} of {counted(one.size_limit, 'person', 'people')}."
        ),
        *([rows] if members else []),
        *([plain(f"… and {left:,} more; --json lists all.")] if left > 0 else []),
    )
