"""Put the gallery back from a backup, or accept it as it is, without who was purged."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from fr_cli.audit.log import Act
from fr_cli.errors import (
    ConfigurationError,
    GalleryDamaged,
    GalleryMissing,
    GalleryUnwritable,
    NotAllowed,
    OtherModel,
    UsageProblem,
)
from fr_cli.gallery import backup as files
from fr_cli.gallery import purging, restoring, watchlists
from fr_cli.gallery.backup import BackupKey, Header
from fr_cli.gallery.copying import identity, unpacked
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.lock import locked
from fr_cli.gallery.restoring import STAGED, Absent
from fr_cli.gallery.selection import Going, Selection, select
from fr_cli.gallery.store import Store
from fr_cli.operations.audit import log_of
from fr_cli.operations.backup import keys_folder
from fr_cli.operations.bench import Bench
from fr_cli.operations.erasures import Gone, announce, purged_by, record_finished
from fr_cli.operations.grounds import why
from fr_cli.operations.standing import compare, newest_state, state_of
from fr_cli.records import Head, Listener, utc


@dataclass(frozen=True)
class Restored:
    """What a restored gallery holds, and what it lacks that the backup had.

    `left_out` subjects and references were purged since; `damaged` references did not open.
    `unknown` people were purged who were enrolled after the backup, and whose marks are lost: the
    feed may bring them back. `log_knew` is whether the log knew the backup.
    """

    header: Header
    subjects: int
    references: int
    left_out: restoring.LeftOut
    damaged: int
    unknown: int
    log_knew: bool
    generation: int
    head: Head


def restore(
    file: Path, key: Path | None, bench: Bench, listener: Listener, *, without_log: bool = False
) -> Restored:
    """Put a backup in the place of the gallery, without who was purged since it was made.

    All or nothing; searches go on meanwhile. Raises ConfigurationError without the key or under
    another site key, NotAllowed for an expired key, GalleryDamaged for a file that is not what
    was written, OtherModel, and UsageProblem if the log does not know the backup: then it cannot
    say who was purged, which needs `without_log`.
    """
    with (
        _opened(file) as (stream, header),
        bench.act("gallery restore", "alteration", backup=header.id) as act,
    ):
        opening = _key_of(header, key, bench)
        gone = purged_by(log_of(bench.site.home), listener, header.id)
        if gone.later is None and not without_log:
            raise UsageProblem(
                "The log of this home does not know this backup, so it cannot tell who was purged "
                "since.",
                hint="Restore audit/ too; or, if it is lost, say so with --without-log.",
            )
        gallery, newest = _current(bench, act)
        with gallery, gallery.writing() as finished:
            record_finished(finished, gallery, act)
            with _staged(gallery) as (path, write):
                held = unpacked(files.content(stream, header, opening), write)
                _check_site_key(held.identity, gallery)
                Store.upgrade(path)
                with contextlib.closing(Store.open(path)) as staged:
                    _check_model(staged, gallery)
                    unknown = 0 if newest else len((gone.later or set()) - _subjects(staged))
                    absent = _absent(gone, gallery if newest else None)
                    left_out = restoring.leave_out(gallery, staged, absent)
                    watchlists.close(staged, gone.closed, utc(datetime.now(UTC)))
                    damaged = restoring.drop_damaged(staged, held.keys)
                    restoring.take_marks(staged, gallery, alone=newest)
                    change = newest_state(bench.audit.path).state.change
                    generation = restoring.replace(gallery, staged, held.keys, change)
            subjects, references = gallery.count("subjects"), gallery.count("refs")
            state_of(gallery, None, act)
            act.decide(
                subjects=subjects, references=references, left_out=left_out.subjects,
                left_out_references=left_out.references, damaged=damaged, unknown=unknown,
                log_knew=gone.later is not None, generation=generation,
            )  # fmt: skip
    return Restored(
        header, subjects, references, left_out, damaged, unknown, gone.later is not None,
        generation, act.head,
    )  # fmt: skip


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[tuple[BinaryIO, Header]]:
    try:
        stream = file.open("rb")
    except OSError as trouble:
        raise UsageProblem(f"The backup {file} cannot be read: {trouble.strerror}.") from trouble
    with stream:
        yield stream, files.read_header(stream)


def _key_of(header: Header, key: Path | None, bench: Bench) -> BackupKey:
    place = key or keys_folder(bench)
    found = BackupKey.load(place / f"{header.id}.key" if key is None or place.is_dir() else place)
    if found.header.id != header.id:
        raise ConfigurationError(
            f"{found.path} is the key of another backup, made {found.header.made}.",
            hint=f"This one was made {header.made}, its id is {header.id}.",
        )
    expires = min(header.expires, found.header.expires)
    if expires <= utc(datetime.now(UTC)):
        raise NotAllowed(
            f"The key of this backup expired on {expires}: who was purged since must not come "
            "back from it.",
            hint="Use a newer backup, or enrol the feed in a new home.",
        )
    return found


def _current(bench: Bench, act: Act) -> tuple[Gallery, bool]:
    """The gallery that will be replaced, and whether it is the newest that the log knows.

    A new one where there is none, or where it cannot be read.
    """
    try:
        gallery = bench.unchecked_gallery(act)
        (said,) = gallery.store.db.execute("PRAGMA quick_check(1)").fetchone()
        if said != "ok":
            gallery.close()
            raise GalleryDamaged(str(said))
    except GalleryUnwritable:
        raise
    except (GalleryMissing, GalleryDamaged, sqlite3.DatabaseError):
        with locked(bench.site.gallery, bench.turn(act)):
            for path in bench.site.gallery.glob("gallery.db*"):
                path.unlink()
        return bench.unchecked_gallery(act, create=True), False
    try:
        compare(gallery.store.state, bench.audit.path)
    except GalleryDamaged:
        return gallery, False
    return gallery, True


@contextlib.contextmanager
def _staged(gallery: Gallery) -> Iterator[tuple[Path, Callable[[bytes], int]]]:
    """A file for the opened database, beside the gallery; nothing is left of it."""
    path = gallery.folder / STAGED
    try:
        path.touch(mode=0o600)
        with path.open("wb", buffering=0) as file:
            yield path, file.write
    finally:
        for leftover in gallery.folder.glob(f"{STAGED}*"):
            leftover.unlink()


def _check_site_key(said: str, gallery: Gallery) -> None:
    if said != identity(gallery):
        raise ConfigurationError(
            "This backup is of a home with another site key: who was purged, and which photos are "
            "known, could not be told here.",
            hint="Put that home's keys/site.key in the place of this one's first.",
        )


def _check_model(staged: Store, gallery: Gallery) -> None:
    model = staged.meta("fingerprint")
    if model != gallery.fingerprint:
        raise OtherModel(
            f"This backup is of a gallery of the model {model[:12]}, the home's is "
            f"{gallery.fingerprint[:12]}.",
            hint="Restore it in a home of that model, or enrol the photos again.",
        )


def _subjects(store: Store) -> set[str]:
    rows = store.db.execute("SELECT uid FROM subjects WHERE state = 'active'")
    return {str(uid) for (uid,) in rows}


def _absent(gone: Gone, newest: Gallery | None) -> Absent:
    """Who must not come back; without the newest gallery also whoever may have been purged."""
    begun = gone.begun - _subjects(newest.store) if newest else gone.begun
    return Absent(gone.subjects | begun, gone.references)


@dataclass(frozen=True)
class Accepted:
    """What an accepted gallery holds; `purged_again` subjects in it had been purged."""

    subjects: int
    references: int
    purged_again: int
    generation: int
    head: Head


def accept(reason: str, bench: Bench, listener: Listener) -> Accepted:
    """Go on with the gallery as it lies there, or with an empty one, though the log knows another.

    Whoever the log knows to be purged is purged again. What the gallery once refused to take
    again, and does not know any more, is lost.
    """
    with bench.act("gallery accept", "alteration", **why(reason)) as act:
        gone = purged_by(log_of(bench.site.home), listener)
        change = newest_state(bench.audit.path).state.change
        with (
            bench.unchecked_gallery(act, create=True) as gallery,
            gallery.writing() as finished,
        ):
            record_finished(finished, gallery, act)
            store = gallery.store
            again = returned(gallery, gone)
            if again:
                announce(purging.planned(gallery, again), act)
                purging.purge(gallery, again)
            watchlists.close(store, gone.closed, utc(datetime.now(UTC)))
            with store.transaction():
                store.set_meta(change=str(max(change, store.state().change)))
            state_of(gallery, None, act)
            subjects, references = gallery.count("subjects"), gallery.count("refs")
            generation = store.state().generation
            act.decide(
                subjects=subjects, references=references, purged_again=len(again),
                generation=generation,
            )  # fmt: skip
    return Accepted(subjects, references, len(again), generation, act.head)


def returned(gallery: Gallery, gone: Gone) -> list[Going]:
    """Who is in the gallery though the log knows that they, or these references, were purged."""
    everybody = select(
        gallery.store, Selection("all", include_held=True), {}, datetime.now(UTC).date()
    )
    found = []
    for one in everybody.going:
        names = gone.references.get(one.subject.uid) or ()
        part = tuple(listed for listed in one.references if listed.uid in names)
        if one.subject.uid in gone.subjects:
            found.append(one)
        elif part:
            found.append(replace(one, references=part, whole=len(part) == len(one.references)))
    return found
