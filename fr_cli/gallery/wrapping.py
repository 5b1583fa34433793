"""What wraps the key slots of a home, and how it is exchanged: after each purge, and by hand.

Two layers. The site key is a person's to keep: it changes when it is rotated by hand, and wraps
one key, that of the epoch. The epoch's key wraps the slots, and is exchanged after each purge, so
that a copy of a slot file from before opens with nothing that is still there.

An exchange is announced first (the file `epoch.key` holds both keys from then on), then each slot
file is written anew beside the old one and takes its place, then the old key is destroyed. Readers
open slots by either key meanwhile. Cut short anywhere, whoever takes the write lock next finishes.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from fr_cli.errors import GalleryDamaged
from fr_cli.gallery.rewrapping import rewrap_file
from fr_cli.keys import SiteKey

if TYPE_CHECKING:
    from collections.abc import Iterator

SUBJECTS, GENERATIONS = "subjects.slots", "generations.slots"


class Wrapping:
    """The keys that open the slots of a home now, newest first, when it is called.

    All but the call need the write lock, and `settle` before anything else.
    """

    def __init__(self, site_key: SiteKey) -> None:
        self._key = site_key

    def __call__(self) -> tuple[bytes, ...]:
        # The site key may have been exchanged since it was read, and again in this very moment.
        with suppress(GalleryDamaged):
            return self._current().epoch.keys
        return self._current().epoch.keys

    @property
    def under(self) -> bytes | None:
        """The passphrase that the site key is under, if any."""
        return self._current().under

    @property
    def epoch(self) -> int:
        """How often the slots were wrapped anew so far."""
        return self._current().epoch.number

    @property
    def unfinished(self) -> bool:
        """Whether an exchange was cut short; everything can be read meanwhile."""
        return self._current().epoch.before is not None

    def settle(self) -> None:
        """Finish what was cut short."""
        if self.unfinished:
            with _said():
                # Once more: what is read here may not have reached the disk.
                self._key.enter(self._key.epoch)
            self._finish()
        with _said():
            self._key.tidy()

    def advance(self) -> int:
        """Begin the next epoch: every slot is wrapped anew, the key before destroyed; its number.

        GalleryDamaged if the disk does not take it; then it is finished later.
        """
        with _said():
            self._key.enter(self._key.epoch.next())
        return self._finish()

    def rotate(self, under: bytes | None) -> int:
        """Exchange the site key too, under a passphrase if one is given; the number of the epoch.

        The new one is on disk before the old one opens nothing any more.
        """
        new = self._key.successor(under)
        with _said():
            self._key.enter(self._key.epoch.next(), new)
            new.install()
        self._key = new
        return self._finish()

    def _finish(self) -> int:
        epoch, folder = self._key.epoch, self._key.folder
        assert folder is not None
        with _said():
            for name in (SUBJECTS, GENERATIONS):
                if epoch.before and (folder / name).exists():
                    rewrap_file(folder / name, epoch.before, epoch.key)
            self._key.enter(epoch.alone())
        return epoch.number

    def _current(self) -> SiteKey:
        self._key = self._key.current()
        return self._key


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except OSError as trouble:
        raise GalleryDamaged(
            f"The keys cannot be wrapped anew: {trouble.strerror or trouble}.",
            hint="Nothing is lost. See to the volume of keys/, then run the same command again.",
        ) from trouble
