"""`fr models`: the weights, by their hashes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fr_cli.cli.output import plain, table
from fr_cli.cli.wiring import session_of

app = typer.Typer(help="Fetch and check weights.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_models(context: typer.Context) -> None:
    """List the catalogue."""
    from fr_cli.face import weights

    session = session_of(context)
    models = list(weights.catalogue().values())
    rows = table("Model", "Task", "Licence", "Size", "SHA-256")
    for model in models:
        size = f"{model.size / 1e6:.1f} MB"
        rows.add_row(model.name, model.task, model.licence, size, model.sha256[:16] + "…")
    session.output.show(
        {
            "schema": "fr/models-list/1",
            "models": [
                {
                    "name": model.name,
                    "task": model.task,
                    "file": model.file,
                    "sha256": model.sha256,
                    "size": model.size,
                    "licence": model.licence,
                    "commercial": model.commercial,
                    "provenance": model.provenance,
                }
                for model in models
            ],
        },
        rows,
    )


@app.command("pull")
def pull(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Models; all by default.")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Take the files from this folder only.")
    ] = None,
) -> None:
    """Fetch weights: from a folder, the package index, or their upstream address."""
    from fr_cli.operations import models

    session = session_of(context)
    pulled = models.pull(names or [], session.home, source, session.listener)
    session.output.show(
        {
            "schema": "fr/models-pull/1",
            "models": [
                {
                    "name": one.model.name,
                    "path": str(one.path),
                    "source": one.source,
                    "already": one.already,
                }
                for one in pulled
            ],
        },
        *(
            plain(
                f"{one.model.name}: {'was there' if one.already else 'from ' + one.source}, "
                f"SHA-256 as in the catalogue, {one.path}"
            )
            for one in pulled
        ),
    )


@app.command("check")
def check(context: typer.Context) -> None:
    """Hash the weights that are there again."""
    from fr_cli.errors import WeightsWrong
    from fr_cli.face import weights
    from fr_cli.site import model_folders

    session = session_of(context)
    states = weights.check(model_folders(session.home))
    session.output.show(
        {
            "schema": "fr/models-check/1",
            "models": [{"name": model.name, "status": status} for model, status in states],
        },
        *(
            plain(f"{model.name}: {status}", "" if status == "ok" else "bold red")
            for model, status in states
        ),
    )
    if any(status != "ok" for _, status in states):
        raise WeightsWrong("Not every model has its weights.")
