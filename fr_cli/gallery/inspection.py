"""Is the gallery whole? Every key, template and file, held against the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fr_cli.errors import GalleryDamaged
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.rows import Sealed
from fr_cli.gallery.search import engine_for
from fr_cli.gallery.watchlists import labels
from fr_cli.records import Listener, counted

#: Without those who are being purged: a few, who are quicker left out than the others looked up.
_SOURCES = (
    "SELECT json_extract(provenance, '$.source'), count(*) FROM refs "
    "WHERE subject NOT IN (SELECT pk FROM subjects WHERE state = 'purging') GROUP BY 1"
)
#: References that are read together.
_AT_ONCE = 1000


@dataclass(frozen=True)
class Stats:
    """What is enrolled."""

    subjects: int
    references: int
    watchlists: dict[str, int]
    sources: dict[str, int]
    rejects: int
    photos: int
    photo_bytes: int
    drafts: int
    generation: int
    beside_generation: int
    engine: str
    fingerprint: str
    bytes_on_disk: int


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be, and the command that mends it."""

    what: str
    mend: str


def measure(gallery: Gallery) -> Stats:
    """Count subjects, references, watchlists and sources."""
    store = gallery.store
    with store.snapshot():
        generation = int(store.meta("generation"))
        packed = gallery.generations.read(generation, gallery.fingerprint)
        watchlists = labels(store, empty=True)
        sources = dict(store.db.execute(_SOURCES).fetchall())
        beside = store.db.execute(
            "SELECT count(*) FROM refs WHERE pk > ?", (int(store.meta("high_water")),)
        ).fetchone()[0]
        rejects = store.db.execute("SELECT count(*) FROM rejects").fetchone()[0]
        photos, photo_bytes = store.db.execute(
            "SELECT count(*), coalesce(sum(length(sealed)), 0) FROM photos"
        ).fetchone()
        drafts = store.db.execute("SELECT count(*) FROM drafts").fetchone()[0]
        subjects, references = gallery.count("subjects"), gallery.count("refs")
    return Stats(
        subjects=subjects,
        references=references,
        watchlists=watchlists,
        sources=sources,
        rejects=rejects,
        photos=photos,
        photo_bytes=photo_bytes,
        drafts=drafts,
        generation=generation,
        beside_generation=beside,
        engine=engine_for(packed).name,
        fingerprint=gallery.fingerprint,
        bytes_on_disk=sum(p.stat().st_size for p in gallery.folder.rglob("*") if p.is_file()),
    )


def inspect(gallery: Gallery, listener: Listener) -> list[Finding]:
    """Everything that is wrong, with what mends it; empty for a whole gallery."""
    return [
        *_keys(gallery),
        *_database(gallery),
        *_templates(gallery, listener),
        *_generation(gallery),
    ]


def _keys(gallery: Gallery) -> Iterator[Finding]:
    if gallery.wrapping.unfinished:
        yield Finding("The keys were being wrapped anew when a command died", "fr gallery rebuild")


def _database(gallery: Gallery) -> Iterator[Finding]:
    for (text,) in gallery.store.db.execute("PRAGMA integrity_check").fetchall():
        if text != "ok":
            yield Finding(f"The database: {text}", "restore the gallery from its backup")
    for table, row, parent, _ in gallery.store.db.execute("PRAGMA foreign_key_check").fetchall():
        what = f"Row {row} of {table} names a row of {parent} that is missing"
        yield Finding(what, "restore the gallery from its backup")
    left = gallery.store.db.execute("SELECT count(*) FROM dead_slots").fetchone()[0]
    if left:
        yield Finding(f"{left} keys were left and not destroyed", "fr gallery rebuild")
    unfinished = gallery.store.db.execute(
        "SELECT count(*) FROM subjects WHERE state = 'purging'"
    ).fetchone()[0]
    if unfinished:
        yield Finding(
            f"Cut short: the purge of {counted(unfinished, 'subject')}", "fr gallery rebuild"
        )


def _templates(gallery: Gallery, listener: Listener) -> Iterator[Finding]:
    for one in listener.track(_each(gallery), "Checking", gallery.count("refs")):
        try:
            gallery.open_sealed(one)
            gallery.photo_of(one)
        except GalleryDamaged as trouble:
            # A purge alone would keep them out.
            name = one.subject_id
            mend = f"fr purge --subject {name}, fr purge --lift {name}, and enrol them again"
            yield Finding(f"What is sealed of {one.subject_id}: {trouble.message}", mend)


def _each(gallery: Gallery) -> Iterator[Sealed]:
    """All references, some at a time: a million sealed templates take a gigabyte and more."""
    last = 0
    while rows := gallery.store.newer_than(last, _AT_ONCE):
        yield from rows
        last = rows[-1].pk


def _generation(gallery: Gallery) -> Iterator[Finding]:
    number = int(gallery.store.meta("generation"))
    try:
        packed = gallery.generations.check(number, gallery.fingerprint)
    except GalleryDamaged as trouble:
        yield Finding(f"Generation {number}: {trouble.message}", "fr gallery rebuild")
        return
    high = int(gallery.store.meta("high_water"))
    listed = {
        pk for (pk,) in gallery.store.db.execute("SELECT pk FROM refs WHERE pk <= ?", (high,))
    }
    removed = {pk for (pk,) in gallery.store.db.execute("SELECT pk FROM removed")}
    held = {int(pk) for pk in packed.pks}
    if held - removed != listed:
        yield Finding(
            f"Generation {number} holds {len(held - removed)} references, the database "
            f"{len(listed)}",
            "fr gallery rebuild",
        )
    for other in gallery.generations.numbers():
        if other != number:
            yield Finding(f"Files of generation {other} were left behind", "fr gallery rebuild")
