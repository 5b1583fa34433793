"""One line of the log: its grammar, and the signed tree head that it carries.

`{"cp":{"root":…,"sig":…,"size":n},"e":{…}}` and a newline; an erased entry leaves its leaf hash
as `"x":"…"` in the place of `"e":{…}`. Readers slice bytes and never re-serialise. Base64 has
one spelling only: the last character of each group is restricted to those without spare bits.
"""

from __future__ import annotations

import base64
import hashlib
import re
from binascii import a2b_base64
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fr_cli.audit.merkle import leaf_hash
from fr_cli.keys import SigningKey

#: Bytes of a line with its newline; a longer one is refused on both sides.
MAX_LINE = 64 * 1024

_HASH = rb"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="
_TREE_HEAD = (
    rb'\{"cp":\{"root":"(' + _HASH + rb')",'
    rb'"sig":"([A-Za-z0-9+/]{90}[AEIMQUYcgkosw048]=)",'
    rb'"size":([1-9][0-9]{0,14})\},'
)
_GRAMMAR = re.compile(_TREE_HEAD + rb'(?:"e":(\{.*\})|"x":"(' + _HASH + rb')")\}\n')
#: How a line begins, up to the entry itself.
HEAD = re.compile(_TREE_HEAD + rb'"e":')


class Line(NamedTuple):
    """A line taken apart: root and signature as base64, leaf hash (32 bytes), bytes of `e`."""

    root: str
    signature: str
    size: int
    leaf: bytes
    body: bytes | None


def read_line(text: bytes) -> Line:
    """Take a line apart; ValueError says how it leaves the grammar."""
    if len(text) > MAX_LINE:
        raise ValueError(f"is longer than {MAX_LINE} bytes")
    if not text.endswith(b"\n"):
        raise ValueError("is unfinished, as a crash leaves it; the next act sets it aside")
    parts = _GRAMMAR.fullmatch(text)
    if parts is None:
        raise ValueError("does not have the form of a log line")
    root, signature, size, body, erased = parts.groups()
    leaf = base64.b64decode(erased) if body is None else leaf_hash(body)
    return Line(root.decode(), signature.decode(), int(size), leaf, body)


def lines(file: BinaryIO, end: int) -> Iterator[bytes]:
    """The lines from where the file stands up to the offset `end`, each with its newline.

    One without a newline is either torn off by the end or longer than MAX_LINE.
    """
    left = end - file.tell()
    while left > 0 and (text := file.readline(min(left, MAX_LINE + 1))):
        left -= len(text)
        yield text


def checkpoint(origin: str, size: int, root: str) -> bytes:
    """The text that is signed, a C2SP tlog-checkpoint without extensions."""
    return f"{origin}\n{size}\n{root}\n".encode()


def key_id(origin: str, public: bytes) -> bytes:
    """Four bytes that name a key: C2SP signed-note, signature type 0x01 (Ed25519)."""
    return hashlib.sha256(origin.encode() + b"\n\x01" + public).digest()[:4]


def signed_line(body: bytes, size: int, root: str, signer: SigningKey, origin: str) -> bytes:
    """The whole line of an entry whose tree has this size and this root."""
    signature = key_id(origin, signer.public) + signer.sign(checkpoint(origin, size, root))
    head = (
        f'{{"cp":{{"root":"{root}","sig":"{base64.b64encode(signature).decode()}","size":{size}}}'
    )
    return head.encode() + b',"e":' + body + b"}\n"


class HeadVerifier:
    """Checks signed tree heads against one key and one origin."""

    def __init__(self, public: bytes, origin: str) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(public)
        self._key_id = key_id(origin, public)
        self._origin = origin

    def names_key(self, line: Line) -> bool:
        """Whether the signature says that it is of this key; cheap, and no proof."""
        return self.vouched(line.root.encode(), line.signature.encode(), line.size, check=False)

    def signed(self, line: Line) -> bool:
        """Whether the signature over size and root, as the line states them, holds."""
        return self.vouched(line.root.encode(), line.signature.encode(), line.size, check=True)

    def vouched(self, root: bytes, signature: bytes, size: int, *, check: bool) -> bool:
        """Whether a head (base64) names this key and, if it is to be checked, is signed by it."""
        signed = a2b_base64(signature)
        if signed[:4] != self._key_id:
            return False
        if check:
            try:
                self._key.verify(signed[4:], checkpoint(self._origin, size, root.decode()))
            except InvalidSignature:
                return False
        return True
