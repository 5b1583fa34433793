"""The rows of a feed, sorted: known, changed, refused before, or to be embedded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from fr_cli.errors import FrError
from fr_cli.face.pipeline import Choice
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.photos import has_photo
from fr_cli.gallery.rejects import remember_rejects, was_rejected
from fr_cli.gallery.retention import is_hold, lifts_hold
from fr_cli.gallery.rows import provenance
from fr_cli.gallery.suppression import suppressed
from fr_cli.operations.manifest import BadRow, Row, Supply


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
    """A row whose image has to be embedded, and the image's bytes where they are to be kept."""

    row: Row
    image_key: str
    photo: bytes = field(default=b"", repr=False)


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
        keep_photos: bool,
    ) -> None:
        self._gallery = gallery
        self._context = json.dumps([face, floors, gallery.fingerprint], sort_keys=True)
        self._retry = retry
        self._keep_photos = keep_photos
        self._images: set[bytes] = set()
        self._names: set[bytes] = set()
        self._refused: dict[str, str] = {}
        self.lines = 0
        self.unchanged = 0
        self.rejected_before = 0
        self.rejects: list[Reject] = []
        self.changes: list[tuple[int, Row]] = []
        self.photos: list[tuple[int, Wanted]] = []

    def wanted(
        self, rows: Iterable[Row | BadRow], supply: Supply
    ) -> Iterator[tuple[Wanted, bytes]]:
        """The rows that need a template, with the bytes of their images; counts the others."""
        for row in rows:
            self.lines += 1
            if isinstance(row, BadRow):
                reject = Reject(row.line, "", row.image, "BadRow", row.reason)
                self._reject(self._key(row.text, row.reason), reject)
                continue
            try:
                data = supply.photo(row)
            except OSError as trouble:
                reason = f"the file cannot be read: {trouble.strerror or trouble}"
                key = self._key(row.enrolment.subject_id, row.enrolment.image)
                self._reject(key, _refusal(row, "FileUnreadable", reason))
                continue
            kept = data if self._keep_photos else b""
            wanted = Wanted(row, self._gallery.image_key(data), kept)
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
        known = self._is_known(wanted)
        if not known and (self.is_purged(row, wanted.image_key) or self.is_held(row)):
            return False
        if not known and self._was_rejected(self._photo_key(wanted)):
            self.rejected_before += 1
            return False
        self._images.add(image)
        self._names.add(name)
        return not known

    def _is_known(self, wanted: Wanted) -> bool:
        enrolment = wanted.row.enrolment
        same = self._gallery.store.known(enrolment.subject_id, wanted.image_key)
        if same is None:
            return False
        now = (enrolment.reference_id, enrolment.watchlist, provenance(enrolment))
        if (same.reference_id, same.watchlist, same.provenance) == now:
            self.unchanged += 1
        else:
            self.changes.append((same.pk, wanted.row))
        # Enrolled before the policy kept photos. Without the bytes: these may be many.
        if wanted.photo and not has_photo(self._gallery.store, same.pk):
            self.photos.append((same.pk, replace(wanted, photo=b"")))
        return True

    def is_held(self, row: Row) -> bool:
        """Whether this row would replace a reference on hold; then it is refused.

        Unless the row itself says that there is no hold, in so many words.
        """
        new = row.enrolment
        named = self._gallery.store.named(new.subject_id, new.reference_id)
        if named is None or lifts_hold(new.hold):
            return False
        if not is_hold(json.loads(named.provenance).get("hold", "")):
            return False
        self.refuse_held(row)
        return True

    def refuse_held(self, row: Row) -> None:
        """Count a row that would take the place of a reference on hold."""
        new = row.enrolment
        reason = "held: the reference of this id is on hold, and is not replaced"
        key = self._key("held", new.subject_id, new.reference_id, new.image)
        self._reject(key, _refusal(row, "Held", reason))

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
        remember_rejects(self._gallery.store, self._refused)

    def _reject(self, key: str, reject: Reject) -> None:
        if self._was_rejected(key):
            self.rejected_before += 1
            return
        self.rejects.append(reject)
        self._refused[key] = reject.error

    def _was_rejected(self, key: str) -> bool:
        return key in self._refused or (not self._retry and was_rejected(self._gallery.store, key))

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
