"""`frontier.json`: a note of the last line that is on disk, for the writers that come after.

It saves the next writer reading and checking what is there: if the log ends where the note says,
with that last line byte for byte, then the noted frontier is the tree's. A sync that failed is cut
back to it. And it tells when lines that were there are gone or are others.

It is authenticated with a key derived from the signing key, so it says no more than whoever can
sign could say. It is no witness: whoever can write the log can remove it. A note that a power cut
or a lack of space has torn is as none.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import re
from binascii import a2b_base64, b2a_base64
from pathlib import Path
from typing import NamedTuple

from fr_cli.audit.merkle import Frontier
from fr_cli.keys import SigningKey

FILE = "frontier.json"

#: How the file begins: all is well; a sync has failed, so that what is behind the note must go;
#: what a crash left is being repaired. This stands outside of what is authenticated: a process
#: whose sync fails must be able to say so whatever key it has.
CALM, DOUBT, REPAIR = b'{"doubt":false,', b'{"doubt":true ,', b'{"doubt":null ,'
#: One size for all notes, so that a shorter one covers the longer: 50 peaks of 43 characters.
_SIZE = 2600
_MAC = len(CALM) + len('"mac":"')
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

    def is_of(self, file: int, end: int) -> bool:
        """Whether it is of all that there is of this file, which ends here."""
        return (self.file, self.end) == (file, end)

    def held(self, log: int) -> bytes | None:
        """That line, if it stands in its place in the log, byte for byte."""
        line = os.pread(log, self.end - self.start, self.start)
        return line if digest(line) == self.line else None


def digest(line: bytes) -> bytes:
    """SHA-256 of a line, 32 bytes."""
    return hashlib.sha256(line).digest()


class Notes:
    """The note of an audit folder, open; whoever has the log's lock reads and writes it.

    Written in place: a rename for every act would cost as much as its sync.
    """

    def __init__(self, folder: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self.handle = os.open(f"{folder}/{FILE}", flags, 0o600)

    def close(self) -> None:
        """Close the file."""
        os.close(self.handle)

    def empty(self) -> bool:
        """Whether nothing was ever noted."""
        return os.fstat(self.handle).st_size == 0

    def mark(self) -> bytes:
        """CALM, DOUBT or REPAIR; anything else if there is no note."""
        return os.pread(self.handle, len(CALM), 0)

    def set_mark(self, mark: bytes) -> None:
        """Change the mark and leave the note as it is."""
        os.pwrite(self.handle, mark, 0)

    def state(self, signer: SigningKey) -> State | None:
        """What is noted; None if there is no such note, or it is of another key."""
        return _read(os.pread(self.handle, _SIZE, 0), signer)

    def set_state(self, state: State, signer: SigningKey, mark: bytes = CALM) -> None:
        """Note what is on disk; OSError if that fails, for the log may be cut back to it."""
        peaks = b2a_base64(b"".join(state.frontier.peaks), newline=False).decode()
        text = (
            f'{{"file":{state.file},"start":{state.start},"end":{state.end},'
            f'"line":"{state.line.hex()}","size":{state.frontier.size},"peaks":"{peaks}"}}'
        ).encode()
        data = mark + b'"mac":"' + signer.mac(text) + b'","state":' + text + b"}"
        if os.pwrite(self.handle, data.ljust(_SIZE - 1) + b"\n", 0) != _SIZE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def sync(self) -> None:
        """Return when the note is on disk itself."""
        os.fsync(self.handle)


def _read(data: bytes, signer: SigningKey) -> State | None:
    text = data[_STATE:].rstrip()[:-1]
    if not hmac.compare_digest(data[_MAC : _MAC + 64], signer.mac(text)):
        return None
    # Parsed only after it is known to be of this home: so it has the form that `_write` gives it.
    found = _FORM.fullmatch(text)
    assert found
    file, start, end, line, size, peaks = found.groups()
    joined = a2b_base64(peaks)
    roots = [joined[at : at + 32] for at in range(0, len(joined), 32)]
    tree = Frontier(int(size), roots)
    return State(int(file), int(start), int(end), bytes.fromhex(line.decode()), tree)
