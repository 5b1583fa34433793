"""`fr gallery`: what is enrolled, and whether it is whole."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fr_cli.cli import consent, options
from fr_cli.cli.backup import accept, backup, restore
from fr_cli.cli.options import Wait
from fr_cli.cli.output import plain, table
from fr_cli.cli.protection import NewPassphrase, Reason, protection
from fr_cli.cli.wiring import session_of
from fr_cli.records import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fr_cli.operations.migrate import Migrated

#: Unusable references that are listed on the screen; --json has them all.
SHOWN = 10

app = options.group("Look after the gallery.")


@app.command("stats")
def stats(context: typer.Context) -> None:
    """Count subjects, references, watchlists and sources."""
    from fr_cli.operations import upkeep

    session = session_of(context)
    with session.bench() as bench:
        result = upkeep.stats(bench)
    rows = table("", "")
    for name, value in asdict(result).items():
        shown = value
        if isinstance(value, dict):
            shown = ", ".join(f"{key or '(none)'}: {count}" for key, count in value.items())
        rows.add_row(plain(name.replace("_", " "), "dim"), plain(shown))
    session.output.show({"schema": "fr/gallery-stats/1", **asdict(result)}, rows)


@app.command("check")
def check(context: typer.Context) -> None:
    """Open every key, template and file, and compare them with the database."""
    from fr_cli.errors import GalleryDamaged
    from fr_cli.operations import upkeep

    session = session_of(context)
    with session.bench() as bench:
        findings = upkeep.check(bench, session.listener)
    session.output.show(
        {"schema": "fr/gallery-check/1", "findings": [asdict(one) for one in findings]},
        *(plain(f"{one.what}. Mend it with: {one.mend}", "yellow") for one in findings),
        plain("The gallery is whole." if not findings else f"{counted(len(findings), 'finding')}."),
    )
    raise typer.Exit(GalleryDamaged.code if findings else 0)


@app.command("rebuild")
def rebuild(context: typer.Context, wait: Wait = None) -> None:
    """Build the searched generation anew from the sealed templates."""
    from fr_cli.operations import upkeep

    session = session_of(context)
    with session.bench(wait=wait) as bench:
        generation = upkeep.rebuild(bench)
    session.output.show(
        {"schema": "fr/gallery-rebuild/1", "generation": generation},
        plain(f"Generation {generation} is built and searched from now on."),
    )


@app.command("migrate")
def migrate(
    context: typer.Context,
    to: Annotated[
        str | None,
        typer.Option("--to", help="A model of the catalogue; the home's own by default."),
    ] = None,
    drop: Annotated[
        bool,
        typer.Option("--drop-unusable", help="Drop references of which no template can be made."),
    ] = False,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Give up a migration that is under way.")
    ] = False,
    largest: options.Largest = False,
    workers: options.Workers = None,
) -> None:
    """Take the gallery to another model, from the photos that it keeps."""
    from fr_cli.errors import UsageProblem
    from fr_cli.operations import migrate as operation

    session = session_of(context)
    if abandon:
        if to or drop or largest:
            raise UsageProblem("--abandon stands alone.", hint="Run it without other options.")
        with session.bench() as bench:
            dropped = operation.give_up(bench)
        session.output.show(
            {"schema": "fr/gallery-migrate-abandon/1", "dropped": dropped},
            plain(f"Given up. {dropped:,} templates of the other model are dropped."),
        )
        return
    with session.bench() as bench:
        order = operation.Order(to, drop, largest, workers)
        result = operation.migrate(order, bench, session.listener)
    session.output.show(migration_document(result), *migration_pictures(result))
    raise typer.Exit(result.exit_code)


def migration_document(result: Migrated) -> dict[str, Any]:
    """The JSON document `fr/gallery-migrate/1`."""
    return {
        "schema": "fr/gallery-migrate/1",
        "published": result.published,
        "model": {"name": result.model, "fingerprint": result.fingerprint},
        "drafted": result.drafted,
        "unusable": [
            {
                "subject_id": one.subject_id,
                "reference_id": one.reference_id,
                "held": one.held,
                "error": one.error,
                "reason": one.reason,
            }
            for one in result.unusable
        ],
        "generation": result.generation,
        "calibrated": result.calibrated,
        "audit": asdict(result.head),
    }


def migration_pictures(result: Migrated) -> list[RenderableType]:
    """What became of it, in words."""
    lines: list[RenderableType] = []
    if result.unusable:
        rows = table("Subject", "Reference", "Cannot be used because")
        for one in result.unusable[:SHOWN]:
            rows.add_row(plain(one.subject_id), plain(one.reference_id), plain(one.reason))
        lines.append(rows)
        if len(result.unusable) > SHOWN:
            lines.append(plain(f"… and {len(result.unusable) - SHOWN:,} more; --json lists all."))
    count = len(result.unusable)
    if result.published:
        lines.append(plain(f"The gallery is of the model {result.model} from now on."))
        if count:
            lines.append(plain(f"{count:,} references were dropped.", "yellow"))
    else:
        lines += [
            plain(
                f"Nothing is changed: {count:,} references cannot be used. What was made of the "
                "others is kept for the next run."
            ),
            plain(
                "Enrol photos of them (with keep_photos: true in the policy) and run it again, "
                "or add --drop-unusable to go on without them."
            ),
        ]
    if not result.calibrated:
        lines.append(
            plain(
                f"There is no calibration for {result.model}: with it every search is "
                "inconclusive until one lies in calibration/.",
                "yellow",
            )
        )
    return [*lines, plain(f"Entry {result.head.size} of the audit log.", "dim")]


@app.command("rotate-key")
def rotate_key(
    context: typer.Context,
    reason: Reason = "",
    passphrase: NewPassphrase = None,
    wait: Wait = None,
    ask: consent.Ask = None,
    approved: consent.Approved = None,
    signature: consent.Signature = None,
    override: consent.Override = "",
) -> None:
    """Exchange the site key, and wrap all other keys anew. No template is touched."""
    from fr_cli.operations.keys import rotate_site_key

    session = session_of(context)
    given = consent.given(ask, approved, signature, override)
    protect = protection(session, passphrase)
    with session.bench(wait=wait) as bench, consent.seconded(session, bench, given):
        result = rotate_site_key(reason, bench, protect)
    session.output.show(
        {
            "schema": "fr/gallery-rotate-key/1",
            "epoch": result.epoch,
            "passphrase": result.passphrase,
            "audit": asdict(result.head),
        },
        plain("The site key is a new one, and every other key is wrapped under it."),
        plain("The old one opens nothing in this home any more. With a copy of keys/ from before,"),
        plain("it opens a copy of the gallery from before: let those expire. Back up the new one."),
    )


app.command("backup")(backup)
app.command("restore")(restore)
app.command("accept")(accept)
