"""Templates of evaluation photos, kept for the next evaluation of the same photos: encrypted.

They are biometric data of people who need not be in the gallery, so they are kept for DAYS only,
under a key of the day on which they were made; destroying that key (a slot of
`keys/evaluation.slots`) makes them noise, in every copy that lacks the slots. An entry is found
by a keyed hash of the photo's bytes and of all that shapes its template, and says nothing without
the site key: no name, no path, no subject.

Kept is the outcome before the quality floors, which are applied on reading: the same bits as the
models would give, or nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType

from fr_cli import __version__, errors
from fr_cli.errors import ConfigurationError, FrError, GalleryDamaged
from fr_cli.face.pipeline import Choice
from fr_cli.face.quality import judge
from fr_cli.gallery.vault import KeySlots, seal, unseal
from fr_cli.keys import SiteKey
from fr_cli.operations.bench import Bench
from fr_cli.records import Head, QualityMeasure, Template
from fr_cli.site import Site

#: Days that an entry is kept.
DAYS = 30
#: Entries written at once: what a kill may cost, some seconds of work.
BATCH = 64
#: What makes the pixels and the template, besides fr and the weights.
_LIBRARIES = ("numpy", "opencv-contrib-python-headless", "onnxruntime", "pillow", "pillow-heif")
#: Failures that the photo itself is the reason of; a decoder may fail for want of time.
_LASTING = {kind.__name__: kind for kind in (errors.NoFace, errors.SeveralFaces)}

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS days (day TEXT PRIMARY KEY, slot INTEGER NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS made (entry BLOB PRIMARY KEY, image BLOB NOT NULL, "
    "day TEXT NOT NULL, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS made_image ON made (image)",
    "CREATE INDEX IF NOT EXISTS made_day ON made (day)",
)

Made = Template | FrError


class Cache:
    """The entries of one home, for one model and choice of face; a context manager."""

    def __init__(self, site: Site, site_key: SiteKey, fingerprint: str, face: Choice) -> None:
        self._vault = _Vault(site, site_key)
        self._fingerprint = fingerprint
        self._today = datetime.now(UTC).date().isoformat()
        self._key = b""
        self._waiting: list[tuple[bytes, bytes, str, bytes]] = []
        made_by = [__version__, *map(_version, _LIBRARIES)]
        self._context = json.dumps([fingerprint, face, made_by]).encode()

    def find(self, photo: bytes) -> Made | None:
        """What was made of this very photo, or None."""
        entry = self._vault.entry(self._context, photo)
        sealed = self._vault.read(entry)
        return None if sealed is None else _opened(sealed, self._fingerprint)

    def keep(self, photo: bytes, made: Made) -> None:
        """Remember what was made of a photo; durable after BATCH more, or on leaving."""
        written = _written(made)
        if written is None:
            return
        if not self._key:
            self._key = self._vault.key_of(self._today)
        entry = self._vault.entry(self._context, photo)
        sealed = seal(self._key, written, _bound(entry))
        self._waiting.append((entry, self._vault.image(photo), self._today, sealed))
        if len(self._waiting) >= BATCH:
            self._write()

    def _write(self) -> None:
        self._vault.write(self._waiting)
        self._waiting.clear()

    def __enter__(self) -> Cache:
        self._vault.expire(datetime.now(UTC))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._waiting:
                self._write()
        finally:
            self._vault.close()


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:  # the same library under another name
        return ""


def expire(site: Site, site_key: SiteKey) -> None:
    """Destroy what is older than DAYS."""
    if (site.evaluation / "templates.db").exists():
        vault = _Vault(site, site_key)
        vault.expire(datetime.now(UTC))
        vault.close()


def forget(site: Site, site_key: SiteKey) -> int:
    """Destroy every key and delete the file; how many entries there were."""
    path = site.evaluation / "templates.db"
    count = 0
    slots = KeySlots(site.keys / "evaluation.slots", site_key.derive("wrap"))
    if len(slots):
        slots.destroy(range(len(slots)))
        slots.path.unlink()
    if path.exists():
        try:
            with sqlite3.connect(path) as db:
                count = int(db.execute("SELECT count(*) FROM made").fetchone()[0])
            db.close()
        except sqlite3.DatabaseError:
            count = 0  # damaged: its keys are gone all the same
    for file in site.evaluation.glob("templates.db*"):
        file.unlink()
    return count


def forget_by_act(bench: Bench) -> tuple[int, Head]:
    """`forget` as an act of its own, in the log."""
    with bench.act("evaluate", "erasure", forget_cache=True) as act:
        count = forget(bench.site, bench.site_key)
        act.decide(forgotten=count)
    return count, act.head


def forget_photos(site: Site, site_key: SiteKey, image_keys: Iterable[str]) -> None:
    """Delete what was made of these very photos (by the gallery's keyed hash), as a purge must."""
    if (site.evaluation / "templates.db").exists():
        vault = _Vault(site, site_key)
        vault.delete([bytes.fromhex(key) for key in image_keys])
        vault.close()


class _Vault:
    """The file of entries and the slots of its keys."""

    def __init__(self, site: Site, site_key: SiteKey) -> None:
        self._entries = site_key.derive("evaluation")
        self._images = site_key.derive("image")  # as the gallery's, so that a purge finds it
        self._slots = KeySlots(site.keys / "evaluation.slots", site_key.derive("wrap"))
        self._keys: dict[str, bytes] = {}
        site.evaluation.mkdir(mode=0o700, exist_ok=True)
        path = site.evaluation / "templates.db"
        path.touch(mode=0o600)
        with _said():
            self._db = sqlite3.connect(path, isolation_level=None, timeout=60)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA secure_delete=ON")
            for statement in _SCHEMA:
                self._db.execute(statement)

    def entry(self, context: bytes, photo: bytes) -> bytes:
        digest = hashlib.sha256(photo).digest()
        return hmac.digest(self._entries, digest + context, "sha256")

    def image(self, photo: bytes) -> bytes:
        return hmac.digest(self._images, photo, "sha256")

    def key_of(self, day: str) -> bytes:
        """The key of a day, made if there is none."""
        with self._transaction():
            found = self._db.execute("SELECT slot FROM days WHERE day = ?", (day,)).fetchone()
            if found is not None:
                try:
                    return self._slots.read(int(found[0]))
                except GalleryDamaged:  # destroyed, or the slots are those of another time
                    self._db.execute("DELETE FROM made WHERE day = ?", (day,))
            try:
                ((slot, key),) = self._slots.create(1)
            except GalleryDamaged:  # they are of another site key: it was exchanged meanwhile
                self._slots.path.unlink()
                self._db.execute("DELETE FROM made")
                self._db.execute("DELETE FROM days")
                ((slot, key),) = self._slots.create(1)
            self._db.execute("INSERT OR REPLACE INTO days VALUES (?, ?)", (day, slot))
            return key

    def read(self, entry: bytes) -> bytes | None:
        """What is sealed; None if there is nothing, or it does not open."""
        with _said():
            row = self._db.execute(
                "SELECT day, slot, sealed FROM made JOIN days USING (day) WHERE entry = ?", (entry,)
            ).fetchone()
        if row is None:
            return None
        day, slot, sealed = row
        try:
            if day not in self._keys:
                self._keys[day] = self._slots.read(int(slot))
            return unseal(self._keys[day], sealed, _bound(entry))
        except GalleryDamaged:
            return None

    def write(self, rows: list[tuple[bytes, bytes, str, bytes]]) -> None:
        with self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO made VALUES (?, ?, ?, ?)", rows)

    def delete(self, images: list[bytes]) -> None:
        with self._transaction():
            self._db.executemany("DELETE FROM made WHERE image = ?", [(one,) for one in images])
        self._empty_log()

    def expire(self, now: datetime) -> None:
        oldest = (now - timedelta(days=DAYS)).date().isoformat()
        with _said():
            old = self._db.execute("SELECT slot FROM days WHERE day < ?", (oldest,)).fetchall()
        if not old:
            return
        # The key first: a crash behind it leaves noise.
        self._slots.destroy(int(slot) for (slot,) in old)
        with self._transaction():
            self._db.execute("DELETE FROM made WHERE day < ?", (oldest,))
            self._db.execute("DELETE FROM days WHERE day < ?", (oldest,))
        self._empty_log()

    def close(self) -> None:
        self._db.close()

    def _empty_log(self) -> None:
        with _said():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _said():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as trouble:
        raise ConfigurationError(
            f"The kept templates of earlier evaluations cannot be used: {trouble}.",
            hint="Forget them with: fr evaluate --forget-cache, or add --no-cache",
        ) from trouble


def _bound(entry: bytes) -> str:
    return f"evaluation/{entry.hex()}"


def _written(made: Made) -> bytes | None:
    """The outcome as bytes; None for one that is not kept."""
    if isinstance(made, FrError):
        if type(made).__name__ not in _LASTING:
            return None
        return json.dumps(
            {"error": type(made).__name__, "said": [made.message, made.hint]}
        ).encode()
    measures = [
        [one.name, one.native, one.unit, one.component, one.advice] for one in made.quality.measures
    ]
    return json.dumps({"measures": measures}).encode() + b"\n" + made.vector.astype("<f4").tobytes()


def _opened(data: bytes, fingerprint: str) -> Made:
    import numpy as np

    head, _, vector = data.partition(b"\n")
    document = json.loads(head)
    if "error" in document:
        message, hint = document["said"]
        return _LASTING[document["error"]](message, hint=hint)
    measures = tuple(QualityMeasure(*measure) for measure in document["measures"])
    return Template(np.frombuffer(vector, "<f4"), fingerprint, judge(measures, {}))
