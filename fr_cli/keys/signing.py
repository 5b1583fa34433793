"""The key that signs the audit log: Ed25519, in a file of its own or a credential of systemd."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
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
from fr_cli.keys.files import credential, read_private, write_private
from fr_cli.keys.passphrase import Passphrase

AUDIT_KEY = "audit.key"
AUDIT_PUBLIC = "audit.pub"
#: A signing key that a rotation names, until it takes the place of AUDIT_KEY.
AUDIT_NEXT = "audit.key.next"
#: Rounds of bcrypt under a passphrase; ssh-keygen's default is 16 (24 since OpenSSH 9.4).
ROUNDS = 128


@dataclass(frozen=True, eq=False)
class SigningKey:
    """Ed25519 (RFC 8032): 32-byte public key, 64-byte signatures.

    `path` is the file it was read from and `home` the folder of the home's keys; both None for
    a key that lies in no file. `under` is the passphrase that its file is under, if any, and
    `passphrase` where others come from.
    """

    private: Ed25519PrivateKey
    path: Path | None = None
    home: Path | None = None
    under: bytes | None = field(default=None, repr=False)
    passphrase: Passphrase | None = field(default=None, repr=False)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same key, wherever it lies."""
        return isinstance(other, SigningKey) and self.public == other.public

    def __hash__(self) -> int:
        """As the public key."""
        return hash(self.public)

    def sign(self, message: bytes) -> bytes:
        """Sign the message; 64 bytes."""
        return self.private.sign(message)

    def mac(self, text: bytes, use: bytes = b"") -> bytes:
        """What only a holder of the key can say of a text, for a use of up to 16 bytes; in hex.

        For what the writers of the log tell each other, where a signature would cost too much.
        """
        # BLAKE2's keyed mode: a fifth of the time of an HMAC, and this is done under the lock.
        found = hashlib.blake2b(text, key=self._secret, digest_size=32, person=use)
        return found.hexdigest().encode()

    @cached_property
    def _secret(self) -> bytes:
        info = b"fr/1/frontier"
        return HKDFExpand(hashes.SHA256(), 32, info).derive(self.private.private_bytes_raw())

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
    def create(cls, folder: Path, under: bytes | None = None) -> SigningKey:
        """Make a home's first key pair and write both halves to the folder, one under a passphrase.

        The public half stays as it is when the key is rotated: it is what the log is checked
        with, and every later key is named by the log.
        """
        key = cls.new()
        write_private(folder / AUDIT_KEY, key._sealed(under))
        public = key.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (folder / AUDIT_PUBLIC).write_bytes(public)
        return replace(key, path=folder / AUDIT_KEY, home=folder, under=under)

    @classmethod
    def load(cls, folder: Path, passphrase: Passphrase | None = None) -> SigningKey:
        """Read the signing key of a home; a systemd credential `audit.key` is preferred."""
        return cls._read(credential(AUDIT_KEY) or folder / AUDIT_KEY, folder, passphrase)

    @property
    def from_credential(self) -> bool:
        """Whether systemd gave it, so that it lies outside of what `fr` can replace."""
        return self.path is not None and self.home is not None and self.path.parent != self.home

    def others(self) -> Iterator[SigningKey]:
        """The keys that the home holds now: another process may have rotated them."""
        if self.home is None:
            return
        for path in (credential(AUDIT_KEY), self.home / AUDIT_KEY, self.home / AUDIT_NEXT):
            if path and path.exists():
                with suppress(ConfigurationError):  # a draft that a crash left half written
                    yield self._read(path, self.home, self.passphrase)

    def stage(self, folder: Path, under: bytes | None = None) -> SigningKey:
        """Write it as the next key of a home, durable, beside the one in force."""
        path = folder / AUDIT_NEXT
        path.unlink(missing_ok=True)
        write_private(path, self._sealed(under))
        sync_folder(folder)
        return replace(self, path=path, home=folder, under=under)

    def install(self) -> SigningKey:
        """Take the place of the home's key, if this is the staged one; OSError if it cannot."""
        if self.home is None or self.path != self.home / AUDIT_NEXT:
            return self
        # Another process may have done so, and staged one more: that must not be put in force.
        if self._read(self.path, self.home, self.passphrase) != self:
            return replace(self, path=None)
        self.path.replace(self.home / AUDIT_KEY)
        sync_folder(self.home)
        return replace(self, path=self.home / AUDIT_KEY)

    @classmethod
    def _read(cls, path: Path, home: Path, passphrase: Passphrase | None) -> SigningKey:
        pem = read_private(path)
        under = None
        if pem.startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----"):
            key, under = _opened(path, pem, passphrase or Passphrase())
        else:
            key = _plain(pem)
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigurationError(
                f"{path} is not an Ed25519 key.", hint="Restore it from its backup."
            )
        return cls(key, path, home, under, passphrase)

    def _sealed(self, passphrase: bytes | None) -> bytes:
        form, sealing = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        if passphrase is None:
            return self.private.private_bytes(serialization.Encoding.PEM, form, sealing)
        # OpenSSH's format and not PKCS8: there the library stretches a passphrase with 2,048
        # rounds of PBKDF2 only.
        form = serialization.PrivateFormat.OpenSSH
        try:
            strong = form.encryption_builder().kdf_rounds(ROUNDS).build(passphrase)
            return self.private.private_bytes(serialization.Encoding.PEM, form, strong)
        except UnsupportedAlgorithm as trouble:
            raise ConfigurationError(
                "A key cannot be kept under a passphrase here.", hint=_NEEDS_BCRYPT
            ) from trouble


_NEEDS_BCRYPT = "Install the package bcrypt."


def _plain(pem: bytes) -> object:
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        return None


def _opened(path: Path, pem: bytes, passphrase: Passphrase) -> tuple[object, bytes | None]:
    def attempt(secret: bytes) -> object | None:
        try:
            return serialization.load_ssh_private_key(pem, secret)
        except ValueError:
            return None

    try:
        try:
            return serialization.load_ssh_private_key(pem, None), None  # ssh-keygen without one
        except TypeError:
            return passphrase.open(path, attempt)
        except ValueError:
            return None, None
    except UnsupportedAlgorithm as trouble:
        raise ConfigurationError(f"{path} cannot be opened.", hint=_NEEDS_BCRYPT) from trouble


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
