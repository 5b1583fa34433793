"""The rows of a feed, sorted: known, changed, refused before, or to be embedded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fr_cli.errors import FrError
from fr_cli.face.pipeline import Choice
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.store import provenance
from fr_cli.gallery.suppression import suppressed
from fr_cli.operations.manifest import BadRow, Row, read_photo
from fr_cli.records import Enrolment


@dataclass(frozen=True)
class Reject:
    """One line of the feed that was not enrolled, and why."""

    line: int
    subject_id: str
    image: str
    error: str
    reason: str


@dataclass(frozen=True)
class Wanted:
    """A row whose image has to be embedded."""

    row: Row
    image_key: str


class Feed:
    """Looks up every row in the gallery, and keeps what is to be changed and reported.

    `context` is what a refusal depends on beside the image (which face, which floors, which
    model): an image that was refused is tried again when one of these has changed.
    """

    def __init__(
        self,
        gallery: Gallery,
        *,
        face: Choice,
        floors: Mapping[str, float],
        retry: bool,
    ) -> None:
        self._gallery = gallery
        self._context = json.dumps([face, floors, gallery.fingerprint], sort_keys=True)
        self._retry = retry
        self._images: set[bytes] = set()
        self._names: set[bytes] = set()
        self._refused: dict[str, str] = {}
        self.lines = 0
        self.unchanged = 0
        self.rejected_before = 0
        self.rejects: list[Reject] = []
        self.changes: list[tuple[int, Enrolment]] = []

    def wanted(self, rows: Iterable[Row | BadRow]) -> Iterator[tuple[Wanted, bytes]]:
        """The rows that need a template, with the bytes of their images; counts the others."""
        for row in rows:
            self.lines += 1
            if isinstance(row, BadRow):
                reject = Reject(row.line, "", row.image, "BadRow", row.reason)
                self._reject(self._key(row.text, row.reason), reject)
                continue
            try:
                data = read_photo(row.path)
            except OSError as trouble:
                reason = f"the file cannot be read: {trouble.strerror or trouble}"
                key = self._key(row.enrolment.subject_id, row.enrolment.image)
                self._reject(key, _refusal(row, "FileUnreadable", reason))
                continue
            wanted = Wanted(row, self._gallery.image_key(data))
            if self._is_wanted(wanted):
                yield wanted, data

    def _is_wanted(self, wanted: Wanted) -> bool:
        row, enrolment = wanted.row, wanted.row.enrolment
        image = _mark(enrolment.subject_id, wanted.image_key)
        name = _mark(enrolment.subject_id, enrolment.reference_id)
        if image in self._images:
            self.unchanged += 1
            return False
        if name in self._names:
            reason = "an earlier line has another image under this reference id"
            key = self._key(enrolment.subject_id, enrolment.reference_id, wanted.image_key)
            self._reject(key, _refusal(row, "BadRow", reason))
            return False
        known = self._is_known(enrolment, wanted.image_key)
        if not known and self.is_purged(row, wanted.image_key):
            return False
        if not known and self._was_rejected(self._photo_key(wanted)):
            self.rejected_before += 1
            return False
        self._images.add(image)
        self._names.add(name)
        return not known

    def _is_known(self, enrolment: Enrolment, image_key: str) -> bool:
        same = self._gallery.store.known(enrolment.subject_id, image_key)
        if same is None:
            return False
        now = (enrolment.reference_id, enrolment.watchlist, provenance(enrolment))
        if (same.reference_id, same.watchlist, same.provenance) == now:
            self.unchanged += 1
        else:
            self.changes.append((same.pk, enrolment))
        return True

    def is_purged(self, row: Row, image_key: str) -> bool:
        """Whether this person or this photo was purged; then the row is refused."""
        subject_id = row.enrolment.subject_id
        what = suppressed(self._gallery.store, self._gallery.alias(subject_id), image_key)
        if what is None:
            return False
        reason = f"purged: this {what} may no longer be kept"
        self._reject(self._key("purged", subject_id, image_key), _refusal(row, "Purged", reason))
        return True

    def refuse(self, wanted: Wanted, trouble: FrError) -> None:
        """Count a photo of which no template could be made."""
        refusal = _refusal(wanted.row, type(trouble).__name__, trouble.message)
        self._reject(self._photo_key(wanted), refusal)

    def remember_rejects(self) -> None:
        """So that the next run only counts them; call it when they have been reported."""
        with self._gallery.store.transaction():
            for key, error in self._refused.items():
                self._gallery.store.remember_reject(key, error)

    def _reject(self, key: str, reject: Reject) -> None:
        if self._was_rejected(key):
            self.rejected_before += 1
            return
        self.rejects.append(reject)
        self._refused[key] = reject.error

    def _was_rejected(self, key: str) -> bool:
        return key in self._refused or (not self._retry and self._gallery.store.was_rejected(key))

    def _photo_key(self, wanted: Wanted) -> str:
        return self._key("photo", wanted.image_key, self._context)

    def _key(self, *parts: str) -> str:
        text = "\0".join(("rejected", *parts))
        return self._gallery.image_key(text.encode(errors="replace"))


def _mark(*parts: str) -> bytes:
    """Stands for a pair in a set: a feed of a million lines must fit into memory."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=12).digest()


def _refusal(row: Row, error: str, reason: str) -> Reject:
    return Reject(row.line, row.enrolment.subject_id, row.enrolment.image, error, reason)
