"""`frontier.json`: two notes of where the log ends, for the writers that come after.

The first is of the last line that is known to be durable. By it writers share their syncs; a sync
that failed is cut back to it; and it tells when lines that were there are gone or are others. The
second, the tip, is of the last line written. It saves the next writer reading and checking what is
there: if the file ends where the tip says, with that last line byte for byte, then its frontier is
the tree's.

Each is authenticated with a key derived from the signing key, so it says no more than whoever can
sign could say. They are no witness: whoever can write the log can remove them. A note that a
power cut or a lack of space has torn is as none.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from binascii import a2b_base64, b2a_base64
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from fr_cli.audit.merkle import Frontier
from fr_cli.keys import SigningKey

FILE = "frontier.json"

#: How the file begins. The word stands outside of what is authenticated: a process whose sync
#: fails must be able to say so whatever key it has.
_CALM, _DOUBT = b'{"doubt":false,', b'{"doubt":true ,'
_TIP = b'{"doubt":null ,'
#: One size for all notes, so that a shorter one covers the longer: 50 peaks of 43 characters.
_SIZE = 2600
_MAC = len(_CALM) + len('"mac":"')
_STATE = _MAC + 64 + len('","state":')
_FORM = re.compile(
    rb'\{"file":(\d+),"start":(\d+),"end":(\d+),"line":"(\w{64})","size":(\d+),"peaks":"(.*)"\}'
)


class State(NamedTuple):
    """The log up to a line: where that line starts and ends (bytes), its SHA-256, and the tree.

    `file` is the inode of the log, for an erasure writes it anew with other offsets.
    """

    file: int
    start: int
    end: int
    line: bytes
    frontier: Frontier

    def held(self, log: int) -> bytes | None:
        """That line, if it stands in its place in the log, byte for byte."""
        line = os.pread(log, self.end - self.start, self.start)
        return line if digest(line) == self.line else None


def digest(line: bytes) -> bytes:
    """SHA-256 of a line, 32 bytes."""
    return hashlib.sha256(line).digest()


class Notes:
    """The notes of an audit folder, open; only the one with the log's lock writes the tip.

    A failure to write a note is passed over: the entry is what counts, and the next writer can do
    without. Written in place: a rename for every act would cost as much as its sync.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self.handle = os.open(self._path, flags, 0o600)

    def close(self) -> None:
        """Close the file."""
        os.close(self.handle)

    def empty(self) -> bool:
        """Whether nothing was ever noted."""
        return os.fstat(self.handle).st_size == 0

    def in_doubt(self) -> bool:
        """Whether a sync has failed, and the log was not cut back since."""
        return os.pread(self.handle, len(_DOUBT), 0) == _DOUBT

    def doubt(self) -> None:
        """Say that a sync has failed."""
        os.pwrite(self.handle, _DOUBT, 0)

    def durable(self, signer: SigningKey) -> State | None:
        """What is durable; None if there is no such note, or it is of another key."""
        return _read(os.pread(self.handle, _SIZE, 0), signer)

    def tip(self, signer: SigningKey) -> State | None:
        """What is written; None if there is no such note, or it is of another key."""
        return _read(os.pread(self.handle, _SIZE, _SIZE), signer)

    def set_durable(self, state: State, signer: SigningKey) -> None:
        """Note what is durable, without a doubt."""
        self._write(_CALM, state, signer, 0)

    def set_tip(self, state: State, signer: SigningKey) -> None:
        """Note what is written."""
        self._write(_TIP, state, signer, _SIZE)

    def remove_tip(self) -> None:
        """Have the next writer read the log's end from the log, also after a power cut."""
        os.pwrite(self.handle, bytes(_SIZE), _SIZE)
        os.fsync(self.handle)

    def _write(self, start: bytes, state: State, signer: SigningKey, offset: int) -> None:
        peaks = b2a_base64(b"".join(state.frontier.peaks), newline=False).decode()
        text = (
            f'{{"file":{state.file},"start":{state.start},"end":{state.end},'
            f'"line":"{state.line.hex()}","size":{state.frontier.size},"peaks":"{peaks}"}}'
        ).encode()
        data = start + b'"mac":"' + _mac(text, signer) + b'","state":' + text + b"}"
        with suppress(OSError):
            os.pwrite(self.handle, data.ljust(_SIZE - 1) + b"\n", offset)


def _read(data: bytes, signer: SigningKey) -> State | None:
    text = data[_STATE:].rstrip()[:-1]
    if not hmac.compare_digest(data[_MAC : _MAC + 64], _mac(text, signer)):
        return None
    # Parsed only after it is known to be of this home: so it has the form that `_write` gives it.
    found = _FORM.fullmatch(text)
    assert found
    file, start, end, line, size, peaks = found.groups()
    joined = a2b_base64(peaks)
    roots = [joined[at : at + 32] for at in range(0, len(joined), 32)]
    tree = Frontier(int(size), roots)
    return State(int(file), int(start), int(end), bytes.fromhex(line.decode()), tree)


def _mac(text: bytes, signer: SigningKey) -> bytes:
    # BLAKE2's keyed mode: a fifth of the time of an HMAC, and this is done under the locks.
    return hashlib.blake2b(text, key=_key(signer), digest_size=32).hexdigest().encode()


@lru_cache(maxsize=4)
def _key(signer: SigningKey) -> bytes:
    secret = signer.private.private_bytes_raw()
    return HKDFExpand(hashes.SHA256(), 32, b"fr/1/frontier").derive(secret)
