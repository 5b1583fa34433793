"""Enrol what a feed lists; run nightly, unchanged images cost a hash."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fr_cli.audit.log import Act
from fr_cli.audit.merkle import Frontier, leaf_hash
from fr_cli.errors import DONE_WITH_SKIPS, ConfigurationError, FrError
from fr_cli.face import batch
from fr_cli.face.pipeline import Choice
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.store import provenance
from fr_cli.operations.bench import Bench
from fr_cli.operations.manifest import BadRow, Row, read_manifest, read_photo
from fr_cli.records import Enrolment, Listener, Template

#: References committed together: one transaction and one entry of the log.
BATCH = 200


@dataclass(frozen=True)
class Reject:
    """One line of the feed that was not enrolled, and why."""

    line: int
    subject_id: str
    image: str
    error: str
    reason: str


@dataclass
class Enrolled:
    """What a run did; every line of the feed is counted once."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected_before: int = 0
    rejects: list[Reject] = field(default_factory=list)
    shared_images: int = 0
    generation: int = 0
    references: int = 0
    subjects: int = 0

    @property
    def exit_code(self) -> int:
        """0, or 100 if an image was refused that was not refused before."""
        return DONE_WITH_SKIPS if self.rejects else 0


@dataclass(frozen=True)
class Source:
    """What to enrol, and how to treat what is in it."""

    path: Path
    rejects: Path | None = None
    face: Choice = "single"
    retry: bool = False
    workers: int | None = None


def enroll(source: Source, bench: Bench, listener: Listener) -> Enrolled:
    """Enrol every line of the source that is new or changed.

    A line that cannot be enrolled is reported and the run goes on. Each batch is committed by
    itself, so that a run that is cut short loses nothing that it announced.
    """
    rows = list(read_manifest(source.path))
    result = Enrolled()
    with (
        _RejectFile(source.rejects) as reject_file,
        bench.audit.act("enroll", "collection", policy=bench.policy_digest, lines=len(rows)) as act,
        bench.gallery(create=True) as gallery,
        gallery.writing(),
    ):
        feed = _Feed(gallery, result, retry=source.retry)
        made = batch.templates(
            feed.wanted(listener.track(rows, "Enrolling", len(rows))),
            bench.maker(source.face),
            workers=source.workers,
        )
        for some in _batches(made):
            _commit(some, feed, act)
        feed.commit_changes()
        for reject in result.rejects:
            reject_file.write(reject)
        feed.remember_rejects()  # last: what a run cut short did not report is news the next time
        gallery.settle()
        result.generation = int(gallery.store.meta("generation"))
        result.references = gallery.count("refs")
        result.subjects = gallery.count("subjects")
        act.exit_code = result.exit_code
        act.decide(
            added=result.added,
            updated=result.updated,
            unchanged=result.unchanged,
            rejected=len(result.rejects),
            rejected_before=result.rejected_before,
            generation=result.generation,
            references=result.references,
            model=bench.fingerprint,
        )
    return result


@dataclass(frozen=True)
class _Wanted:
    """A row whose image has to be embedded."""

    row: Row
    image_key: str


class _Feed:
    """Sorts the rows of a feed: known, changed, refused before, or to be embedded."""

    def __init__(self, gallery: Gallery, result: Enrolled, *, retry: bool) -> None:
        self.gallery = gallery
        self.result = result
        self._retry = retry
        self._seen: set[tuple[str, str]] = set()
        self._named: set[tuple[str, str]] = set()
        self._changes: list[tuple[int, Enrolment]] = []
        self._refused: dict[str, str] = {}

    def wanted(self, rows: Iterable[Row | BadRow]) -> Iterator[tuple[_Wanted, bytes]]:
        for row in rows:
            if isinstance(row, BadRow):
                self.reject(_key_of(self.gallery, row.text, row.reason), Reject(
                    row.line, "", "", "BadRow", row.reason
                ))  # fmt: skip
                continue
            try:
                data = read_photo(row.path)
            except OSError as trouble:
                reason = f"the file cannot be read: {trouble.strerror}"
                key = _key_of(self.gallery, row.enrolment.subject_id, row.enrolment.image)
                self.reject(key, _refusal(row, "FileUnreadable", reason))
                continue
            image_key = self.gallery.image_key(data)
            subject, name = row.enrolment.subject_id, row.enrolment.reference_id
            if (subject, image_key) in self._seen:
                self.result.unchanged += 1
                continue
            if (subject, name) in self._named:
                reason = "an earlier line has another image under this reference id"
                key = _key_of(self.gallery, subject, name, image_key)
                self.reject(key, _refusal(row, "BadRow", reason))
                continue
            if not self._is_known(row.enrolment, image_key):
                if self._was_rejected(image_key):
                    self.result.rejected_before += 1
                    continue
                yield _Wanted(row, image_key), data
            self._seen.add((subject, image_key))
            self._named.add((subject, name))

    def _is_known(self, enrolment: Enrolment, image_key: str) -> bool:
        same = self.gallery.store.known(enrolment.subject_id, image_key)
        if same is None:
            return False
        now = (enrolment.reference_id, enrolment.watchlist, provenance(enrolment))
        if (same.reference_id, same.watchlist, same.provenance) == now:
            self.result.unchanged += 1
        else:
            self._changes.append((same.pk, enrolment))
            self.result.updated += 1
        return True

    def _was_rejected(self, key: str) -> bool:
        return key in self._refused or (not self._retry and self.gallery.store.was_rejected(key))

    def reject(self, key: str, reject: Reject) -> None:
        """Count a refusal: as new, or only as one of those seen before."""
        if self._was_rejected(key):
            self.result.rejected_before += 1
            return
        self.result.rejects.append(reject)
        self._refused[key] = reject.error

    def commit_changes(self) -> None:
        """Apply changed metadata of unchanged images."""
        if self._changes:
            with self.gallery.store.transaction():
                self.gallery.store.describe_again(self._changes)
            self._changes.clear()

    def remember_rejects(self) -> None:
        """So that the next run only counts them."""
        with self.gallery.store.transaction():
            for key, error in self._refused.items():
                self.gallery.store.remember_reject(key, error)


def _commit(some: list[tuple[_Wanted, Template | FrError]], feed: _Feed, act: Act) -> None:
    good: list[tuple[Enrolment, str, Template]] = []
    for wanted, template in some:
        if isinstance(template, FrError):
            if isinstance(template, ConfigurationError):
                raise template
            refusal = _refusal(wanted.row, type(template).__name__, template.message)
            feed.reject(wanted.image_key, refusal)
        else:
            good.append((wanted.row.enrolment, wanted.image_key, template))
    if not good:
        return
    feed.commit_changes()  # first: a reference id of this batch may have been another image's
    stored = feed.gallery.enrol(good, act.id)
    store = feed.gallery.store
    feed.result.shared_images += len(
        {key for enrolment, key, _ in good if store.others_with_image(enrolment.subject_id, key)}
    )
    # One entry a batch; the root makes each reference in it provable by its random ids.
    tree = Frontier()
    for reference_uid, subject_uid in stored:
        tree.append(leaf_hash(f"{reference_uid}/{subject_uid}".encode()))
    act.batch(enrolled=len(stored), root=tree.root().hex())
    feed.result.added += len(stored)


class _RejectFile:
    """The file of `--rejects`, opened before anything is done, so that it cannot fail after."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def __enter__(self) -> _RejectFile:
        try:
            self._file = self._path.open("w", newline="") if self._path else None
        except OSError as trouble:
            raise ConfigurationError(
                f"The file of rejects {self._path} cannot be written: {trouble.strerror}.",
                hint="Choose another path for --rejects.",
            ) from trouble
        if self._file:
            self._table = csv.writer(self._file)
            self._table.writerow(("line", "subject_id", "image", "error", "reason"))
        return self

    def write(self, reject: Reject) -> None:
        if self._file:
            self._table.writerow(
                (reject.line, reject.subject_id, reject.image, reject.error, reject.reason)
            )

    def __exit__(self, *exception: object) -> None:
        if self._file:
            self._file.close()


def _batches(
    made: Iterator[tuple[_Wanted, Template | FrError]],
) -> Iterator[list[tuple[_Wanted, Template | FrError]]]:
    while some := list(itertools.islice(made, BATCH)):
        yield some


def _key_of(gallery: Gallery, *parts: str) -> str:
    return gallery.image_key("\0".join(("row", *parts)).encode(errors="replace"))


def _refusal(row: Row, error: str, reason: str) -> Reject:
    return Reject(row.line, row.enrolment.subject_id, row.enrolment.image, error, reason)
