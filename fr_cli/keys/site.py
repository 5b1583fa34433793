"""The site key: 256 random bits from which every other secret of a home is derived or wrapped."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from fr_cli.errors import ConfigurationError
from fr_cli.keys.files import credential, read_private, write_private
from fr_cli.keys.passphrase import Passphrase

SITE_KEY = "site.key"
#: Cost of scrypt (RFC 7914): 128 MiB and some 0.4 s for each guess.
COST = 2**17
#: A file that asks for more than this (1 GiB) is damaged, or meant to fill the memory.
LARGEST_COST = 2**20
_SCHEMA = "fr/site-key/1"


@dataclass(frozen=True)
class SiteKey:
    """The 256-bit root key of a home; every use of it derives a key of its own (HKDF, RFC 5869).

    `under` is the passphrase that its file is under, if any.
    """

    secret: bytes = field(repr=False)
    under: bytes | None = field(default=None, repr=False)

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose; no two purposes share a key."""
        return HKDFExpand(hashes.SHA256(), 32, b"fr/1/" + purpose.encode()).derive(self.secret)

    @classmethod
    def create(cls, folder: Path, under: bytes | None = None) -> SiteKey:
        """Make a new key and write it to the folder, under a passphrase if one is given."""
        key = cls(secrets.token_bytes(32), under)
        write_private(folder / SITE_KEY, key.written())
        return key

    @classmethod
    def load(cls, folder: Path, passphrase: Passphrase | None = None) -> SiteKey:
        """Read the key of a home; a systemd credential `site.key` is preferred."""
        path = credential(SITE_KEY) or folder / SITE_KEY
        text = read_private(path)
        secret, under = b"", None
        try:
            if text.startswith(b"{"):
                secret, under = _opened(path, json.loads(text), passphrase or Passphrase())
            else:
                secret = bytes.fromhex(text.decode("ascii").strip())
        except (ValueError, KeyError, TypeError):
            secret = b""
        if len(secret) != 32:
            raise ConfigurationError(
                f"{path} is not a site key: neither 64 hexadecimal digits, nor one under a "
                "passphrase.",
                hint="Restore the key from its own backup; the gallery cannot be read without it.",
            )
        return cls(secret, under)

    def written(self) -> bytes:
        """The bytes of its file: 64 hexadecimal digits, or JSON where it is under a passphrase.

        There the key is wrapped (AES-KW, RFC 3394) by what scrypt makes of the passphrase.
        """
        if self.under is None:
            return self.secret.hex().encode() + b"\n"
        salt = secrets.token_bytes(16)
        document = {
            "schema": _SCHEMA,
            "kdf": "scrypt",
            "n": COST,
            "r": 8,
            "p": 1,
            "salt": salt.hex(),
            "wrapped": aes_key_wrap(_stretched(self.under, salt, COST), self.secret).hex(),
        }
        return json.dumps(document).encode() + b"\n"


def _opened(path: Path, document: dict[str, Any], passphrase: Passphrase) -> tuple[bytes, bytes]:
    """The key and its passphrase; ValueError, KeyError or TypeError if this is no such file."""
    cost, salt = document["n"], bytes.fromhex(document["salt"])
    wrapped = bytes.fromhex(document["wrapped"])
    form = (document["schema"], document["kdf"], document["r"], document["p"], len(wrapped))
    if form != (_SCHEMA, "scrypt", 8, 1, 40) or not 2 <= cost <= LARGEST_COST:
        raise ValueError("another form")

    def attempt(secret: bytes) -> bytes | None:
        try:
            return aes_key_unwrap(_stretched(secret, salt, cost), wrapped)
        except InvalidUnwrap:
            return None

    return passphrase.open(path, attempt)


def _stretched(passphrase: bytes, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=cost, r=8, p=1).derive(passphrase)
