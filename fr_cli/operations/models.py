"""Fetch the weights of the catalogue, take others by their hash, and check those that are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fr_cli.errors import FrError, ModelDrift, UsageProblem
from fr_cli.face import choices, golden, weights
from fr_cli.face.catalogue import EMBEDDER, Model, catalogue, needed
from fr_cli.face.embedding import trial
from fr_cli.operations.bench import Bench
from fr_cli.records import Listener
from fr_cli.site import model_folders, open_site, user_home


def pull(
    names: list[str],
    home: Path,
    source: Path | None,
    listener: Listener,
    *,
    accept_licence: bool = False,
) -> list[weights.Pulled]:
    """Fetch weights into the home, or into the account's own folder while there is no home.

    Without names those that the home needs. In a home it is an act of the log, and so is the
    acceptance of a licence. Raises WeightsWrong if no source has the right bytes, UsageProblem
    for a licence that must be accepted.
    """
    settled = (home / "site.yaml").exists()
    folders = model_folders(home) if settled else (user_home() / "models",)
    own = open_site(home).model if settled else EMBEDDER
    models = [choices.resolved(one.name, folders) for one in _meant(names, own)]
    fresh = _to_accept(models, folders, accept_licence)
    if not settled:
        pulled = weights.pull(models, folders[0], source=source, listener=listener)
        choices.accept(fresh, folders[0])
        return pulled
    with Bench(home) as bench, bench.act("models pull", "administration") as act:
        pulled = weights.pull(
            models, folders[0], also=folders[1:], source=source, listener=listener
        )
        choices.accept(fresh, folders[0])
        act.decide(
            models=[{"name": one.model.name, "sha256": one.model.sha256} for one in pulled],
            licences_accepted=[one.name for one in fresh],
        )
    _record(models, folders)
    return pulled


def pin(name: str, file: Path, home: Path, *, accept_licence: bool = False) -> Model:
    """Take a file as the right one of a model that the catalogue has no hash of.

    An act of the log, with the hash. Raises ConfigurationError for a model whose hash is known.
    """
    (model,) = _meant([name], EMBEDDER)
    with Bench(home) as bench, bench.act("models pin", "administration") as act:
        folders = bench.model_folders
        fresh = _to_accept([model], folders, accept_licence)
        if model.sha256 is None:
            trial(model, choices.read_file(file))
        pinned = choices.pin(model, file, folders[0])
        choices.accept(fresh, folders[0])
        act.decide(model=name, sha256=pinned.sha256, licences_accepted=[one.name for one in fresh])
    _record([pinned], folders)
    return pinned


def _meant(names: list[str], own: str) -> list[Model]:
    known = catalogue()
    if unknown := [name for name in names if name not in known]:
        raise UsageProblem(
            f"The catalogue has no model {' and no '.join(unknown)}.",
            hint=f"It has: {', '.join(known)}.",
        )
    if not names:
        return needed(own)
    return [known[one] for name in names for one in (name, *known[name].parts)]


def _to_accept(models: Sequence[Model], folders: Sequence[Path], accept: bool) -> list[Model]:
    """The models whose licences are accepted now; UsageProblem if they must be and are not."""
    fresh = [one for one in models if not one.commercial and not choices.accepted(one, folders[0])]
    if fresh and not accept:
        said = "; ".join(f"{one.name}: {one.licence}" for one in fresh)
        raise UsageProblem(
            f"These weights are not free for every use. {said}.",
            hint="Read the licence; if it allows what you do, repeat this with --accept-licence.",
        )
    return fresh


def _record(models: Sequence[Model], folders: Sequence[Path]) -> None:
    """Keep what a model makes of the golden photo, from its first day on, where it can run."""
    from fr_cli.face.pipeline import FacePipeline

    for model in models:
        if model.task == "embedder":
            try:
                with FacePipeline.load(folders, embedder=model.name) as pipeline:
                    golden.check_or_record(pipeline, folders[0])
            except ModelDrift:
                raise
            except FrError:
                continue  # the detector or a package is missing: the first enrolment will do it
