"""Which keys of a log are believed, and for which of its heads.

An auditor is given one key. Each key signs one range of entries and names the next (rotation.py);
a head beyond the range is believed only with the proof of that change.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fr_cli.audit.line import key_id
from fr_cli.audit.note import Note
from fr_cli.audit.rotation import Rotation
from fr_cli.errors import AuditBroken


class Trusted(NamedTuple):
    """A raw public key and the sizes of the heads that it may sign; `last` None has no end."""

    public: bytes
    first: int = 1
    last: int | None = None

    def covers(self, size: int) -> bool:
        """Whether a head of this size is in the range."""
        return self.first <= size <= (self.last or size)


Keys = tuple[Trusted, ...]


def check_signed(note: Note, keys: Iterable[Trusted]) -> Trusted:
    """The key that signed this head; AuditBroken unless it is one of these, in its range.

    One wrong signature in the name of such a key breaks the whole note (C2SP signed-note).
    """
    known = {key_id(note.origin, key.public): key for key in keys if key.covers(note.head.size)}
    ours = [blob for name, blob in note.signatures if name == note.origin and blob[:4] in known]
    for blob in ours:
        try:
            key = Ed25519PublicKey.from_public_bytes(known[blob[:4]].public)
            key.verify(blob[4:], note.signed_text)
        except InvalidSignature:
            raise AuditBroken(
                f"The signature of the head of {note.head.size} entries does not hold."
            ) from None
    if not ours:
        raise AuditBroken(
            f"The head of {note.head.size} entries is not signed by the key that was given.",
            hint="Give the audit.pub of this log, and by --key-change the proof of each change of "
            "its key since.",
        )
    return known[ours[0][:4]]


def changed(keys: Keys, rotation: Rotation, before: bytes, note: Note) -> Keys:
    """The keys after a change of key, whose entry ends the tree of the note.

    `before` is the root of the tree without it. AuditBroken unless the old key signed the note
    and the new one signed what it takes over.
    """
    old = check_signed(note, keys)
    named = base64.b64decode(rotation.old), base64.b64decode(rotation.root)
    if (
        named != (old.public, before)
        or rotation.seq != note.head.size - 1
        or not rotation.proven(note.origin)
    ):
        raise AuditBroken(f"The change of key in entry {rotation.seq} does not hold.")
    public = base64.b64decode(rotation.key)
    kept = tuple(key for key in keys if key != old and key.public != public)
    return (*kept, old._replace(last=note.head.size), Trusted(public, note.head.size + 1))
