"""Key files: the key that signs the audit log, and the site key that wraps all others.

Where the signing key rests, and what that protects against:

- A file of mode 0600 (the default): an unattended script can sign. It protects against other
  accounts and against a stolen copy of the gallery or the log. It does not protect against
  whoever runs commands as the owner of the home, against root, or against a stolen disk.
- The same file under a passphrase (OpenSSH's format, bcrypt): it also protects the key in a
  backup and on a stolen disk, as far as the passphrase cannot be guessed. It does not protect
  it while `fr` runs, nor from whoever can read the file that FR_PASSPHRASE_FILE names.
- A systemd credential (`$CREDENTIALS_DIRECTORY/audit.key`; with `systemd-creds encrypt` bound to
  the machine's TPM): it also protects a copy of the whole disk that is read in another machine.
  It does not protect against root of the running machine.

Whoever can sign can forge new entries in each of these cases; a witness bounds that.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from fr_cli.disk import sync_folder
from fr_cli.errors import ConfigurationError

SITE_KEY = "site.key"
AUDIT_KEY = "audit.key"
AUDIT_PUBLIC = "audit.pub"
#: A signing key that a rotation names, until it takes the place of AUDIT_KEY.
AUDIT_NEXT = "audit.key.next"
#: Rounds of bcrypt under a passphrase; ssh-keygen's default is 16 (24 since OpenSSH 9.4).
ROUNDS = 128

#: Asks a person for the passphrase; this room has no terminal.
Ask = Callable[[], str]


@dataclass(frozen=True)
class SiteKey:
    """The 256-bit root key of a home; every use of it derives a key of its own (HKDF, RFC 5869)."""

    secret: bytes

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose; no two purposes share a key."""
        return HKDFExpand(hashes.SHA256(), 32, b"fr/1/" + purpose.encode()).derive(self.secret)

    @classmethod
    def create(cls, folder: Path) -> SiteKey:
        """Make a new key and write it to the folder."""
        secret = secrets.token_bytes(32)
        _write_private(folder / SITE_KEY, secret.hex().encode() + b"\n")
        return cls(secret)

    @classmethod
    def load(cls, folder: Path) -> SiteKey:
        """Read the key of a home."""
        text = _read_private(folder / SITE_KEY)
        try:
            secret = bytes.fromhex(text.decode("ascii").strip())
        except ValueError:
            secret = b""
        if len(secret) != 32:
            raise ConfigurationError(
                f"{folder / SITE_KEY} is not a site key (64 hexadecimal digits).",
                hint="Restore the key from its own backup; the gallery cannot be read without it.",
            )
        return cls(secret)


@dataclass(frozen=True, eq=False)
class SigningKey:
    """Ed25519 (RFC 8032): 32-byte public key, 64-byte signatures.

    `path` is the file it was read from and `home` the folder of the home's keys; both None for
    a key that lies in no file.
    """

    private: Ed25519PrivateKey
    path: Path | None = None
    home: Path | None = None
    ask: Ask | None = field(default=None, repr=False)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same key, wherever it lies."""
        return isinstance(other, SigningKey) and self.public == other.public

    def __hash__(self) -> int:
        """As the public key."""
        return hash(self.public)

    def sign(self, message: bytes) -> bytes:
        """Sign the message; 64 bytes."""
        return self.private.sign(message)

    @cached_property
    def public(self) -> bytes:
        """The raw public key, 32 bytes."""
        return self.private.public_key().public_bytes_raw()

    @classmethod
    def new(cls) -> SigningKey:
        """A new key that is in no file yet."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_secret(cls, secret: bytes) -> SigningKey:
        """The key that belongs to 32 secret bytes, the same each time."""
        return cls(Ed25519PrivateKey.from_private_bytes(secret))

    @classmethod
    def create(cls, folder: Path, passphrase: str | None = None) -> SigningKey:
        """Make a home's first key pair and write both halves to the folder.

        The public half stays as it is when the key is rotated: it is what the log is checked
        with, and every later key is named by the log.
        """
        key = cls.new()
        _write_private(folder / AUDIT_KEY, key._sealed(passphrase))
        public = key.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (folder / AUDIT_PUBLIC).write_bytes(public)
        return replace(key, path=folder / AUDIT_KEY, home=folder)

    @classmethod
    def load(cls, folder: Path, ask: Ask | None = None) -> SigningKey:
        """Read the signing key of a home; a systemd credential `audit.key` is preferred.

        A passphrase is read from the file that FR_PASSPHRASE_FILE names, else asked for.
        """
        credential = _credential()
        return cls._read(credential or folder / AUDIT_KEY, folder, ask)

    def others(self) -> Iterator[SigningKey]:
        """The keys that the home holds now: another process may have rotated them."""
        if self.home is None:
            return
        credential = _credential()
        for path in (credential, self.home / AUDIT_KEY, self.home / AUDIT_NEXT):
            if path and path.exists():
                with suppress(ConfigurationError):  # a draft that a crash left half written
                    yield self._read(path, self.home, self.ask)

    def stage(self, folder: Path, passphrase: str | None = None) -> SigningKey:
        """Write it as the next key of a home, durable, beside the one in force."""
        path = folder / AUDIT_NEXT
        path.unlink(missing_ok=True)
        _write_private(path, self._sealed(passphrase))
        sync_folder(folder)
        return replace(self, path=path, home=folder)

    def install(self) -> SigningKey:
        """Take the place of the home's key, if this is the staged one; OSError if it cannot."""
        if self.home is None or self.path != self.home / AUDIT_NEXT:
            return self
        # Another process may have done so, and staged one more: that must not be put in force.
        if self._read(self.path, self.home, self.ask) != self:
            return replace(self, path=None)
        self.path.replace(self.home / AUDIT_KEY)
        sync_folder(self.home)
        return replace(self, path=self.home / AUDIT_KEY)

    @classmethod
    def _read(cls, path: Path, home: Path, ask: Ask | None) -> SigningKey:
        # systemd opens its credentials to the unit alone, but by an access list, which shows as
        # bits of the group.
        pem = _read_private(path, strict=path.parent == home)
        if pem.startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----"):
            return cls(_opened(path, pem, ask), path, home, ask)
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError):
            key = None
        return cls(_ed25519(path, key), path, home, ask)

    def _sealed(self, passphrase: str | None) -> bytes:
        form, sealing = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        if passphrase is None:
            return self.private.private_bytes(serialization.Encoding.PEM, form, sealing)
        # OpenSSH's format and not PKCS8: there the library stretches a passphrase with 2,048
        # rounds of PBKDF2 only.
        form = serialization.PrivateFormat.OpenSSH
        try:
            strong = form.encryption_builder().kdf_rounds(ROUNDS).build(passphrase.encode())
            return self.private.private_bytes(serialization.Encoding.PEM, form, strong)
        except UnsupportedAlgorithm as trouble:
            raise ConfigurationError(
                "A key cannot be kept under a passphrase here.", hint=_NEEDS_BCRYPT
            ) from trouble


_NEEDS_BCRYPT = "Install the package bcrypt."


def _credential() -> Path | None:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder, AUDIT_KEY) if folder else None
    return path if path and path.exists() else None


def _opened(path: Path, pem: bytes, ask: Ask | None) -> Ed25519PrivateKey:
    try:
        try:
            key = serialization.load_ssh_private_key(pem, None)  # ssh-keygen without passphrase
        except TypeError:
            key = serialization.load_ssh_private_key(pem, _passphrase(path, ask))
    except UnsupportedAlgorithm as trouble:
        raise ConfigurationError(f"{path} cannot be opened.", hint=_NEEDS_BCRYPT) from trouble
    except ValueError as trouble:
        raise ConfigurationError(
            f"The passphrase does not open {path}, or the file is damaged.",
            hint="Try again; without it the key must be restored from its backup.",
        ) from trouble
    return _ed25519(path, key)


def _passphrase(path: Path, ask: Ask | None) -> bytes:
    named = os.environ.get("FR_PASSPHRASE_FILE")
    if named:
        return _read_private(Path(named), strict=True).removesuffix(b"\n")
    if ask is None:
        raise ConfigurationError(
            f"{path} is under a passphrase, and nobody can be asked for it here.",
            hint="Name a file that holds it (mode 600) in FR_PASSPHRASE_FILE.",
        )
    return ask().encode()


def _ed25519(path: Path, key: object) -> Ed25519PrivateKey:
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(
            f"{path} is not an Ed25519 key.", hint="Restore it from its backup."
        )
    return key


def load_public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key (PEM), as an auditor receives it."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as trouble:
        raise ConfigurationError(
            f"The public key {path} cannot be read: {trouble}.",
            hint="Give the audit.pub that the home's owner published.",
        ) from trouble
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError(f"{path} is not an Ed25519 public key.")
    return key


def _write_private(path: Path, data: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as trouble:
        raise ConfigurationError(
            f"The key {path} cannot be written: {trouble.strerror}.",
            hint="A key is never overwritten: choose another folder, or move the old one away.",
        ) from trouble
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _read_private(path: Path, *, strict: bool = True) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read()
    except OSError as trouble:
        raise ConfigurationError(
            f"The key {path} cannot be read: {trouble.strerror}.",
            hint="Run as the account that owns the home, or restore the key from its backup.",
        ) from trouble
    if strict and mode & 0o077:
        raise ConfigurationError(
            f"The key {path} can be read by other accounts (mode {mode & 0o777:o}).",
            hint=f"Close it with: chmod 600 {path}",
        )
    return data
