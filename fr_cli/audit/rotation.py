"""A change of the signing key: each key signs one range of entries, and names the next itself.

The old key signs the entry that names the new one, so nobody without it can bring in a key. The
new key signs what it takes over: the tree before that entry and the place of the entry in it. So
the entry cannot be moved to another history by whoever has stolen the old key, and the new key
was there when it was named. Every later key is learned in this way from the first one, which is
the one that an auditor is given.

systemd's journal accepted old entries under a newer key until 2023 (CVE-2023-31439); here a key
counts for its own range alone.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fr_cli.audit.canonical import JSON, parse
from fr_cli.audit.line import HeadVerifier, Line
from fr_cli.keys import SigningKey

PHASE = "rotation"
_MARK = f'"ph":"{PHASE}"'.encode()
_HASH = re.compile(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=")
_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{85}[AQgw]==")


class Rotation(NamedTuple):
    """What a rotation entry says; keys, root and proof as base64, as they are written.

    `root` is that of the `seq` entries before it.
    """

    seq: int
    old: str
    key: str
    root: str
    proof: str

    @classmethod
    def of(cls, entry: dict[str, JSON]) -> Rotation:
        """Read the entry; ValueError if it is malformed."""
        seq, *texts = (entry.get(name) for name in cls._fields)
        forms = (_HASH, _HASH, _HASH, _SIGNATURE)
        if type(seq) is not int or not all(
            isinstance(text, str) and form.fullmatch(text)
            for form, text in zip(forms, texts, strict=True)
        ):
            raise ValueError("names no key as a rotation must")
        return cls(seq, *map(str, texts))

    def proven(self, origin: str) -> bool:
        """Whether the new key signed that it takes over here."""
        text = _claim(origin, self.seq, self.root, self.old, self.key)
        try:
            key = Ed25519PublicKey.from_public_bytes(base64.b64decode(self.key))
            key.verify(base64.b64decode(self.proof), text)
        except (InvalidSignature, ValueError):
            return False
        return True


def claim(origin: str, seq: int, root: str, old: bytes, new: SigningKey) -> dict[str, JSON]:
    """The fields of the entry that names a new key, with the proof that its owner has it."""
    was, key = (base64.b64encode(public).decode() for public in (old, new.public))
    proof = new.sign(_claim(origin, seq, root, was, key))
    return {"old": was, "key": key, "root": root, "proof": base64.b64encode(proof).decode()}


def _claim(origin: str, seq: int, root: str, old: str, key: str) -> bytes:
    # No origin has a space, so this can never be read as a tree head, nor a head as this.
    return f"fr key rotation\n{origin}\n{seq}\n{root}\n{old}\n{key}\n".encode()


def rotation_in(line: Line) -> Rotation | None:
    """The rotation that a line holds; ValueError if it holds a malformed one."""
    if line.body is None or _MARK not in line.body:
        return None
    entry = parse(line.body)
    return Rotation.of(entry) if entry.get("ph") == PHASE else None


def in_force(last: Line, keys: Iterable[SigningKey], origin: str) -> SigningKey | None:
    """The key that signs what follows this last line; None if it is none of these.

    That is also the check of the last line: the key has signed it, or is named by it.
    """
    try:
        rotation = rotation_in(last)
    except ValueError:
        return None
    if rotation is None:
        return next((key for key in keys if _heads(key.public, origin).signed(last)), None)
    if rotation.seq != last.size - 1 or not rotation.proven(origin):
        return None
    try:
        old = _heads(base64.b64decode(rotation.old), origin)
    except ValueError:
        return None
    named = base64.b64decode(rotation.key)
    return next((key for key in keys if key.public == named and old.signed(last)), None)


@lru_cache(maxsize=4)
def _heads(public: bytes, origin: str) -> HeadVerifier:
    return HeadVerifier(public, origin)
