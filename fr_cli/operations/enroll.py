"""Enrol what a feed lists; run nightly, unchanged images cost a hash."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from fr_cli.audit.log import Act
from fr_cli.audit.merkle import root_of
from fr_cli.errors import DONE_WITH_SKIPS, FrError
from fr_cli.face import batch
from fr_cli.face.pipeline import Choice
from fr_cli.gallery.gallery import Gallery
from fr_cli.operations.bench import Bench
from fr_cli.operations.feed import Feed, Wanted
from fr_cli.operations.manifest import BadRow, Manifest, Row, Supply
from fr_cli.operations.met import Met
from fr_cli.operations.rejects import Reject, Rejects
from fr_cli.operations.standing import changing
from fr_cli.records import Listener, Template

T = TypeVar("T")

#: References committed together: one transaction and one entry of the log.
BATCH = 200
#: Bytes of photos that end a batch before that.
BATCH_BYTES = 64 * 2**20
#: Changes of unchanged images that are made together. Two that exchange their reference ids must
#: be among the same ones.
CHANGES = 2000


@dataclass(frozen=True)
class Source:
    """What to enrol, and how to treat what is in it."""

    feed: Path | Supply
    rejects: Path | None = None
    face: Choice = "single"
    retry: bool = False
    workers: int | None = None

    @property
    def supply(self) -> Supply:
        """Where the rows and their photos come from."""
        return Manifest(self.feed) if isinstance(self.feed, Path) else self.feed


@dataclass(frozen=True)
class Enrolled:
    """What a run did; every line of the feed is counted once.

    `replaced` of the added references took the place of one of the same reference id; `photos`
    were kept, also of references that were enrolled before. `rejects` are the first of the
    `rejected`.
    """

    added: int
    replaced: int
    updated: int
    unchanged: int
    rejected: int
    rejected_before: int
    rejects: tuple[Reject, ...]
    shared_images: int
    photos: int
    generation: int
    references: int
    subjects: int

    @property
    def exit_code(self) -> int:
        """0, or 100 if an image was refused that was not refused before."""
        return DONE_WITH_SKIPS if self.rejected else 0


def enroll(source: Source, bench: Bench, listener: Listener) -> Enrolled:
    """Enrol every line of the source that is new or changed.

    A line that cannot be enrolled is reported and the run goes on. Each batch is committed by
    itself under the gallery's lock, so that a run that is cut short loses nothing that it
    announced, and a purge need not wait for the end of the night. Memory does not grow with the
    feed.
    """
    supply = source.supply
    rows, total = supply.rows(), supply.total
    bench.site.refuse_inside(source.rejects)
    with (
        bench.act("enroll", "collection") as act,
        Rejects(source.rejects) as rejects,
        bench.gallery(act, create=True) as gallery,
        closing(Met()) as met,
    ):
        feed = Feed(
            gallery,
            met,
            face=source.face,
            floors=bench.policy.quality_floors,
            retry=source.retry,
            keep_photos=bench.policy.keep_photos,
            report=rejects.take,
        )
        run = _Run(gallery, feed, act)
        passing = run.between(listener.track(rows, "Enrolling", total))
        made = batch.templates(
            feed.wanted(passing, supply),
            bench.maker(source.face),
            workers=source.workers,
        )
        for some in _batches(made):
            run.commit(some)
        run.commit([])
        run.keep_photos()
        feed.remember_rejects()  # last: what a run cut short did not report is news the next time
        with run.writing():
            gallery.settle()
        result = run.result(rejects)
        act.exit_code = result.exit_code
        act.decide(
            lines=feed.lines,
            added=result.added,
            replaced=result.replaced,
            updated=result.updated,
            unchanged=result.unchanged,
            rejected=result.rejected,
            rejected_before=result.rejected_before,
            photos=result.photos,
            generation=result.generation,
            references=result.references,
            model=bench.fingerprint,
        )
    return result


def _batches(made: Iterable[tuple[Wanted, T]]) -> Iterator[list[tuple[Wanted, T]]]:
    some: list[tuple[Wanted, T]] = []
    held = 0
    for one in made:
        some.append(one)
        held += len(one[0].photo)
        if len(some) == BATCH or held > BATCH_BYTES:
            yield some
            some, held = [], 0
    if some:
        yield some


class _Run:
    """Commits batches, each with its entry in the log, and counts."""

    def __init__(self, gallery: Gallery, feed: Feed, act: Act) -> None:
        self._gallery, self._feed, self._act = gallery, feed, act
        self._added = self._replaced = self._updated = self._raced = self._shared = 0
        self._photos = 0

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the gallery's lock; what is changed under it enters the log."""
        with changing(self._gallery, self._act):
            yield

    def commit(self, some: list[tuple[Wanted, Template | FrError]]) -> None:
        """Store the templates of a batch and the changes found so far; report the rest."""
        good: list[tuple[Wanted, Template]] = []
        for wanted, template in some:
            if isinstance(template, FrError):
                self._feed.refuse(wanted, template)
            else:
                good.append((wanted, template))
        changes, self._feed.changes = self._feed.changes, []
        if not good and not changes:
            return
        store = self._gallery.store
        with self.writing():
            # First: a reference id of this batch may have been another image's.
            done, changed = self._gallery.describe_again(
                [(pk, row.enrolment) for pk, row in changes]
            )
            for pk, row in changes:
                if pk not in done:
                    self._feed.refuse_held(row)
            # A purge or another run may have been quicker since this one looked.
            allowed = [
                (one.row.enrolment, one.image_key, template)
                for one, template in good
                if not (self._feed.is_purged(one.row, one.image_key) or self._feed.is_held(one.row))
            ]
            fresh = [one for one in allowed if store.known(one[0].subject_id, one[1]) is None]
            photos = {one.image_key: one.photo for one, _ in good if one.photo}
            stored = self._gallery.enrol(fresh, self._act.id, photos)
            # One entry a batch; the root makes each reference provable by its random ids.
            replaced = [uid for one in stored for uid in one.replaced]
            self._act.batch(
                enrolled=len(stored),
                replaced=len(replaced),
                updated=len(changed),
                photos=sum(key in photos for _, key, _ in fresh),
                root=root_of(f"{one.reference_uid}/{one.subject_uid}" for one in stored),
                replaced_root=root_of(replaced),
                updated_root=root_of(changed),
            )
        self._shared += len(
            {
                key
                for enrolment, key, _ in fresh
                if store.others_with_image(enrolment.subject_id, key)
            }
        )
        self._added += len(stored)
        self._replaced += len(replaced)
        self._updated += len(changed)
        self._photos += sum(key in photos for _, key, _ in fresh)
        self._raced += len(allowed) - len(fresh)

    def between(self, rows: Iterable[Row | BadRow]) -> Iterator[Row | BadRow]:
        """The rows, passed on; when much is to be changed, that is done before the next one."""
        for row in rows:
            yield row
            if len(self._feed.changes) >= CHANGES:
                self.commit([])
            photos = self._feed.photos
            if len(photos) == BATCH or sum(map(len, photos.values())) > BATCH_BYTES:
                self.keep_photos()

    def keep_photos(self) -> None:
        """Keep the photos found so far of references that were enrolled before any was kept."""
        photos, self._feed.photos = self._feed.photos, {}
        if not photos:
            return
        with self.writing():
            kept = self._gallery.keep_photos(photos)
            self._act.batch(photos=kept)
        self._photos += kept

    def result(self, rejects: Rejects) -> Enrolled:
        """The counts of the run, and what the gallery holds now."""
        return Enrolled(
            added=self._added,
            replaced=self._replaced,
            updated=self._updated,
            unchanged=self._feed.unchanged + self._raced,
            rejected=rejects.count,
            rejected_before=self._feed.rejected_before,
            rejects=tuple(rejects.first),
            shared_images=self._shared,
            photos=self._photos,
            generation=int(self._gallery.store.meta("generation")),
            references=self._gallery.count("refs"),
            subjects=self._gallery.count("subjects"),
        )
