"""The rows of a feed, sorted: known, changed, refused before, or to be embedded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from fr_cli.errors import FrError
from fr_cli.face.pipeline import Choice
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.photos import has_photo
from fr_cli.gallery.rejects import remember_rejects, was_rejected
from fr_cli.gallery.retention import is_hold, lifts_hold
from fr_cli.gallery.rows import provenance
from fr_cli.gallery.suppression import suppressed
from fr_cli.operations.manifest import BadRow, Row, Supply
from fr_cli.operations.met import Met
from fr_cli.operations.rejects import Reject


@dataclass(frozen=True)
class Wanted:
    """A row whose image has to be embedded, and the image's bytes where they are to be kept."""

    row: Row
    image_key: str
    photo: bytes = field(default=b"", repr=False)


class Feed:
    """Looks up every row in the gallery, and keeps what is to be changed.

    A refusal goes to `report`, each once. `context` is what it depends on beside the image (which
    face, which floors, which model): an image that was refused is tried again when one of these
    has changed. `changes` and `photos` (of references that were enrolled before the policy kept
    any, by pk) are taken from here by whoever stores them, now and then.
    """

    def __init__(
        self,
        gallery: Gallery,
        met: Met,
        *,
        face: Choice,
        floors: Mapping[str, float],
        retry: bool,
        keep_photos: bool,
        report: Callable[[Reject], None],
    ) -> None:
        self._gallery = gallery
        self._context = json.dumps([face, floors, gallery.fingerprint], sort_keys=True)
        self._retry = retry
        self._keep_photos = keep_photos
        self._report = report
        self._met = met
        self.lines = 0
        self.unchanged = 0
        self.rejected_before = 0
        self.changes: list[tuple[int, Row]] = []
        self.photos: dict[int, bytes] = {}

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
        image = ("image " + enrolment.subject_id, wanted.image_key)
        name = ("name " + enrolment.subject_id, enrolment.reference_id)
        if self._met.is_marked(image):
            self.unchanged += 1
            return False
        if self._met.is_marked(name):
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
        self._met.mark(image, name)
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
        if wanted.photo and not has_photo(self._gallery.store, same.pk):
            self.photos[same.pk] = wanted.photo
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
        remember_rejects(self._gallery.store, self._met.refusals())

    def _reject(self, key: str, reject: Reject) -> None:
        if self._was_rejected(key):
            self.rejected_before += 1
            return
        self._met.refuse(key, reject.error)
        self._report(reject)

    def _was_rejected(self, key: str) -> bool:
        if self._met.was_refused(key):
            return True
        return not self._retry and was_rejected(self._gallery.store, key)

    def _photo_key(self, wanted: Wanted) -> str:
        return self._key("photo", wanted.image_key, self._context)

    def _key(self, *parts: str) -> str:
        text = "\0".join(("rejected", *parts))
        return self._gallery.image_key(text.encode(errors="replace"))


def _refusal(row: Row, error: str, reason: str) -> Reject:
    return Reject(row.line, row.enrolment.subject_id, row.enrolment.image, error, reason)
