"""The site key: 256 random bits from which every other secret of a home is derived or wrapped."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from fr_cli.errors import ConfigurationError
from fr_cli.keys.epoch import EPOCH_DRAFT, Epoch, read_epoch, write_epoch
from fr_cli.keys.files import credential, read_private, replace_private, tidy, write_private
from fr_cli.keys.passphrase import Passphrase

SITE_KEY = "site.key"
#: Cost of scrypt (RFC 7914): 128 MiB and some 0.4 s for each guess.
COST = 2**17
#: A file that asks for more than this (1 GiB) is damaged, or meant to fill the memory.
LARGEST_COST = 2**20
_SCHEMA = "fr/site-key/1"


#: Purposes whose keys must stay when the site key is rotated, and are kept in its file then.
STABLE = ("image", "suppression", "manifest")
#: Bytes of what a file holds: the root, or that and the stable keys.
_SIZES = (32, 32 * (1 + len(STABLE)))


@dataclass(frozen=True)
class SiteKey:
    """The 256-bit root key of a home; every use of it derives a key of its own (HKDF, RFC 5869).

    `kept` are the keys of the stable purposes where a rotation has parted them from the root.
    `under` is the passphrase that its file is under, if any. `folder` is the home's folder of
    keys, `source` the bytes that it was read from; None for a key that lies in no file.
    """

    secret: bytes = field(repr=False)
    kept: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    under: bytes | None = field(default=None, repr=False, compare=False)
    folder: Path | None = field(default=None, compare=False)
    source: bytes = field(default=b"", repr=False, compare=False)
    passphrase: Passphrase | None = field(default=None, repr=False, compare=False)

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose; no two purposes share a key.

        Those of `STABLE` are the same after a rotation of the site key, any others are not.
        """
        if purpose in self.kept:
            return self.kept[purpose]
        return HKDFExpand(hashes.SHA256(), 32, b"fr/1/" + purpose.encode()).derive(self.secret)

    @classmethod
    def create(cls, folder: Path, under: bytes | None = None) -> SiteKey:
        """Make a new key and write it to the folder, under a passphrase if one is given.

        The first epoch begins with it.
        """
        key = cls(secrets.token_bytes(32), under=under, folder=folder)
        source = key.written()
        write_private(folder / SITE_KEY, source)
        key.enter(Epoch(1, secrets.token_bytes(32)))
        return replace(key, source=source)

    @classmethod
    def load(cls, folder: Path, passphrase: Passphrase | None = None) -> SiteKey:
        """Read the key of a home; a systemd credential `site.key` is preferred."""
        path = credential(SITE_KEY) or folder / SITE_KEY
        text = read_private(path)
        payload, under = b"", None
        try:
            if text.startswith(b"{"):
                payload, under = _opened(path, json.loads(text), passphrase or Passphrase())
            else:
                payload = bytes.fromhex(text.decode("ascii").strip())
        except (ValueError, KeyError, TypeError):
            payload = b""
        if len(payload) not in _SIZES:
            raise ConfigurationError(
                f"{path} is not a site key: neither hexadecimal digits, nor one under a "
                "passphrase.",
                hint="Restore the key from its own backup; the gallery cannot be read without it.",
            )
        parts = [payload[start : start + 32] for start in range(0, len(payload), 32)]
        kept = dict(zip(STABLE, parts[1:], strict=False))
        return cls(parts[0], kept, under, folder, text, passphrase)

    @property
    def from_credential(self) -> bool:
        """Whether systemd gives it, so that it lies outside of what `fr` can replace."""
        return self.folder is not None and credential(SITE_KEY) is not None

    def current(self) -> SiteKey:
        """The key that the home has now: itself, unless another process has rotated it."""
        if self.folder is None:
            return self
        if read_private(credential(SITE_KEY) or self.folder / SITE_KEY) == self.source:
            return self
        return SiteKey.load(self.folder, self.passphrase)

    @property
    def epoch(self) -> Epoch:
        """What wraps the key slots now; GalleryDamaged if that is not under this key.

        Homes of before have none: there the site key itself wraps, until the first purge.
        """
        found = read_epoch(self.folder, self.derive("epoch")) if self.folder else None
        return found or Epoch(0, self.derive("wrap"))

    def enter(self, epoch: Epoch, *others: SiteKey) -> None:
        """Put an epoch in force under this key, and under another that is to follow it."""
        assert self.folder is not None
        write_epoch(self.folder, epoch, *(key.derive("epoch") for key in (self, *others)))

    def successor(self, under: bytes | None) -> SiteKey:
        """A new key with the same stable ones; in no file yet."""
        kept = {purpose: self.derive(purpose) for purpose in STABLE}
        new = replace(self, secret=secrets.token_bytes(32), kept=kept, under=under)
        return replace(new, source=new.written())

    def install(self) -> None:
        """Take the place of the home's key, which is overwritten; OSError if it cannot."""
        assert self.folder is not None
        replace_private(self.folder / SITE_KEY, self.source)

    def tidy(self) -> None:
        """Destroy what an `enter` or an `install` that was cut short has left."""
        if self.folder is not None:
            (self.folder / EPOCH_DRAFT).unlink(missing_ok=True)
            tidy(self.folder / SITE_KEY)

    def written(self) -> bytes:
        """The bytes of its file: hexadecimal digits, or JSON where it is under a passphrase.

        64 digits, or 256 after a rotation: then the stable keys follow. Under a passphrase this is
        wrapped (AES-KW, RFC 3394) by what scrypt makes of the passphrase.
        """
        payload = self.secret + b"".join(self.kept[name] for name in STABLE if self.kept)
        if self.under is None:
            return payload.hex().encode() + b"\n"
        salt = secrets.token_bytes(16)
        document = {
            "schema": _SCHEMA,
            "kdf": "scrypt",
            "n": COST,
            "r": 8,
            "p": 1,
            "salt": salt.hex(),
            "wrapped": aes_key_wrap(_stretched(self.under, salt, COST), payload).hex(),
        }
        return json.dumps(document).encode() + b"\n"


def _opened(path: Path, document: dict[str, Any], passphrase: Passphrase) -> tuple[bytes, bytes]:
    """The key and its passphrase; ValueError, KeyError or TypeError if this is no such file."""
    cost, salt = document["n"], bytes.fromhex(document["salt"])
    wrapped = bytes.fromhex(document["wrapped"])
    form = (document["schema"], document["kdf"], document["r"], document["p"], len(wrapped))
    if (
        form[:4] != (_SCHEMA, "scrypt", 8, 1)
        or form[4] - 8 not in _SIZES
        or not 2 <= cost <= LARGEST_COST
    ):
        raise ValueError("another form")

    def attempt(secret: bytes) -> bytes | None:
        try:
            return aes_key_unwrap(_stretched(secret, salt, cost), wrapped)
        except InvalidUnwrap:
            return None

    return passphrase.open(path, attempt)


def _stretched(passphrase: bytes, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=cost, r=8, p=1).derive(passphrase)
