"""Bring a home that an older version of fr made up to this one, step by step."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fr_cli.authority.policy import added, load_policy
from fr_cli.disk import sync_folder
from fr_cli.errors import ConfigurationError
from fr_cli.gallery.lock import locked
from fr_cli.gallery.store import Store
from fr_cli.operations.bench import Bench
from fr_cli.records import Head
from fr_cli.site import Site


@dataclass(frozen=True)
class Upgraded:
    """The steps that were taken, in their order; none where the home is of this version."""

    steps: tuple[str, ...]
    head: Head


def upgrade(bench: Bench) -> Upgraded:
    """Take every step that the home lacks; each as a whole, and in the log.

    Cut short, it is taken up where it was. What the home does is the same after it as before.
    Raises ConfigurationError if a newer version made the home.
    """
    steps: list[str] = []
    with bench.audit.act("upgrade", "administration", policy=bench.policy_digest) as act:
        for step in (_gallery, _policy):
            for name in step(bench.site):
                act.batch(step=name)
                steps.append(name)
        act.decide(steps=[*steps], policy=load_policy(bench.site.policy)[1])
    assert act.head is not None
    return Upgraded(tuple(steps), act.head)


def _gallery(site: Site) -> list[str]:
    path = site.gallery / "gallery.db"
    if not path.exists():
        return []
    with locked(site.gallery):
        return [f"gallery: schema {version}" for version in Store.upgrade(path)]


def _policy(site: Site) -> list[str]:
    """Write into the policy what newer versions ask, with the values that hold without it."""
    data = site.policy.read_bytes()
    names, text = added(data)
    if names:
        _replace(site.policy.resolve(), data + text)
    return [f"policy: {name}" for name in names]


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_name(f"{path.name}.new")
    try:
        mode = path.stat().st_mode & 0o777
        with open(draft, "wb", opener=_opener(mode)) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as trouble:
        raise ConfigurationError(
            f"The policy {path} cannot be written: {trouble.strerror}.",
            hint="Run it as the account that may change the policy.",
        ) from trouble


def _opener(mode: int) -> Callable[[str, int], int]:
    return lambda path, flags: os.open(path, flags, mode)
