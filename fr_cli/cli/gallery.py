"""`fr gallery`: what is enrolled, and whether it is whole."""

from __future__ import annotations

from dataclasses import asdict

import typer

from fr_cli.cli.backup import accept, backup, restore
from fr_cli.cli.options import Wait
from fr_cli.cli.output import plain, table
from fr_cli.cli.wiring import session_of
from fr_cli.records import counted

app = typer.Typer(help="Look after the gallery.", no_args_is_help=True, rich_markup_mode=None)


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


app.command("backup")(backup)
app.command("restore")(restore)
app.command("accept")(accept)
