"""`fr gallery backup`, `restore` and `accept`: copies of the gallery, and which one counts."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fr_cli.cli.options import Wait, Yes
from fr_cli.cli.output import plain
from fr_cli.cli.wiring import session_of
from fr_cli.errors import UsageProblem
from fr_cli.records import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fr_cli.operations.restore import Restored

REPLACES = "This replaces the gallery."


def backup(
    context: typer.Context,
    target: Annotated[
        Path | None, typer.Argument(metavar="FILE|DIR", help="A new file, or the folder for it.")
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="A file or folder for its key; the home's keys by default."),
    ] = None,
    expire: Annotated[
        bool, typer.Option("--expire", help="Only destroy the keys whose time is over.")
    ] = False,
) -> None:
    """Copy the gallery to one sealed file, whose key lies elsewhere and expires.

    Others go on meanwhile. Keys of older backups whose time is over are destroyed.
    """
    from fr_cli.operations import backup as backups

    session = session_of(context)
    if (target is None) != expire or (expire and key is not None):
        raise UsageProblem(
            "Either a backup is made, or keys expire.", hint="Give FILE or --expire."
        )
    with session.bench() as bench:
        if target is None:
            gone = backups.expire(bench)
            session.output.show(
                {"schema": "fr/gallery-backup-expire/1", "destroyed": [*gone]}, plain(_gone(gone))
            )
            return
        made = backups.backup(target, key, bench)
    session.output.show(
        {
            "schema": "fr/gallery-backup/1",
            **asdict(made.header),
            "file": str(made.file),
            "key": str(made.key),
            "subjects": made.subjects,
            "references": made.references,
            "bytes": made.size,
            "destroyed": [*made.destroyed],
            "audit": asdict(made.head),
        },
        plain(f"{made.file} holds {counted(made.references, 'reference')}."),
        plain(f"Without its key nobody can read it: {made.key}"),
        plain(f"The key expires on {made.header.expires}."),
        *([plain(_gone(made.destroyed))] if made.destroyed else []),
        plain(f"Entry {made.head.size} of the audit log.", "dim"),
    )


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")],
    key: Annotated[
        Path | None,
        typer.Option("--key", help="The file of its key, or the folder; the home's keys else."),
    ] = None,
    without_log: Annotated[
        bool,
        typer.Option("--without-log", help="The log that knows who was purged since is lost."),
    ] = False,
    yes: Yes = False,
    wait: Wait = None,
) -> None:
    """Put a backup in the place of the gallery, without who was purged since it was made.

    All of it or nothing; searches go on meanwhile. What was enrolled since is not in it: enrol
    the feed again.
    """
    from fr_cli.operations import restore as restoring

    session = session_of(context)
    if not yes:
        session.confirm("Put this backup in the place of the gallery?", REPLACES)
    with session.bench(wait=wait) as bench:
        done = restoring.restore(file, key, bench, session.listener, without_log=without_log)
    session.output.show(_document(done), *_pictures(done))


def accept(
    context: typer.Context,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the log; no name.")] = "",
    yes: Yes = False,
    wait: Wait = None,
) -> None:
    """Go on with the gallery as it lies there, though the log knows another.

    For a gallery that was put back from a copy on purpose, or lost without a backup. Whoever the
    log knows to be purged is purged again.
    """
    from fr_cli.operations import restore as restoring

    session = session_of(context)
    if not yes:
        session.confirm("Go on with the gallery as it lies there?", REPLACES)
    with session.bench(wait=wait) as bench:
        done = restoring.accept(reason, bench, session.listener)
    session.output.show(
        {
            "schema": "fr/gallery-accept/1",
            "subjects": done.subjects,
            "references": done.references,
            "purged_again": done.purged_again,
            "generation": done.generation,
            "audit": asdict(done.head),
        },
        plain(f"The gallery goes on with {counted(done.references, 'reference')}."),
        plain(
            f"Purged again, because they had come back: {counted(done.purged_again, 'subject')}."
        ),
        plain("Enrol the feed again for what is missing.", "yellow"),
        plain(f"Entry {done.head.size} of the audit log.", "dim"),
    )


def _gone(ids: tuple[str, ...]) -> str:
    if not ids:
        return "No key of a backup has expired."
    return f"Destroyed, because expired: {counted(len(ids), 'key')} of older backups."


def _warnings(done: Restored) -> list[str]:
    found = []
    if not done.log_knew:
        found.append("The log does not know this backup: nobody can tell who was purged since.")
    if done.unknown:
        found.append(
            f"Enrolled and purged since the backup, and not on the list of who may not come back: "
            f"{counted(done.unknown, 'subject')}. See that the feed lists them no more."
        )
    if done.damaged:
        found.append(f"Left out, because damaged: {counted(done.damaged, 'reference')}.")
    return found


def _document(done: Restored) -> dict[str, Any]:
    return {
        "schema": "fr/gallery-restore/1",
        **asdict(done.header),
        "subjects": done.subjects,
        "references": done.references,
        "left_out": asdict(done.left_out),
        "damaged": done.damaged,
        "unknown": done.unknown,
        "log_knew": done.log_knew,
        "warnings": _warnings(done),
        "generation": done.generation,
        "audit": asdict(done.head),
    }


def _pictures(done: Restored) -> list[RenderableType]:
    lines: list[RenderableType] = [
        plain(
            f"The gallery is that of {done.header.made}: {counted(done.references, 'reference')} "
            f"of {counted(done.subjects, 'subject')}."
        ),
        plain(
            f"Left out, because purged since: {counted(done.left_out.references, 'reference')}, "
            f"{counted(done.left_out.subjects, 'subject')} as a whole."
        ),
        plain("Enrol the feed again for what was enrolled since."),
    ]
    lines += [plain(text, "yellow") for text in _warnings(done)]
    return [*lines, plain(f"Entry {done.head.size} of the audit log.", "dim")]
