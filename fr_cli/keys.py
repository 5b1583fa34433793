"""Key files: the key that signs the audit log, and the site key that wraps all others.

Both lie in the home's `keys/` folder with mode 0600, so that an unattended script can run.
That protects against other accounts and against a stolen copy of the gallery, not against
whoever runs commands as the owner of the home.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from fr_cli.errors import ConfigurationError

SITE_KEY = "site.key"
AUDIT_KEY = "audit.key"
AUDIT_PUBLIC = "audit.pub"


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


@dataclass(frozen=True)
class SigningKey:
    """Ed25519 (RFC 8032): 32-byte public key, 64-byte signatures."""

    private: Ed25519PrivateKey

    def sign(self, message: bytes) -> bytes:
        """Sign the message; 64 bytes."""
        return self.private.sign(message)

    @cached_property
    def public(self) -> bytes:
        """The raw public key, 32 bytes."""
        return self.private.public_key().public_bytes_raw()

    @classmethod
    def create(cls, folder: Path) -> SigningKey:
        """Make a new key pair and write both halves to the folder."""
        key = cls(Ed25519PrivateKey.generate())
        pem = key.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        _write_private(folder / AUDIT_KEY, pem)
        public = key.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (folder / AUDIT_PUBLIC).write_bytes(public)
        return key

    @classmethod
    def load(cls, folder: Path) -> SigningKey:
        """Read the signing key of a home."""
        pem = _read_private(folder / AUDIT_KEY)
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigurationError(
                f"{folder / AUDIT_KEY} is not an Ed25519 key.", hint="Restore it from its backup."
            )
        return cls(key)


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


def _read_private(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read()
    except OSError as trouble:
        raise ConfigurationError(
            f"The key {path} cannot be read: {trouble.strerror}.",
            hint="Run as the account that owns the home, or restore the key from its backup.",
        ) from trouble
    if mode & 0o077:
        raise ConfigurationError(
            f"The key {path} can be read by other accounts (mode {mode & 0o777:o}).",
            hint=f"Close it with: chmod 600 {path}",
        )
    return data
