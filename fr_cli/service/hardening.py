"""What the service's own process must not leave open."""

from __future__ import annotations

import ctypes
import os
import resource

from fr_cli.errors import ConfigurationError
from fr_cli.site import Site

_PR_SET_DUMPABLE = 4


def close_process() -> None:
    """No core files, no look into the memory by another process of the account, private files.

    ConfigurationError where the kernel refuses.
    """
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The files under /proc/PID belong to root then, and only root may trace.
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise ConfigurationError(
            f"The memory of the service cannot be closed: {os.strerror(ctypes.get_errno())}."
        )


def check_account(site: Site) -> None:
    """ConfigurationError unless this is the account that owns the home, and not root."""
    if os.geteuid() == 0:
        raise ConfigurationError(
            "The service does not run as root: it needs none of what root may do.",
            hint="Run it as the account that owns the home: runuser -u fr -- fr serve --home DIR",
        )
    owner = site.home.stat()
    if owner.st_uid != os.geteuid():
        raise ConfigurationError(
            f"The home {site.home} belongs to another account.",
            hint="Run the service as the account that owns the home.",
        )
    if owner.st_mode & 0o077:
        raise ConfigurationError(
            f"The home {site.home} can be entered by other accounts "
            f"(mode {owner.st_mode & 0o777:o}).",
            hint=f"Close it with: chmod 700 {site.home}",
        )
