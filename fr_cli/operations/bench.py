"""The tools of one home, each built when it is first used.

An operation takes a bench instead of six arguments; a library user and a test make one from a
folder, the command line from `--home`.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from fr_cli.errors import FrError
from fr_cli.keys import SigningKey, SiteKey
from fr_cli.site import Site, model_folders, open_site

if TYPE_CHECKING:
    from fr_cli.audit.log import AuditLog
    from fr_cli.authority.policy import Policy
    from fr_cli.decision.calibration import Calibration
    from fr_cli.face.batch import Maker
    from fr_cli.face.pipeline import Choice, FacePipeline
    from fr_cli.gallery.gallery import Gallery
    from fr_cli.operations.calibration_files import InForce


class Bench:
    """Log, policy, models, calibration and gallery of one home; a context manager."""

    def __init__(self, home: Path) -> None:
        self.site: Site = _settled(open_site(home))

    @cached_property
    def signer(self) -> SigningKey:
        """The key that signs the log and the generations."""
        return SigningKey.load(self.site.keys)

    @cached_property
    def audit(self) -> AuditLog:
        """The signed log."""
        from fr_cli.audit.log import AuditLog

        return AuditLog(self.site.audit, self.signer, self.site.origin)

    @cached_property
    def _policy(self) -> tuple[Policy, str]:
        from fr_cli.authority.policy import load_policy

        return load_policy(self.site.policy)

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._policy[0]

    @property
    def policy_digest(self) -> str:
        """SHA-256 of the policy's bytes, as it stands in the log."""
        return self._policy[1]

    @cached_property
    def fingerprint(self) -> str:
        """What the templates of this home are comparable with."""
        from fr_cli.face.pipeline import fingerprint

        return fingerprint(self.site.model)

    @property
    def model_folders(self) -> tuple[Path, ...]:
        """Where weights are looked for."""
        return model_folders(self.site.home)

    def maker(self, face: Choice, *, gated: bool = True) -> Maker:
        """What makes templates of many photos: the home's model, the policy's floors if gated."""
        from fr_cli.face.batch import Maker

        floors = self.policy.quality_floors if gated else {}
        return Maker(self.model_folders, self.site.model, floors, face)

    @cached_property
    def pipeline(self) -> FacePipeline:
        """Photo → template, with the home's model and the policy's quality floors."""
        from fr_cli.face.pipeline import FacePipeline

        return FacePipeline.load(
            self.model_folders, embedder=self.site.model, floors=self.policy.quality_floors
        )

    def gallery(self, *, create: bool = False, any_model: bool = False) -> Gallery:
        """Open the gallery; close it after use. OtherModel unless it is of the home's model."""
        from fr_cli.gallery.gallery import Gallery

        return Gallery.open(
            self.site,
            SiteKey.load(self.site.keys),
            fingerprint=None if any_model else self.fingerprint,
            create=create,
        )

    @property
    def calibration(self) -> Calibration | None:
        """The home's own calibration for this model, else the shipped one, else None."""
        return self._calibration.calibration if self._calibration else None

    def calibration_of(self, fusion: str) -> Calibration | None:
        """The same, for another way of fusing the references of a subject."""
        if fusion == "best":
            return self.calibration
        from fr_cli.operations.calibration_files import in_force

        found = in_force(self.site, self.fingerprint, fusion)
        return found.calibration if found else None

    @property
    def calibration_digest(self) -> str:
        """SHA-256 of the bytes of the calibration's file, as it stands in the log."""
        return self._calibration.digest if self._calibration else ""

    @property
    def calibration_note(self) -> str:
        """What must be said of the calibration: that another home made it; else empty."""
        return self._calibration.note if self._calibration else ""

    @cached_property
    def _calibration(self) -> InForce | None:
        from fr_cli.operations.calibration_files import in_force

        return in_force(self.site, self.fingerprint, "best")

    def close(self) -> None:
        """End child processes."""
        if "pipeline" in self.__dict__:
            self.pipeline.close()

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _settled(site: Site) -> Site:
    """The settings with the model that the gallery is of, where a migration was cut short."""
    if not site.switching_to:
        return site
    from fr_cli.face.pipeline import fingerprint
    from fr_cli.gallery.store import Store

    # What is wrong with it is said by whoever opens it to use it.
    with (
        contextlib.suppress(FrError),
        contextlib.closing(Store.open(site.gallery / "gallery.db")) as store,
    ):
        if store.meta("fingerprint") == fingerprint(site.switching_to):
            return replace(site, model=site.switching_to)
    return site
