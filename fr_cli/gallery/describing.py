"""Changed metadata of unchanged images: what the feed says of them now."""

from __future__ import annotations

from fr_cli.gallery.retention import is_hold
from fr_cli.gallery.rows import Changes, provenance
from fr_cli.gallery.store import Store


def describe_again(store: Store, changes: Changes) -> tuple[list[int], set[int]]:
    """Apply changed metadata to unchanged images (pk, what is said of it now).

    Reference ids may change places; an image that is left without its id is removed, unless
    it is on hold: then the change is not made. Returns the pks that were changed, and the
    subjects that lost an image.
    """
    before = {pk: store.reference_id(pk) for pk, _ in changes}
    store.db.executemany("UPDATE refs SET reference_id = uid WHERE pk = ?", [
        (pk,) for pk, _ in changes
    ])  # fmt: skip
    changed: list[int] = []
    losing: set[int] = set()
    for pk, enrolment in changes:
        taken = store.db.execute(
            "SELECT pk, subject, json_extract(provenance, '$.hold') FROM refs "
            "WHERE reference_id = ? AND pk != ? "
            "AND subject = (SELECT subject FROM refs WHERE pk = ?)",
            (enrolment.reference_id, pk, pk),
        ).fetchall()
        # One that is in `before` could not get its new id either, and keeps this one.
        if any(is_hold(hold) or other in before for other, _, hold in taken):
            store.db.execute(
                "UPDATE OR IGNORE refs SET reference_id = ? WHERE pk = ?", (before[pk], pk)
            )
            continue
        store.remove_references(other for other, _, _ in taken)
        losing.update(subject for _, subject, _ in taken)
        store.db.execute(
            "UPDATE refs SET reference_id = ?, watchlist = ?, provenance = ? WHERE pk = ?",
            (enrolment.reference_id, enrolment.watchlist, provenance(enrolment), pk),
        )
        changed.append(pk)
    return changed, losing
