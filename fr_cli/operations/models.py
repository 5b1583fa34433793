"""Fetch the weights of the catalogue, and check those that are there."""

from __future__ import annotations

from pathlib import Path

from fr_cli.errors import UsageProblem
from fr_cli.face import weights
from fr_cli.operations.bench import Bench
from fr_cli.records import Listener
from fr_cli.site import user_home


def pull(
    names: list[str], home: Path, source: Path | None, listener: Listener
) -> list[weights.Pulled]:
    """Fetch weights into the home, or into the account's own folder while there is no home.

    In a home it is an act of the log. Raises WeightsWrong if no source has the right bytes.
    """
    known = weights.catalogue()
    if unknown := [name for name in names if name not in known]:
        raise UsageProblem(
            f"The catalogue has no model {' and no '.join(unknown)}.",
            hint=f"It has: {', '.join(known)}.",
        )
    models = [known[name] for name in names or known]
    if not (home / "site.yaml").exists():
        return weights.pull(models, user_home() / "models", source=source, listener=listener)
    with Bench(home) as bench, bench.audit.act("models pull", "administration") as act:
        pulled = weights.pull(
            models, home / "models", also=bench.model_folders, source=source, listener=listener
        )
        act.decide(models=[{"name": one.model.name, "sha256": one.model.sha256} for one in pulled])
    return pulled
