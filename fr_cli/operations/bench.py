"""The tools of one home, each built when it is first used.

An operation takes a bench instead of six arguments; a library user and a test make one from a
folder, the command line from `--home`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from fr_cli.errors import AuditBroken, ConfigurationError, FrError, GalleryMissing
from fr_cli.keys import Passphrase, SigningKey, SiteKey
from fr_cli.records import utc
from fr_cli.site import Site, model_folders, open_site

if TYPE_CHECKING:
    from fr_cli.audit.canonical import JSON
    from fr_cli.audit.log import Act, AuditLog
    from fr_cli.authority.identity import Person
    from fr_cli.authority.policy import Limits, Policy
    from fr_cli.decision.calibration import Calibration
    from fr_cli.face.batch import Maker
    from fr_cli.face.pipeline import Choice, FacePipeline
    from fr_cli.gallery.gallery import Gallery
    from fr_cli.gallery.lock import Turn
    from fr_cli.keys.passphrase import Ask
    from fr_cli.operations.approvals import Consent, Second
    from fr_cli.operations.calibration_files import InForce


#: The act by which somebody says that the log's time was wrong, and the clock is right.
CORRECTION = "policy clock"


class Bench:
    """Log, policy, models, calibration and gallery of one home; a context manager."""

    def __init__(
        self,
        home: Path,
        ask: Ask | None = None,
        *,
        wait: float | None = None,
        asker: Mapping[str, JSON] | None = None,
    ) -> None:
        """`ask` asks for a passphrase, None where nobody can be asked; `wait`: seconds to wait for
        others who change the gallery, None for the default; `asker`: on whose behalf a service
        acts, as the log says it (`audit.entry.operator`), None for whoever runs this process.
        """
        self.site: Site = _settled(open_site(home))
        self._passphrase = Passphrase(ask)
        self.wait = wait
        self.asker = asker
        #: What stands behind the act that runs now, and what everybody is to be told at its end.
        self.second: Second | None = None
        self.notices: list[str] = []
        self.tell: Callable[[str], None] | None = None

    @cached_property
    def consent(self) -> Consent:
        """What the operator brought for acts of two persons: nothing, unless it is set."""
        from fr_cli.operations.approvals import Consent

        return Consent()

    @cached_property
    def signer(self) -> SigningKey:
        """The key that signs the log, as the home has it now."""
        return SigningKey.load(self.site.keys, self._passphrase)

    @cached_property
    def site_key(self) -> SiteKey:
        """The key that wraps all others."""
        return SiteKey.load(self.site.keys, self._passphrase)

    @cached_property
    def audit(self) -> AuditLog:
        """The signed log."""
        from fr_cli.audit.log import AuditLog

        return AuditLog(self.site.audit, self.signer, self.site.origin, self.asker)

    @property
    def person(self) -> Person:
        """Who asks, as the log names them."""
        from fr_cli.audit.entry import operator
        from fr_cli.authority.identity import Person

        return Person.of(self.asker or operator())

    @contextlib.contextmanager
    def act(self, command: str, kind: str, **intent: JSON) -> Iterator[Act]:
        """An act of the log that the policy allows to who asks, at this time.

        NotAllowed (4) if not, ConfigurationError (3) if the policy is not valid or the clock was
        set back: after the intent, so that the attempt is in the log.
        """
        from fr_cli.audit.recent import CLOCK, newest_time
        from fr_cli.authority.identity import permit
        from fr_cli.authority.limits import believe
        from fr_cli.authority.roles import SEARCHES
        from fr_cli.operations.approvals import seconded

        newest = None
        with contextlib.suppress(AuditBroken):  # then whoever writes the intent says what is wrong
            newest = newest_time(self.audit.path)
        now, corrects = datetime.now(UTC), command == CORRECTION
        if newest and now < newest and not corrects:
            intent[CLOCK] = utc(newest, exact=True)
        intent["policy"] = self.policy_digest
        with seconded(self, command, kind, **intent) as act:
            policy = self.policy
            if not corrects:
                believe(now, newest or newest_time(self.audit.path))
            if command in SEARCHES:
                self._limited(policy.limits, act, now)
            permit(policy, self.person, command, now.date())
            yield act
            if command in SEARCHES:
                self._still_in_force()

    def _limited(self, limits: Limits, act: Act, now: datetime) -> None:
        """LimitReached (4) if who asks has searched, or was refused, too often."""
        from fr_cli.audit.recent import recent
        from fr_cli.authority.limits import HOUR, within
        from fr_cli.authority.roles import SEARCHES

        if limits.searches_per_hour or limits.refusals_per_hour:
            searches = recent(self.audit.path, SEARCHES)
            within(limits, *searches.before(act.id, self.person.uid, now - HOUR))

    def _still_in_force(self) -> None:
        """ConfigurationError (3) if the policy under which a search was made is that no longer."""
        from fr_cli.authority.policy import read_policy

        if read_policy(self.site.policy).sha256 != self.policy_digest:
            raise ConfigurationError(
                "The policy was changed while this search ran, so its answer is not given.",
                hint="Ask again, under the new policy.",
            )

    @cached_property
    def _policy(self) -> tuple[Policy, str]:
        from fr_cli.authority.policy import load_policy

        return load_policy(self.site.policy)

    @property
    def policy(self) -> Policy:
        """The policy in force; ConfigurationError (3) if it cannot be read or is not valid."""
        return self._policy[0]

    @property
    def policy_digest(self) -> str:
        """SHA-256 of the policy's bytes, as it stands in the log; empty if it is not valid."""
        try:
            return self._policy[1]
        except ConfigurationError:
            return ""

    @cached_property
    def fingerprint(self) -> str:
        """What the templates of this home are comparable with."""
        from fr_cli.face.pipeline import fingerprint

        return fingerprint(self.site.model, self.model_folders)

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

    def gallery(self, act: Act, *, create: bool = False, any_model: bool = False) -> Gallery:
        """Open the gallery for an act of the log; close it after use.

        GalleryDamaged if it is not the gallery that the log knows; OtherModel unless it is of the
        home's model.
        """
        from fr_cli.operations.standing import compare, newest_state

        if create and not self.site.database.exists() and newest_state(self.audit.path).state.act:
            raise GalleryMissing(
                "There is no gallery, but the log knows one.",
                hint="Restore its backup with: fr gallery restore",
            )
        gallery = self.unchecked_gallery(act, create=create, any_model=any_model)
        try:
            act.decide(**compare(gallery.store.state, self.audit.path).repeated())
        except BaseException:
            gallery.close()
            raise
        return gallery

    def unchecked_gallery(
        self, act: Act, *, create: bool = False, any_model: bool = False
    ) -> Gallery:
        """Open the gallery as it is, whatever the log says of it."""
        from fr_cli.gallery.gallery import Gallery

        gallery = Gallery.open(
            self.site,
            self.site_key,
            fingerprint=None if any_model else self.fingerprint,
            create=create,
            turn=self.turn(act),
        )
        gallery.store.act = act.id
        return gallery

    def turn(self, act: Act) -> Turn:
        """How an act waits for the gallery's lock."""
        from fr_cli.gallery.lock import Turn

        return Turn(act.command, self.wait)

    @property
    def calibration(self) -> Calibration | None:
        """The home's own calibration for this model, else the shipped one, else None."""
        return self._calibration.calibration if self._calibration else None

    def calibration_of(self, fusion: str) -> Calibration | None:
        """The same, for another way of fusing the references of a subject."""
        if fusion == "best":
            return self.calibration
        from fr_cli.operations.calibration_files import in_force

        found = self._checked(in_force(self.site, self.fingerprint, fusion, self.signer.public))
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

        return self._checked(in_force(self.site, self.fingerprint, "best", self.signer.public))

    def _checked(self, found: InForce | None) -> InForce | None:
        if found and "calibration" in self.policy.approvals.acts:
            found.refuse_unapproved()
        return found

    def close(self) -> None:
        """End child processes."""
        if "pipeline" in self.__dict__:
            self.pipeline.close()

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
        if self.tell:
            for notice in self.notices:
                self.tell(notice)


def _settled(site: Site) -> Site:
    """The settings with the model that the gallery is of, where a migration was cut short."""
    if not site.switching_to:
        return site
    from fr_cli.face.pipeline import fingerprint
    from fr_cli.gallery.store import Store

    # What is wrong with it is said by whoever opens it to use it.
    with (
        contextlib.suppress(FrError),
        contextlib.closing(Store.open(site.database)) as store,
    ):
        if store.meta("fingerprint") == fingerprint(site.switching_to, model_folders(site.home)):
            return replace(site, model=site.switching_to)
    return site
