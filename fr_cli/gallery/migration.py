"""To another model: new templates are made beside the old ones, and take their place at once.

A draft is the new template of one reference, sealed as the old one is, or why there is none. Until
`publish` commits, the gallery is searched as before, and enrolled into; cut short anywhere, it is
taken up where it was, or abandoned. The commit of the database is the moment of the change: what
a generation, a reader or the home's settings say is held against the fingerprint in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fr_cli.errors import GalleryDamaged, NotAllowed, UsageProblem
from fr_cli.gallery.generation import Packed
from fr_cli.gallery.rekeying import destroy_left, leave_keys
from fr_cli.gallery.retention import is_hold
from fr_cli.gallery.rows import natives
from fr_cli.gallery.vault import seal
from fr_cli.gallery.view import bound, open_templates
from fr_cli.records import Template

if TYPE_CHECKING:
    from fr_cli.gallery.gallery import Gallery

#: The name of an error, and the reason in words.
Trouble = tuple[str, str]


@dataclass(frozen=True)
class Unusable:
    """A reference of which no template of the other model can be made, and why."""

    pk: int
    subject: int
    uid: str
    subject_id: str
    reference_id: str
    held: bool
    error: str
    reason: str


class Migration:
    """What is under way in one gallery, to the model of one fingerprint."""

    def __init__(self, gallery: Gallery, fingerprint: str) -> None:
        self._gallery, self._store = gallery, gallery.store
        self.fingerprint = fingerprint

    def check(self) -> None:
        """UsageProblem if a migration to another model is under way."""
        under_way = self._store.setting("migrating")
        if under_way not in (None, self.fingerprint):
            raise UsageProblem(
                f"A migration to the model {str(under_way)[:12]} is under way.",
                hint="Finish it, or give it up with: fr gallery migrate --abandon",
            )

    def begin(self) -> None:
        """Begin, or take up what was begun; needs the lock.

        What could not be made the last time is tried again. Raises as `check` does.
        """
        self.check()
        with self._store.transaction():
            self._store.set_meta(migrating=self.fingerprint)
            self._store.db.execute("DELETE FROM drafts WHERE trouble != ''")

    def waiting(self) -> list[int]:
        """The references (pk) of which nothing is drafted yet."""
        rows = self._store.db.execute(
            "SELECT refs.pk FROM refs JOIN subjects ON subjects.pk = refs.subject "
            "WHERE state = 'active' AND refs.pk NOT IN (SELECT ref FROM drafts) ORDER BY refs.pk"
        )
        return [int(pk) for (pk,) in rows]

    def photos(self, pks: Iterable[int]) -> Iterator[tuple[int, bytes | GalleryDamaged | None]]:
        """The photos of references: None where none is kept, the trouble where it does not open.

        Without references that were purged since.
        """
        for pk in pks:
            try:
                found = self._gallery.photo_at(pk)
            except GalleryDamaged as trouble:
                yield pk, trouble
            else:
                if found is not None:
                    yield pk, found[0]

    def draft(self, made: Sequence[tuple[int, Template | Trouble]]) -> None:
        """Keep what was made of references (pk), in one transaction; needs the lock."""
        with self._store.transaction():
            for pk, template in made:
                one = self._store.reference(pk)
                if one is None:
                    continue  # purged since
                sealed, quality, trouble = b"", "", ""
                if isinstance(template, tuple):
                    trouble = json.dumps(template)
                else:
                    key = self._gallery.subject_keys.read(one.slot)
                    context = bound(one.uid, one.subject_id, self.fingerprint)
                    sealed = seal(key, template.vector.astype("<f4").tobytes(), context)
                    quality = json.dumps(natives(template.quality))
                self._store.db.execute(
                    "INSERT OR REPLACE INTO drafts VALUES (?, ?, ?, ?)",
                    (pk, sealed, quality, trouble),
                )

    def unusable(self) -> list[Unusable]:
        """The references of which none can be made, in the order of their enrolment."""
        rows = self._store.db.execute(
            "SELECT refs.pk, subject, refs.uid, subject_id, reference_id, "
            "json_extract(provenance, '$.hold'), trouble FROM drafts "
            "JOIN refs ON refs.pk = ref JOIN subjects ON subjects.pk = refs.subject "
            "WHERE trouble != '' ORDER BY refs.pk"
        )
        found = []
        for pk, subject, uid, name, reference, hold, trouble in rows.fetchall():
            error, reason = json.loads(trouble)
            held = is_hold(hold or "")
            found.append(Unusable(pk, subject, uid, name, reference, held, error, reason))
        return found

    def publish(self, dropped: Sequence[Unusable]) -> int:
        """Make the drafts the templates of the gallery, without the dropped; needs the lock.

        Everything else must be drafted. Returns the generation of the new model. NotAllowed if
        one of the dropped is on hold.
        """
        held = sum(one.held for one in dropped)
        if held:
            raise NotAllowed(
                f"{held} of the references that cannot be used are on hold, and are not dropped.",
                hint="Lift the hold in the feed and enrol it, or enrol a usable photo.",
            )
        gallery, store = self._gallery, self._store
        old, high = int(store.meta("generation")), store.newest()
        number = gallery.write_generation(self._packed(), self.fingerprint)
        with store.transaction():
            self._drop(dropped)
            store.db.execute(
                "UPDATE refs SET sealed = drafts.sealed, quality = drafts.quality "
                "FROM drafts WHERE drafts.ref = refs.pk"
            )
            store.db.execute("DELETE FROM drafts")
            store.db.execute("DELETE FROM meta WHERE key = 'migrating'")
            store.set_meta(
                fingerprint=self.fingerprint, generation=str(number), high_water=str(high)
            )
            store.clear_removed()
        gallery.fingerprint = self.fingerprint
        destroy_left(gallery)
        gallery.generations.destroy(old)
        return number

    def _packed(self) -> Packed:
        import numpy as np

        rows = [
            replace(one, sealed=sealed)
            for pk, sealed in self._store.db.execute(
                "SELECT ref, sealed FROM drafts WHERE trouble = '' ORDER BY ref"
            ).fetchall()
            if (one := self._store.reference(pk)) is not None
        ]
        vectors = open_templates(rows, self._gallery.subject_keys, self.fingerprint)
        return Packed(
            np.array([one.pk for one in rows], np.int64),
            np.array([one.subject for one in rows], np.int64),
            np.stack(vectors) if vectors else np.empty((0, 0), np.float32),
        )

    def _drop(self, dropped: Sequence[Unusable]) -> None:
        """Remove references as a replaced one is; who has none left goes as well."""
        self._store.remove_references(one.pk for one in dropped)
        for subject in {one.subject for one in dropped}:
            leave_keys(self._gallery, [subject])
            if not self._store.references_of(subject):
                self._store.delete_subject(subject)


def abandon(gallery: Gallery) -> int:
    """Give up a migration that is under way; needs the lock. How many drafts were dropped."""
    with gallery.store.transaction():
        gallery.store.db.execute("DELETE FROM meta WHERE key = 'migrating'")
        return gallery.store.db.execute("DELETE FROM drafts").rowcount
