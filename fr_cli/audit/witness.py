"""A witness: somebody else, with another key, who remembers the last head and signs the next.

It signs a head only if that extends the last one it signed for this log, so a log that was cut,
rolled back or rewritten cannot get a second signature (c2sp.org/tlog-witness, by files instead of
HTTP). Two witnesses who were shown different logs find out by comparing their notes.

Folder: `witness.key` (mode 0600), `witness.pub` (PEM), `witness.vkey` (name and key on one line),
`heads/` (the last head of each log, as signed), `refused/` (what could not be signed: evidence).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fr_cli.audit.note import NAME, Note, WitnessKey, cosigned, read_note, read_vkey
from fr_cli.audit.receipt import Consistency
from fr_cli.audit.trust import Trusted, check_signed
from fr_cli.disk import sync_folder
from fr_cli.errors import AuditBroken, ConfigurationError, UsageProblem
from fr_cli.keys import SigningKey
from fr_cli.records import Head

KEY, PUBLIC, VKEY = "witness.key", "witness.pub", "witness.vkey"


@dataclass(frozen=True)
class Witnessed:
    """A head that was signed, and the one it was found to extend (None for the first)."""

    note: Note
    previous: Head | None
    time: int


class Fork(AuditBroken):
    """Two signed heads of one log that cannot both be true: it was rewritten, or rolled back."""

    default_hint = "Keep both heads: two signatures of one key over two histories are the evidence."


class Witness:
    """The witness of a folder."""

    def __init__(self, folder: Path, key: WitnessKey, signer: SigningKey) -> None:
        self.key = key
        self._folder = folder
        self._signer = signer

    @classmethod
    def create(cls, folder: Path, name: str) -> Witness:
        """Make the folder, with a key of its own; ConfigurationError if there is a key already."""
        if not NAME.fullmatch(name):
            raise UsageProblem(
                "A witness's name is printable ASCII without spaces and plus signs.",
                hint="For example: --name psd.force.example/witness",
            )
        signer = SigningKey(Ed25519PrivateKey.generate())
        key = WitnessKey(name, signer.public)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / "heads").mkdir(mode=0o700, exist_ok=True)
            _write(folder / KEY, _pem(signer), os.O_EXCL)
            _write(folder / PUBLIC, _public_pem(signer), mode=0o644)
            _write(folder / VKEY, key.vkey().encode() + b"\n", mode=0o644)
        except FileExistsError as trouble:
            raise ConfigurationError(
                f"{folder} is a witness's folder already.", hint="Choose another folder."
            ) from trouble
        except OSError as trouble:
            raise _unwritable(folder, trouble) from trouble
        return cls(folder, key, signer)

    @classmethod
    def open(cls, folder: Path) -> Witness:
        """Read the key of a folder; ConfigurationError if it is not a witness's."""
        try:
            loaded = serialization.load_pem_private_key((folder / KEY).read_bytes(), None)
            key = read_vkey((folder / VKEY).read_text())
        except (OSError, ValueError, TypeError) as trouble:
            raise ConfigurationError(
                f"{folder} is not the folder of a witness: {trouble}.",
                hint="Make one with: fr audit witness --init DIR",
            ) from trouble
        if not isinstance(loaded, Ed25519PrivateKey) or SigningKey(loaded).public != key.public:
            raise ConfigurationError(f"{folder / KEY} is not the key that {VKEY} names.")
        if (folder / KEY).stat().st_mode & 0o077:
            raise ConfigurationError(
                f"The key {folder / KEY} can be read by other accounts.",
                hint=f"Close it with: chmod 600 {folder / KEY}",
            )
        return cls(folder, key, SigningKey(loaded))

    def last(self, origin: str) -> Note | None:
        """The last head of a log that was signed here, with the signature; None for none."""
        try:
            note = read_note(self._file(origin).read_bytes())
        except FileNotFoundError:
            return None
        if note.origin != origin or self.key.time_of(note) is None:
            raise AuditBroken(f"{self._file(origin)} is not what this witness wrote.")
        return note

    def sign(self, shown: Consistency | Note, keys: Iterable[Trusted]) -> Witnessed:
        """Sign a head of a log that is trusted by these keys.

        The first head of a log is taken as it is. AuditBroken if the log did not sign it; Fork if
        it does not extend the last head; UsageProblem if the proof begins at another head.
        """
        note = shown.note if isinstance(shown, Consistency) else shown
        check_signed(note, keys)
        with self._locked():
            last = self.last(note.origin)
            if last is not None:
                self._judge(shown, note, last)
            now = int(time.time())
            signature = cosigned(note, self.key, self._signer, now)
            signed = note.with_signatures([signature])
            # On disk before it is given out: else a crash could make it sign a second history.
            _write(self._file(note.origin), signed.text().encode(), durable=True)
        return Witnessed(signed, last.head if last else None, now)

    def _judge(self, shown: Consistency | Note, note: Note, last: Note) -> None:
        before, after = last.head, note.head
        if after.size < before.size or (after.size == before.size and after != before):
            raise self._refused(shown, note, last)
        if after == before:
            return
        if not isinstance(shown, Consistency) or shown.old != before.size:
            raise UsageProblem(
                f"This witness last signed the head of {before.size} entries, and has no proof "
                "that the new head extends it.",
                hint=f"Ask the log's owner for: fr audit prove --from {before.size}",
            )
        if not shown.follows(before):
            raise self._refused(shown, note, last)

    def _refused(self, shown: Consistency | Note, note: Note, last: Note) -> Fork:
        text = shown.text().encode()
        folder = self._folder / "refused"
        folder.mkdir(mode=0o700, exist_ok=True)
        _write(folder / f"{hashlib.sha256(text).hexdigest()[:16]}.txt", text, durable=True)
        return fork(last.head, note.head, note.origin, f"The evidence is kept in {folder}.")

    def _file(self, origin: str) -> Path:
        # The origin may hold slashes; its hash is a file name.
        return self._folder / "heads" / f"{hashlib.sha256(origin.encode()).hexdigest()[:32]}.note"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            handle = os.open(self._folder / "heads", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield
            finally:
                os.close(handle)
        except OSError as trouble:
            raise _unwritable(self._folder, trouble) from trouble


def fork(before: Head, after: Head, origin: str, hint: str | None = None) -> Fork:
    """The error that names both heads."""
    what = "was rolled back" if after.size < before.size else "has two histories"
    return Fork(
        f"The log {origin} {what}: it was seen with {before.size} entries and root {before.root}, "
        f"and is shown with {after.size} entries and root {after.root}, which does not extend "
        "that.",
        hint=hint,
    )


def _pem(signer: SigningKey) -> bytes:
    form, sealing = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return signer.private.private_bytes(serialization.Encoding.PEM, form, sealing)


def _public_pem(signer: SigningKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return signer.private.public_key().public_bytes(serialization.Encoding.PEM, form)


def _write(
    path: Path, data: bytes, flags: int = 0, *, mode: int = 0o600, durable: bool = False
) -> None:
    target = path.with_name(f"{path.name}.new") if durable else path
    flags |= os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_TRUNC
    with os.fdopen(os.open(target, flags, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if durable:
        target.replace(path)
        sync_folder(path.parent)


def _unwritable(folder: Path, trouble: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"The witness's folder {folder} cannot be written: {trouble.strerror or trouble}.",
        hint="Nothing was signed. See whether the disk is full and who owns the folder.",
    )
