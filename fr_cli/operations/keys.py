"""New keys for old ones: the key that signs the log, and the site key that wraps all others."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

from fr_cli.errors import ConfigurationError
from fr_cli.gallery.lock import locked
from fr_cli.gallery.wrapping import Wrapping
from fr_cli.keys import SigningKey
from fr_cli.operations import cache, calibration_files, in_force
from fr_cli.operations.approvals import approved
from fr_cli.operations.bench import Bench
from fr_cli.operations.grounds import why
from fr_cli.records import Head

#: What a new key is to be under (a passphrase, or None for a file in clear), given what the old
#: one is under.
Protect = Callable[[bytes | None], bytes | None]


def as_before(old: bytes | None) -> bytes | None:
    """The new key is kept as the old one was."""
    return old


@dataclass(frozen=True)
class SignerRotated:
    """The new public key (base64), the entry that names it, whether it is under a passphrase."""

    key: str
    entry: int
    passphrase: bool
    head: Head


def rotate_signer(reason: str, bench: Bench, protect: Protect = as_before) -> SignerRotated:
    """Sign the log with a new key from here on; `audit.pub` stays what the log is checked with.

    ConfigurationError if the key in force is a credential of systemd.
    """
    if bench.signer.from_credential:
        raise ConfigurationError(
            "The key of the log is a credential of systemd, which fr cannot replace.",
            hint="Decrypt it to audit.key in keys/ (mode 600), run this again outside of the unit, "
            "encrypt the new audit.key, and remove the file.",
        )
    new = SigningKey.new()
    with bench.act("audit rotate", "administration", **why(reason)) as act:
        approved(bench, "key-rotation", {"key": "audit.key, which signs the log"})
        under = protect(bench.signer.under)
        named = bench.audit.rotate(new, bench.site.keys, under)
        in_force.sign_anew(bench, new)
        calibration_files.sign_anew(bench.site, new)
        key = base64.b64encode(new.public).decode()
        act.decide(entry=named.size - 1, key=key)
    return SignerRotated(key, named.size - 1, under is not None, act.head)


@dataclass(frozen=True)
class SiteKeyRotated:
    """How often the slots were wrapped anew so far, and whether the key is under a passphrase."""

    epoch: int
    passphrase: bool
    head: Head


def rotate_site_key(reason: str, bench: Bench, protect: Protect = as_before) -> SiteKeyRotated:
    """Exchange the site key, and wrap the key of every subject and generation anew.

    No template is touched. ConfigurationError if the key in force is a credential of systemd.
    """
    if bench.site_key.from_credential:
        raise ConfigurationError(
            "The site key is a credential of systemd, which fr cannot replace.",
            hint="Decrypt it to site.key in keys/ (mode 600), run this again outside of the unit, "
            "encrypt the new site.key, and remove the file.",
        )
    with (
        bench.act("gallery rotate-key", "administration", **why(reason)) as act,
        locked(bench.site.gallery, bench.turn(act)),
    ):
        approved(bench, "key-rotation", {"key": "site.key, which wraps all other keys"})
        # Templates kept from evaluations: their keys are not worth wrapping anew.
        cache.forget(bench.site, bench.site_key)
        wrapping = Wrapping(bench.site_key)
        wrapping.settle()
        under = protect(wrapping.under)
        epoch = wrapping.rotate(under)
        act.decide(epoch=epoch)
    return SiteKeyRotated(epoch, under is not None, act.head)
