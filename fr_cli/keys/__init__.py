"""The keys of a home: the one that signs the audit log, and the site key that wraps all others.

Where they rest, and what that protects against:

- Files of mode 0600 (the default): an unattended script can use them. It protects against other
  accounts and against a stolen copy of the gallery or the log. It does not protect against
  whoever runs commands as the owner of the home, against root, or against a stolen disk.
- The same files under a passphrase (the signing key in OpenSSH's format with bcrypt, the site key
  with scrypt): it also protects them in a backup and on a stolen disk, as far as the passphrase
  cannot be guessed. It does not protect them while `fr` runs, nor from whoever can read the file
  that FR_PASSPHRASE_FILE names.
- Credentials of systemd (`$CREDENTIALS_DIRECTORY/audit.key` and `site.key`; with
  `systemd-creds encrypt` bound to the machine's TPM): it also protects a copy of the whole disk
  that is read in another machine. It does not protect against root of the running machine.

Whoever can sign can forge new entries in each of these cases; a witness bounds that.
"""

from fr_cli.keys.passphrase import Passphrase
from fr_cli.keys.signing import AUDIT_KEY, AUDIT_NEXT, AUDIT_PUBLIC, SigningKey, load_public_key
from fr_cli.keys.site import SITE_KEY, SiteKey

__all__ = [
    "AUDIT_KEY",
    "AUDIT_NEXT",
    "AUDIT_PUBLIC",
    "SITE_KEY",
    "Passphrase",
    "SigningKey",
    "SiteKey",
    "load_public_key",
]
