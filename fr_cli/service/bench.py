"""The bench of a service: models, keys, policy and a generation stay; who asks changes.

Each request gets a bench of its own, made of what is kept where that is still what the home says
now: keys by their bytes, models by their fingerprint, the generation by its file.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from fr_cli.audit.canonical import JSON
from fr_cli.errors import ConfigurationError
from fr_cli.gallery.warm import Warm
from fr_cli.keys import Passphrase, SigningKey, SiteKey
from fr_cli.operations.bench import Bench

if TYPE_CHECKING:
    from fr_cli.audit.log import Act
    from fr_cli.authority.policy import Policy
    from fr_cli.face.pipeline import FacePipeline
    from fr_cli.gallery.gallery import Gallery


class Kept:
    """What a worker of the service keeps from one request to the next."""

    def __init__(self) -> None:
        self.passphrase = Passphrase(None)
        self.signer: SigningKey | None = None
        self.site_key: SiteKey | None = None
        self.pipeline: tuple[object, FacePipeline] | None = None
        self.generation = Warm()

    def close(self) -> None:
        """End child processes, and forget the templates."""
        self.generation.drop()
        if self.pipeline is not None:
            self.pipeline[1].close()


class StationBench(Bench):
    """A bench on behalf of whoever asks the service; closing it closes nothing that is kept."""

    def __init__(
        self, home: Path, asker: Mapping[str, JSON], kept: Kept, *, wait: float | None = None
    ) -> None:
        super().__init__(home, asker=asker, wait=wait)
        self._kept = kept

    @cached_property
    def signer(self) -> SigningKey:
        """The key that signs the log; where it was rotated since, the log finds the new one."""
        if self._kept.signer is None:
            self._kept.signer = SigningKey.load(self.site.keys, self._kept.passphrase)
        return self._kept.signer

    @cached_property
    def site_key(self) -> SiteKey:
        """The key that wraps all others, as the home has it now."""
        known = self._kept.site_key
        found = known.current() if known else SiteKey.load(self.site.keys, self._kept.passphrase)
        self._kept.site_key = found
        return found

    @cached_property
    def _policy(self) -> tuple[Policy, str]:
        from fr_cli.authority.policy import load_policy

        known = load_policy(self.site.policy)  # which remembers it by its bytes
        if not known[0].operators:
            raise ConfigurationError(
                "The policy names no operators, so nobody may ask this service.",
                hint="Name the accounts and their roles in policy.yaml, under operators.",
            )
        return known

    @cached_property
    def pipeline(self) -> FacePipeline:
        """Photo → template, loaded once for each model and each set of floors."""
        floors = self.policy.quality_floors
        key = (self.site.model, self.fingerprint, tuple(sorted(floors.items())))
        known = self._kept.pipeline
        if known is None or known[0] != key:
            if known is not None:
                known[1].close()
                self._kept.pipeline = None
            made = super().pipeline
            self._kept.pipeline = known = (key, made)
        return known[1]

    def unchecked_gallery(
        self, act: Act, *, create: bool = False, any_model: bool = False
    ) -> Gallery:
        """Open the gallery; the generation that is searched stays in memory."""
        gallery = super().unchecked_gallery(act, create=create, any_model=any_model)
        gallery.warm = self._kept.generation
        return gallery

    def close(self) -> None:
        """Remember the key that signs now; everything else is the worker's to close."""
        if "audit" in self.__dict__:
            self._kept.signer = self.audit.signer
