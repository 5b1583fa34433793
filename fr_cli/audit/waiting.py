"""Entries that wait for the lock of the log: whoever has it writes them all, with one sync.

A writer that finds the lock taken leaves its draft in `waiting`, beside the log, and sleeps. The
one with the lock writes all drafts that lie there, syncs once, tells each writer the signed head of
its entry, and wakes the first of those that have come meanwhile, to do the same. So what is done
under the lock is done for many by one process, whose caches are warm, and each of the others wakes
once.

The file is no memory: only the log says whether an entry is written. A draft says where the log
ended before it could be written; whoever takes it looks whether its nonce is behind that, and so
does its writer, which has the lock itself some time if nobody else did the work. Drafts and
answers are authenticated with a key derived from the signing key: who cannot sign can neither have
something signed nor have a writer believe that something is on disk. An answer is a datagram to
an address that the kernel chose; where that does not reach (another network namespace), its writer
learns it from the log.
"""

from __future__ import annotations

import hmac
import os
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fr_cli.audit.entry import Draft, boot_id
from fr_cli.audit.storage import LOG
from fr_cli.keys import SigningKey
from fr_cli.records import Head

if TYPE_CHECKING:
    from socket import socket

FILE = "waiting"
#: Bytes of the log behind a draft; one that has waited for longer is left to its own writer.
FAR = 1 << 20
#: Bytes of a draft that may be left to others; the rest of a line is for its head and its times.
_LONGEST = 48 * 1024
#: Seconds until a writer looks whether the lock is free though nobody has woken it.
_PAUSE = 0.05
#: Bytes of an answer at most.
_ANSWER = 256
_NONCE = re.compile(rb'"n":"([\w-]{22})"')


class Request(NamedTuple):
    """A draft that is left to be written by whoever can, and where its writer waits.

    `file` and `seen`: the log's inode and length (bytes) before anybody could write it.
    """

    signer: SigningKey
    address: str
    file: int
    seen: int
    draft: Draft

    def line(self) -> bytes:
        """As it stands in the file."""
        text = f"{self.address}\t{self.file}\t{self.seen}\t".encode() + self.draft.packed()
        return _seal(text, self.signer) + b"\t" + text + b"\n"

    @classmethod
    def of(cls, line: bytes, signer: SigningKey) -> Request | None:
        """Read one; None if it is torn, of another boot, or of no holder of the key."""
        stated, _, text = line.partition(b"\t")
        if not hmac.compare_digest(stated, _seal(text, signer)):
            return None
        address, file, seen, packed = text.split(b"\t", 3)
        return cls(signer, address.decode(), int(file), int(seen), Draft.unpacked(packed))


def _seal(text: bytes, signer: SigningKey) -> bytes:
    return signer.mac(boot_id().encode() + b"\t" + text, b"fr draft")


class Served(Exception):
    """Another writer has written the entry, and it is on disk."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head


class Inbox:
    """Where a process hears what others have done for it: one for all turns of its log."""

    def __init__(self) -> None:
        self._socket: socket | None = None
        self._process = 0

    def __del__(self) -> None:
        if self._socket:
            self._socket.close()

    def address(self) -> str:
        """Its address, of this process alone."""
        if not self._socket or self._process != os.getpid():  # after a fork it is the parent's
            self.__del__()
            self._socket, self._process = _datagrams(), os.getpid()
            self._socket.bind("")  # to any address that is free, in the abstract namespace
            self._socket.settimeout(_PAUSE)
        name: bytes = self._socket.getsockname()
        return name[1:].decode()

    def hear(self) -> bytes | None:
        """The next datagram; None if there is none for a while."""
        assert self._socket
        try:
            return self._socket.recv(_ANSWER)
        except TimeoutError:
            return None


class Turn:
    """One entry's wait for the lock, or for another writer who has it."""

    def __init__(self, draft: Draft, folder: Path, signer: SigningKey, inbox: Inbox) -> None:
        self.draft = draft
        self._log, self._queue = f"{folder}/{LOG}", f"{folder}/{FILE}"
        self._signer = signer
        self._inbox = inbox
        self._end = 0
        self.request: Request | None = None

    def wait(self, pause: float) -> None:
        """Sleep until the lock may be free; Served if it is not needed any more.

        The first call leaves the draft to others, without a pause: the lock may have become free
        before they could see it. `pause` (seconds) is for a draft that is too long for that.
        """
        if self.draft.length > _LONGEST:
            time.sleep(pause)
        elif self.request is None:
            there, address = os.stat(self._log), self._inbox.address()
            self.request = Request(self._signer, address, there.st_ino, there.st_size, self.draft)
            self._leave(self.request)
        elif (answer := self._inbox.hear()) is None:
            if self._taken():  # by one who has died since; or it was lost between two of them
                self._leave(self.request)
        elif head := self._heard(answer):
            raise Served(head)

    def _leave(self, request: Request) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(self._queue, flags, 0o600)
        try:
            os.write(handle, request.line())
            self._end = os.fstat(handle).st_size
        finally:
            os.close(handle)

    def _taken(self) -> bool:
        try:
            return os.stat(self._queue).st_size < self._end
        except FileNotFoundError:
            return True

    def _heard(self, answer: bytes) -> Head | None:
        """What an answer says; None if it only wakes, or is of another entry or of a stranger."""
        stated, _, text = answer.partition(b" ")
        if not hmac.compare_digest(stated, _vouched(self.draft, text, self._signer)):
            return None
        size, root = text.decode().split(" ")
        return Head(int(size), root)


def taken(folder: Path, signer: SigningKey) -> list[Request]:
    """What waits to be written; nobody finds it again. Call it with the lock of the log."""
    try:
        handle = os.open(f"{folder}/{FILE}", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return []
    try:
        data = os.pread(handle, os.fstat(handle).st_size, 0)
        if data:
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)
    found = (Request.of(line, signer) for line in data.split(b"\n")[:-1])
    return [one for one in found if one]


def answer(served: Iterable[tuple[Request, Head]]) -> None:
    """Tell writers the heads of their entries, which are on disk."""
    messages = []
    for request, head in served:
        text = f"{head.size} {head.root}".encode()
        vouched = _vouched(request.draft, text, request.signer)
        messages.append((request.address, vouched + b" " + text))
    if messages:
        _send(messages)


def wake(folder: Path) -> None:
    """Wake the first who waits; call it when the lock of the log is free."""
    with suppress(FileNotFoundError):
        if os.stat(f"{folder}/{FILE}").st_size:
            with open(f"{folder}/{FILE}", "rb") as file:
                _, *words = file.readline().split(b"\t", 2)
            if words:
                _send([(words[0].decode(errors="replace"), b"")])


def _send(messages: Iterable[tuple[str, bytes]]) -> None:
    """Send to those who wait at these addresses; any of them may have gone."""
    with _datagrams() as out:
        out.setblocking(False)
        for address, message in messages:
            with suppress(OSError):
                out.sendto(message, f"\0{address}")


def _datagrams() -> socket:
    from socket import AF_UNIX, SOCK_DGRAM, socket  # most writers need none

    return socket(AF_UNIX, SOCK_DGRAM)


def _vouched(draft: Draft, text: bytes, signer: SigningKey) -> bytes:
    return signer.mac(f"{draft.nonce} ".encode() + text, b"fr head")


def nonces(text: bytes) -> set[str]:
    """The nonces of the entries in a piece of the log."""
    return set(map(bytes.decode, _NONCE.findall(text)))
