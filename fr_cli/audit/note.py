"""Signed tree heads as text that any transport may carry: C2SP notes, and cosignatures on them.

    fr.local/3f9c…                          origin of the log
    1042                                    size
    YZEbRE1IyFq7PhOuQaNzoV5aqWFVglGXOr8pvYMHrkU=

    — fr.local/3f9c… 4bVaJ36z…              base64 of 4 bytes that name the key, and a signature

c2sp.org/signed-note, /tlog-checkpoint and /tlog-cosignature (`cosignature/v1`, Ed25519).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fr_cli.audit.line import Line, checkpoint
from fr_cli.errors import AuditBroken
from fr_cli.keys import SigningKey
from fr_cli.records import Head

#: Bytes of a note that is read; room for far more signatures than the 16 that C2SP asks for.
MAX_NOTE = 64 * 1024
#: A key name of C2SP, narrowed to ASCII as the log's origin is.
NAME = re.compile(r"[!-*,-~]+")

_TEXT = re.compile(r"([!-*,-~]+)\n([1-9][0-9]{0,14})\n([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)\n")
_SIGNATURE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})\n")
_VKEY = re.compile(r"([!-*,-~]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})\n?")
_COSIGNATURE = b"\x04"  # the type of timestamped Ed25519 cosignatures


class Signature(NamedTuple):
    """Who signed, and what: `blob` is 4 bytes that name the key, then the signature proper."""

    name: str
    blob: bytes

    def line(self) -> str:
        """The line of a note."""
        return f"— {self.name} {base64.b64encode(self.blob).decode()}\n"


@dataclass(frozen=True)
class Note:
    """A signed tree head of the log named `origin`."""

    origin: str
    head: Head
    signatures: tuple[Signature, ...]

    @property
    def signed_text(self) -> bytes:
        """What the log's key signs; a witness signs it behind two lines of its own."""
        return checkpoint(self.origin, self.head.size, self.head.root)

    @property
    def root(self) -> bytes:
        """The Merkle root, 32 bytes."""
        return base64.b64decode(self.head.root)

    def text(self) -> str:
        """The whole note."""
        return f"{self.signed_text.decode()}\n{''.join(one.line() for one in self.signatures)}"

    def with_signatures(self, more: Iterable[Signature]) -> Note:
        """The same head with further signatures; one that is there already is not repeated."""
        return Note(self.origin, self.head, tuple(dict.fromkeys((*self.signatures, *more))))


def note_of(origin: str, line: Line) -> Note:
    """The head that a line of the log carries."""
    signature = Signature(origin, base64.b64decode(line.signature))
    return Note(origin, Head(line.size, line.root), (signature,))


def read_note(data: bytes) -> Note:
    """Read a note; AuditBroken says how it leaves the form. Signatures are not checked here.

    Extension lines, which C2SP allows in a checkpoint, are refused: this log writes none.
    """
    try:
        text, _, signed = data[: MAX_NOTE + 1].decode().rpartition("\n\n")
    except UnicodeDecodeError:
        raise AuditBroken("This is not a signed head: it is not UTF-8.") from None
    parts = _TEXT.fullmatch(text + "\n")
    if parts is None or len(data) > MAX_NOTE:
        raise AuditBroken(
            "This is not a signed head: origin, size, root, an empty line and signatures are due."
        )
    signatures = []
    for line in signed.splitlines(keepends=True):
        found = _SIGNATURE.fullmatch(line)
        if found is None:
            raise AuditBroken("A signature line of the head is not of its form.")
        signatures.append(Signature(found[1], strict_base64(found[2])))
    return Note(parts[1], Head(int(parts[2]), parts[3]), tuple(signatures))


def strict_base64(text: str) -> bytes:
    """Decode the one spelling of some bytes; AuditBroken for any other."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        data = b""
    if base64.b64encode(data).decode() != text:
        raise AuditBroken("A line in base64 is not canonical.")
    return data


@dataclass(frozen=True)
class WitnessKey:
    """Name and public key of a witness, as it gives them out: a C2SP vkey."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The 4 bytes that name the key in a signature."""
        named = self.name.encode() + b"\n" + _COSIGNATURE + self.public
        return hashlib.sha256(named).digest()[:4]

    def vkey(self) -> str:
        """`name+id+key` on one line."""
        key = base64.b64encode(_COSIGNATURE + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{key}"

    def time_of(self, note: Note) -> int | None:
        """When this witness signed the head (POSIX seconds, the latest); None if it did not.

        AuditBroken if a signature in its name does not hold.
        """
        times = []
        for name, blob in note.signatures:
            if (name, blob[:4]) != (self.name, self.id):
                continue
            time = int.from_bytes(blob[4:12])
            if len(blob) != 76 or not _holds(self.public, blob[12:], _cosigned(note, time)):
                raise AuditBroken(f"The cosignature of {self.name} does not hold.")
            times.append(time)
        return max(times, default=None)


def read_vkey(text: str) -> WitnessKey:
    """Read a witness's key; ValueError if the line is not the vkey of a cosigner."""
    parts = _VKEY.fullmatch(text)
    blob = base64.b64decode(parts[3]) if parts else b""
    if parts is None or len(blob) != 33 or blob[:1] != _COSIGNATURE:
        raise ValueError("it is not a line NAME+ID+KEY of an Ed25519 witness")
    key = WitnessKey(parts[1], blob[1:])
    if key.vkey() != text.rstrip("\n"):
        raise ValueError("its id is not that of its key")
    return key


def cosigned(note: Note, key: WitnessKey, signer: SigningKey, time: int) -> Signature:
    """The witness's statement that this was the largest head it had seen at this time."""
    return Signature(key.name, key.id + time.to_bytes(8) + signer.sign(_cosigned(note, time)))


def _cosigned(note: Note, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n".encode() + note.signed_text


def _holds(public: bytes, signature: bytes, text: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except InvalidSignature:
        return False
    return True
