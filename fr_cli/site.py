"""The home folder: where everything of one site lies, and its settings.

`--home`, else `FR_HOME`, else the platform's data folder. Layout:
`site.yaml policy.yaml keys/ audit/ gallery/ models/ calibration/`.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from fr_cli.disk import write_whole
from fr_cli.errors import ConfigurationError

SCHEMA = 1


@dataclass(frozen=True)
class Site:
    """An initialised home and its settings."""

    home: Path
    origin: str
    model: str
    #: The model that a migration is about to change to. Whether it has, the gallery says.
    switching_to: str = ""

    @property
    def keys(self) -> Path:
        """Key files; may be a mount of its own."""
        return self.home / "keys"

    @property
    def audit(self) -> Path:
        """The folder of the signed log."""
        return self.home / "audit"

    @property
    def gallery(self) -> Path:
        """Database and generations."""
        return self.home / "gallery"

    @property
    def database(self) -> Path:
        """The truth of the gallery; there is none before the first enrolment."""
        return self.gallery / "gallery.db"

    @property
    def calibration(self) -> Path:
        """Calibrations that replace the shipped ones."""
        return self.home / "calibration"

    @property
    def evaluation(self) -> Path:
        """The evaluation in force; sealed templates of evaluation photos, for a limited time."""
        return self.home / "evaluation"

    def refuse_inside(self, path: Path | None, *, except_for: Path | None = None) -> None:
        """ConfigurationError for an output file that would lie among the home's own files."""
        if path is None:
            return
        place, home = path.resolve(), self.home.resolve()
        if home in place.parents and (except_for is None or except_for.resolve() != place.parent):
            raise ConfigurationError(
                f"{path} lies in the home, whose files only fr itself writes.",
                hint="Choose a path outside of the home.",
            )

    @property
    def policy(self) -> Path:
        """The policy of this site."""
        return self.home / "policy.yaml"


def default_home() -> Path:
    """The home where none is named: `FR_HOME`, else the platform's data folder."""
    named = os.environ.get("FR_HOME")
    if named:
        return Path(named)
    return user_home()


def user_home() -> Path:
    """The platform's data folder of this account."""
    from platformdirs import user_data_path

    return user_data_path("fr")


def model_folders(home: Path) -> tuple[Path, ...]:
    """Where weights are looked for: the home's own, then those of this account."""
    own, shared = home / "models", user_home() / "models"
    return (own,) if own == shared else (own, shared)


def create_site(home: Path, *, model: str) -> Site:
    """Make the folders and the settings of a new home; keys, log and policy are not made here."""
    if (home / "site.yaml").exists():
        raise ConfigurationError(
            f"{home} is a home already.", hint="Choose another folder with --home DIR."
        )
    # Weights may have been fetched before, and keys/ may be a volume of its own.
    found = {path.name for path in home.iterdir()} if home.is_dir() else set()
    strangers = found - {"models", "keys"}
    if strangers:
        raise ConfigurationError(
            f"{home} is not empty: it holds {', '.join(sorted(strangers)[:3])}.",
            hint="Choose a new folder with --home DIR, or move away what an earlier try left.",
        )
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        home.chmod(0o700)
        for name in ("keys", "audit", "gallery", "models", "calibration"):
            (home / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as trouble:
        raise ConfigurationError(
            f"The home {home} cannot be made: {trouble.strerror}.",
            hint="Choose another folder with --home DIR.",
        ) from trouble
    return Site(home=home, origin=f"fr.local/{secrets.token_hex(8)}", model=model)


def write_site(site: Site) -> None:
    """Write the settings, synced, the whole of them or nothing.

    The last step of making a home, so that half a home is none.
    """
    import yaml

    settings = {"schema": SCHEMA, "origin": site.origin, "model": site.model}
    if site.switching_to:
        settings["switching_to"] = site.switching_to
    write_whole(site.home / "site.yaml", [yaml.safe_dump(settings, sort_keys=False).encode()])


def open_site(home: Path) -> Site:
    """Read the settings of a home; exit 3 when there is none."""
    import yaml

    path = home / "site.yaml"
    try:
        settings = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise ConfigurationError(
            f"There is no home at {home}.", hint="Make one with: fr init"
        ) from None
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as trouble:
        raise ConfigurationError(
            f"{path} cannot be read: {trouble}.", hint="Restore it from its backup."
        ) from trouble
    if not isinstance(settings, dict) or settings.get("schema") != SCHEMA:
        raise ConfigurationError(
            f"{path} is not of schema {SCHEMA}.",
            hint="It was written by another version of fr; use that version.",
        )
    try:
        return Site(
            home=home,
            origin=str(settings["origin"]),
            model=str(settings["model"]),
            switching_to=str(settings.get("switching_to", "")),
        )
    except KeyError as missing:
        raise ConfigurationError(f"{path} lacks the setting {missing}.") from None
