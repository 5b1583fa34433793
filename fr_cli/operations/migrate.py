"""Take the gallery to another model, from the photos that it keeps."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from fr_cli.audit.log import Act
from fr_cli.audit.merkle import root_of
from fr_cli.errors import DONE_WITH_SKIPS, FrError, UsageProblem
from fr_cli.face import batch, weights
from fr_cli.face.pipeline import fingerprint
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.migration import Migration, Trouble, Unusable, abandon
from fr_cli.operations.bench import Bench
from fr_cli.operations.calibration_files import in_force
from fr_cli.operations.standing import changing
from fr_cli.records import Head, Listener, Template
from fr_cli.site import write_site

#: Drafts committed together.
BATCH = 200
NO_PHOTO = ("NoPhoto", "No photo of this reference is kept.")


@dataclass(frozen=True)
class Order:
    """To which model, and how; `model` None stands for the home's own, whose pipeline changed."""

    model: str | None = None
    drop_unusable: bool = False
    largest: bool = False
    workers: int | None = None


@dataclass(frozen=True)
class Migrated:
    """What became of it: `published` is False while references cannot be used and none is dropped.

    `drafted` templates are made and kept, whether published or not.
    """

    model: str
    fingerprint: str
    published: bool
    drafted: int
    unusable: tuple[Unusable, ...]
    generation: int
    calibrated: bool
    head: Head

    @property
    def exit_code(self) -> int:
        """0, or 100 if a reference cannot be used."""
        return DONE_WITH_SKIPS if self.unusable else 0


def migrate(order: Order, bench: Bench, listener: Listener) -> Migrated:
    """Make templates of the other model of every kept photo, and change to them at once.

    Until then the gallery is used as before. Raises WeightsWrong before anything is begun, and
    UsageProblem if a migration to yet another model is under way. GalleryMissing never: without a
    gallery only the home's model changes.
    """
    model = order.model or bench.site.model
    target = _checked(model, bench)
    with bench.act("gallery migrate", "alteration", to=target, model=model) as act:
        unusable: list[Unusable] = []
        if not bench.site.database.exists():
            write_site(replace(bench.site, model=model, switching_to=""))
            done, drafted, generation = True, 0, 0
        else:
            with bench.gallery(act, any_model=True) as gallery:
                run = _Run(gallery, model, target, order, bench, act)
                done, unusable = run.go(listener)
                drafted, generation = run.drafted, int(gallery.store.meta("generation"))
        act.exit_code = DONE_WITH_SKIPS if unusable else 0
        act.decide(published=done, drafted=drafted, unusable=len(unusable), generation=generation)
    return Migrated(
        model=model,
        fingerprint=target,
        published=done,
        drafted=drafted,
        unusable=tuple(unusable),
        generation=generation,
        calibrated=in_force(bench.site, target, "best", bench.signer.public) is not None,
        head=act.head,
    )


def give_up(bench: Bench) -> int:
    """Give up a migration that is under way; how many templates it had made."""
    with (
        bench.act("gallery migrate", "administration", abandon=True) as act,
        bench.gallery(act, any_model=True) as gallery,
        changing(gallery, act),
    ):
        if gallery.store.setting("migrating") is None:
            raise UsageProblem("No migration is under way.", hint="There is nothing to give up.")
        dropped = abandon(gallery)
        write_site(replace(bench.site, switching_to=""))
        act.decide(dropped=dropped)
    return dropped


def _checked(model: str, bench: Bench) -> str:
    """The fingerprint of the model, whose weights are there and whole."""
    for one in weights.needed(model):
        weights.load(weights.resolved(one.name, bench.model_folders), bench.model_folders)
    return fingerprint(model, bench.model_folders)


class _Run:
    """One run of a migration."""

    def __init__(
        self, gallery: Gallery, model: str, target: str, order: Order, bench: Bench, act: Act
    ) -> None:
        self._gallery, self._model, self._order = gallery, model, order
        self._bench, self._act = bench, act
        self._migration = Migration(gallery, target)
        self.drafted = 0

    def go(self, listener: Listener) -> tuple[bool, list[Unusable]]:
        """Draft what is missing and publish; whether it was, and what cannot be used."""
        self._migration.check()
        if self._gallery.fingerprint == self._migration.fingerprint:
            self._settle()  # published by a run that was cut short after that, or long ago
            return True, []
        with changing(self._gallery, self._act):
            self._migration.begin()
        while True:
            self._draft(listener)
            with changing(self._gallery, self._act):
                if self._migration.waiting():
                    continue  # enrolled meanwhile
                unusable = self._migration.unusable()
                if unusable and not self._order.drop_unusable:
                    return False, unusable
                self._publish(unusable)
                return True, unusable

    def _publish(self, dropped: list[Unusable]) -> None:
        if dropped:
            self._act.batch(dropped=len(dropped), root=root_of(one.uid for one in dropped))
        # From here on whoever opens the home asks the gallery which model it is of.
        write_site(replace(self._bench.site, switching_to=self._model))
        self._migration.publish(dropped)
        self._settle()

    def _settle(self) -> None:
        write_site(replace(self._bench.site, model=self._model, switching_to=""))

    def _draft(self, listener: Listener) -> None:
        waiting = self._migration.waiting()
        maker = replace(
            self._bench.maker("largest" if self._order.largest else "single"),
            embedder=self._model,
        )
        absent: list[tuple[int, Trouble]] = []
        photos = listener.track(self._usable(waiting, absent), f"To {self._model}", len(waiting))
        made = batch.templates(photos, maker, workers=self._order.workers)
        while some := [*itertools.islice(made, BATCH)]:
            self._keep([(pk, one if isinstance(one, Template) else _said(one)) for pk, one in some])
        for first in range(0, len(absent), BATCH):
            self._keep(absent[first : first + BATCH])

    def _usable(
        self, pks: Iterable[int], absent: list[tuple[int, Trouble]]
    ) -> Iterator[tuple[int, bytes]]:
        """The photos; what there is none of is set aside."""
        for pk, photo in self._migration.photos(pks):
            if isinstance(photo, bytes):
                yield pk, photo
            else:
                absent.append((pk, NO_PHOTO if photo is None else _said(photo)))

    def _keep(self, some: Sequence[tuple[int, Template | Trouble]]) -> None:
        with changing(self._gallery, self._act):
            self._migration.draft(some)
        self.drafted += sum(isinstance(template, Template) for _, template in some)


def _said(trouble: FrError) -> Trouble:
    return type(trouble).__name__, trouble.message
