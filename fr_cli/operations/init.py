"""Make a home that one person can use at once: folders, keys, policy, log."""

from __future__ import annotations

from pathlib import Path

from fr_cli.audit.log import AuditLog
from fr_cli.authority.policy import default_policy
from fr_cli.face.catalogue import EMBEDDER, embedder
from fr_cli.keys import SigningKey, SiteKey
from fr_cli.site import Site, create_site, write_site


def init(home: Path, passphrase: bytes | None = None, model: str = EMBEDDER) -> Site:
    """Make a home at the folder for this model; its log begins with the genesis entry.

    Both keys, the one that signs and the one that wraps, are under the passphrase if it is given.

    Raises ConfigurationError if there is one already, if keys of an earlier one lie there, or if
    the catalogue has no such embedder.
    """
    site = create_site(home, model=embedder(model).name)
    SiteKey.create(site.keys, passphrase)
    signer = SigningKey.create(site.keys, passphrase)
    site.policy.write_bytes(default_policy())
    AuditLog.create(site.audit, signer, site.origin)
    write_site(site)
    return site
