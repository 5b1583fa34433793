"""`fr models`: the weights, by their hashes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fr_cli.cli.options import group
from fr_cli.cli.output import plain, table
from fr_cli.cli.wiring import session_of

if TYPE_CHECKING:
    from fr_cli.face.catalogue import Model

app = group("Fetch and check weights.")

AcceptLicence = Annotated[
    bool, typer.Option("--accept-licence", help="Accept licences that are not free for every use.")
]


@app.command("list")
def list_models(context: typer.Context) -> None:
    """List the catalogue, with what was pinned in this home."""
    from fr_cli.face import weights
    from fr_cli.site import model_folders

    session = session_of(context)
    folders = model_folders(session.home)
    models = [weights.resolved(name, folders) for name in weights.catalogue()]
    rows = table("Model", "Task", "Template", "Licence", "Size", "SHA-256")
    for model in models:
        rows.add_row(
            model.name, model.task, str(model.dimension or "–"), _licence(model), _size(model),
            _hash(model),
        )  # fmt: skip
    session.output.show(
        {"schema": "fr/models-list/1", "models": [_document(model) for model in models]},
        rows,
        plain("* Not free for every use, or not stated: fr models pull NAME --accept-licence"),
    )


def _licence(model: Model) -> str:
    return model.licence + ("" if model.commercial else " *")


def _size(model: Model) -> str:
    return f"{model.size / 1e6:.1f} MB" if model.size else "–"


def _hash(model: Model) -> str:
    from fr_cli.face.catalogue import named

    if model.sha256 is None:
        return "not known: pin it"
    return model.sha256[:16] + "…" + ("" if named(model.name).sha256 else " (pinned)")


def _document(model: Model) -> dict[str, object]:
    from fr_cli.face.catalogue import named

    names = (
        "name", "task", "engine", "file", "sha256", "size", "dimension", "input_size", "alignment",
        "colour_order", "normalisation", "licence", "commercial", "provenance",
    )  # fmt: skip
    pinned = model.sha256 is not None and named(model.name).sha256 is None
    return {name: getattr(model, name) for name in names} | {"pinned": pinned}


@app.command("pull")
def pull(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(help="Models; those of this home by default.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Take the files from this folder only.")
    ] = None,
    accept_licence: AcceptLicence = False,
) -> None:
    """Fetch weights: from a folder, the package index, or their upstream address."""
    from fr_cli.operations import models

    session = session_of(context)
    pulled = models.pull(
        names or [], session.home, source, session.listener, accept_licence=accept_licence
    )
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


@app.command("pin")
def pin(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A model whose hash the catalogue does not know.")],
    file: Annotated[Path, typer.Argument(help="Its weights, as you got them.")],
    accept_licence: AcceptLicence = False,
) -> None:
    """Take a file as the right one of a model, by its SHA-256, from now on.

    Nothing else is loaded for that model then. The file is copied into the home.
    """
    from fr_cli.operations import models

    session = session_of(context)
    pinned = models.pin(name, file, session.home, accept_licence=accept_licence)
    session.output.show(
        {
            "schema": "fr/models-pin/1",
            "name": pinned.name,
            "sha256": pinned.sha256,
            "size": pinned.size,
        },
        plain(f"{pinned.name} is the file of SHA-256 {pinned.sha256} from now on."),
        plain("Compare that with what its publisher says: nobody else has checked it."),
    )


@app.command("check")
def check(context: typer.Context) -> None:
    """Hash the weights again: those that this home needs, and all others that are there."""
    from fr_cli.errors import WeightsWrong
    from fr_cli.face import weights
    from fr_cli.site import model_folders, open_site

    session = session_of(context)
    own = open_site(session.home).model if (session.home / "site.yaml").exists() else "SFace"
    needed = [model.name for model in weights.needed(own)]
    states = weights.check(model_folders(session.home), needed)
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
